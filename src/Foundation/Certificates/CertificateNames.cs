using System.Net;
using System.Net.Sockets;
using System.Security.Cryptography.X509Certificates;

namespace Elastic.Foundation.Certificates;

/// <summary>
/// Host names and addresses under which browsers reach a seed (subject alternative names, RFC 5280, 4.2.1.6): a browser compares them with
/// what it was asked for. Nodes compare none.
/// </summary>
public static class CertificateNames
{
    /// <summary>The most names of one certificate.</summary>
    public const int Most = 32;

    /// <summary>The most names that nobody has typed: room stays for those that somebody does.</summary>
    public const int MostOfMachine = Most / 2;

    private const int LongestName = 253, LongestLabel = 63;

    /// <summary>The names of this machine: the loopback's, its own, and its first addresses; there is room for as many others.</summary>
    public static IReadOnlyList<string> OfMachine() =>
    [
        .. new[] { "localhost", Environment.MachineName.ToLowerInvariant(), IPAddress.IPv6Loopback.ToString() }
            .Concat(MachineAddresses.All()).Where(IsName).Distinct(StringComparer.Ordinal).Take(MostOfMachine),
    ];

    /// <summary>The names of a certificate; none where it has none.</summary>
    public static IReadOnlyList<string> Of(X509Certificate2 certificate)
    {
        ArgumentNullException.ThrowIfNull(certificate);
        var names = certificate.Extensions.OfType<X509SubjectAlternativeNameExtension>().FirstOrDefault();
        return names is null ? [] : [.. names.EnumerateDnsNames(), .. names.EnumerateIPAddresses().Select(a => a.ToString())];
    }

    /// <summary>True where a browser takes the certificate for that name or address.</summary>
    public static bool Holds(X509Certificate2 certificate, string name)
    {
        ArgumentNullException.ThrowIfNull(certificate);
        return (IPAddress.TryParse(name, out _) || Uri.CheckHostName(name) == UriHostNameType.Dns)
            && certificate.MatchesHostname(name, allowWildcards: true, allowCommonName: false);
    }

    /// <summary>
    /// The names, of those that are asked for, that a process may have which asks from <paramref name="address"/>: the loopback's, which
    /// are any machine's own, and that address. That a machine has another name or address it cannot show.
    /// </summary>
    /// <inheritdoc cref="Join"/>
    internal static IReadOnlyList<string> OwnOf(IPAddress? address, IEnumerable<string?> names) =>
    [
        .. Join(names, []).Where(n => AddressOf(n) is { } named
            ? named.Equals(IPAddress.Loopback) || named.Equals(IPAddress.IPv6Loopback) || named.Equals(address)
            : n == "localhost"),
    ];

    /// <summary>Both, each once, as a certificate has them.</summary>
    /// <exception cref="ElasticException">One is no host name and no address, or there are too many.</exception>
    public static IReadOnlyList<string> Join(IEnumerable<string?> some, IEnumerable<string> others)
    {
        List<string> all = [.. some.Concat(others).Select(Canonical).Distinct(StringComparer.Ordinal).Take(Most + 1)];
        if (all.FirstOrDefault(n => !IsName(n)) is { } wrong)
            throw new ElasticException(
                $"\"{OneLine.Of(wrong, 80)}\" is no host name and no address for a certificate: use one like seed1.example or 10.0.0.5");
        return all.Count <= Most ? all : throw new ElasticException($"a certificate holds {Most} names and addresses at most");
    }

    /// <summary>The extension that says so.</summary>
    internal static X509Extension Extension(IEnumerable<string> names)
    {
        var builder = new SubjectAlternativeNameBuilder();
        foreach (var name in names)
            if (AddressOf(name) is { } address)
                builder.AddIpAddress(address);
            else
                builder.AddDnsName(name);
        return builder.Build();
    }

    private static string Canonical(string? name) => AddressOf(name ?? "")?.ToString() ?? (name ?? "").ToLowerInvariant();

    // No wildcards: a seed is one machine. Nor what is an address in a way of writing that nobody means: 4090 would be 0.0.15.250, and of
    // [::1]:4090 the port would be lost.
    private static bool IsName(string text) => text.Length <= LongestName
        && (IPAddress.TryParse(text, out _) ? AddressOf(text) is not null : text.Split('.').All(IsLabel));

    private static IPAddress? AddressOf(string text) => IPAddress.TryParse(text, out var address)
        && (address.AddressFamily == AddressFamily.InterNetwork ? address.ToString() == text : text.IndexOfAny(['[', '%']) < 0)
            ? address : null;

    private static bool IsLabel(string text) => text.Length is > 0 and <= LongestLabel && text[0] != '-' && text[^1] != '-'
        && text.All(c => char.IsAsciiLetterOrDigit(c) || c == '-');
}
