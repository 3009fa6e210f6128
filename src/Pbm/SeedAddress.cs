using System.Globalization;

namespace Elastic.Pbm;

/// <summary>Where a seed listens for pbm.</summary>
internal sealed record SeedAddress(string Host, int Port)
{
    /// <summary>The environment variable that names another default.</summary>
    public const string Variable = "ELASTIC_PBM";

    public static readonly SeedAddress Default = new("127.0.0.1", 9110);

    /// <summary>As it is typed: 127.0.0.1:9110, seed1:9110, [::1]:9110.</summary>
    public override string ToString() => Host.Contains(':', StringComparison.Ordinal) ? $"[{Host}]:{Port}" : $"{Host}:{Port}";

    /// <summary>True for a word that can only be an address: no name of a palette holds a colon.</summary>
    public static bool IsMeant(string word) => word.Contains(':', StringComparison.Ordinal);

    /// <summary>Reads HOST:PORT.</summary>
    /// <param name="origin">What says so, for the message: empty for the command line.</param>
    public static SeedAddress Parse(string text, string origin = "")
    {
        var colon = text.LastIndexOf(':');
        var host = colon > 0 ? text[..colon] : "";
        if (host is ['[', .. var inner, ']'])
            host = inner;
        else if (host.Contains(':', StringComparison.Ordinal))
            host = "";                                              // a bare IPv6 address: which of the colons is the port's?
        return host.Length > 0 && int.TryParse(text[(colon + 1)..], NumberStyles.None, CultureInfo.InvariantCulture, out var port) && port is > 0 and <= 65535
            ? new SeedAddress(host, port)
            : throw PbmException.Usage($"{origin}{text} is no address: write HOST:PORT, e.g. {Default} or [::1]:{Default.Port}", "pbm --help");
    }
}
