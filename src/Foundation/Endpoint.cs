using System.Diagnostics.CodeAnalysis;
using System.Globalization;
using System.Net;
using System.Net.Sockets;

namespace Elastic.Foundation;

/// <summary>Where a process listens: a host and a port, written HOST:PORT. The constructor checks both.</summary>
/// <remarks>
/// An IPv6 address stands in brackets where a port follows ([::1]:4053), and is kept without them and in its shortest form, so that one
/// address is one endpoint and nothing prints brackets twice. A name is kept in small letters, as Akka keeps it: what one plane says of a
/// node is compared with what the other says.
/// </remarks>
public readonly record struct Endpoint
{
    /// <param name="host">An IPv4 or IPv6 address, the latter with or without brackets, or a name.</param>
    /// <param name="port">From 1 to 65535.</param>
    /// <exception cref="ElasticException">One of them is something else.</exception>
    public Endpoint(string host, int port)
    {
        ArgumentNullException.ThrowIfNull(host);
        if (!IsPort(port))
            throw new ElasticException($"{port.ToString(CultureInfo.InvariantCulture)} is no port: use 1 to 65535");
        (Host, Port) = (HostOf(host), port);
    }

    /// <summary>An address or a name; never in brackets.</summary>
    public string Host { get; }

    public int Port { get; }

    /// <summary>The endpoint as it is typed: 127.0.0.1:9110, seed1:9110, [::1]:9110.</summary>
    public override string ToString() => string.Create(CultureInfo.InvariantCulture, $"{Bracketed(Host)}:{Port}");

    /// <summary>Reads HOST:PORT.</summary>
    /// <exception cref="ElasticException">It is something else: says what is wrong, and what was expected.</exception>
    public static Endpoint Parse(string text) =>
        TryParse(text, out var endpoint, out var problem) ? endpoint : throw new ElasticException(problem);

    /// <summary>Reads HOST:PORT.</summary>
    /// <param name="problem">What is wrong with the text, and what was expected.</param>
    public static bool TryParse(string text, out Endpoint endpoint, [NotNullWhen(false)] out string? problem)
    {
        ArgumentNullException.ThrowIfNull(text);
        var colon = text.LastIndexOf(':');
        var (host, port) = colon < 0 ? (text, "") : (text[..colon], text[(colon + 1)..]);
        var wrong = colon < 0 || text is ['[', .., ']'] ? "it has no port"
            : host is not ['[', ..] && (IPAddress.TryParse(host, out var bare) || IPAddress.TryParse(text, out bare)) && IsIPv6(bare)
                ? "an IPv6 address needs brackets"
            : ProblemOfHost(host) is { } ofHost ? ofHost
            : !int.TryParse(port, NumberStyles.None, CultureInfo.InvariantCulture, out var number) || !IsPort(number)
                ? "its port is not 1 to 65535"
            : null;
        problem = wrong is null ? null : $"{text} is no address ({wrong}): write HOST:PORT, with an IPv6 address in brackets";
        endpoint = wrong is null ? new Endpoint(host, int.Parse(port, CultureInfo.InvariantCulture)) : default;
        return wrong is null;
    }

    /// <summary>The endpoints among the texts. Other texts, which another process sent, are skipped.</summary>
    public static IEnumerable<Endpoint> Among(IEnumerable<string> texts) =>
        texts.Select(text => TryParse(text, out var endpoint, out _) ? endpoint : (Endpoint?)null).OfType<Endpoint>();

    /// <summary>An endpoint as it is printed, however it was typed; any other text as it is.</summary>
    public static string Normalized(string text) => TryParse(text, out var endpoint, out _) ? endpoint.ToString() : text;

    /// <summary>A host as an endpoint keeps it.</summary>
    /// <exception cref="ElasticException">It is neither an address nor a name.</exception>
    public static string HostOf(string host) =>
        ProblemOfHost(host) is { } problem ? throw new ElasticException($"\"{host}\" is no host: {problem}") : Canonical(host);

    /// <summary>What is wrong with a host, and what was expected; null where nothing is.</summary>
    public static string? ProblemOfHost(string host)
    {
        ArgumentNullException.ThrowIfNull(host);
        return host.Length == 0 ? "it has no host"
            : Uri.CheckHostName(host) == UriHostNameType.Unknown ? "its host is neither an address nor a name"
            // A process can listen on it, but nobody can connect to it, and a node has one address for both.
            : IPAddress.TryParse(host, out var address) && (address.Equals(IPAddress.Any) || address.Equals(IPAddress.IPv6Any))
                ? "it stands for all addresses of a machine; name the one by which others reach the node, "
                    + $"on this machine {string.Join(" or ", MachineAddresses.All())}"
            : null;
    }

    /// <summary>A host as it stands in front of a port: an IPv6 address in brackets.</summary>
    public static string Bracketed(string host) => host.Contains(':', StringComparison.Ordinal) ? $"[{host}]" : host;

    private static bool IsIPv6(IPAddress address) => address.AddressFamily == AddressFamily.InterNetworkV6;

    private static bool IsPort(int port) => port is > 0 and <= ushort.MaxValue;

    private static string Canonical(string host) =>
        IPAddress.TryParse(host, out var address) && IsIPv6(address) ? address.ToString() : host.ToLowerInvariant();
}
