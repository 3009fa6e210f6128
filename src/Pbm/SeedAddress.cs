using Elastic.Foundation;

namespace Elastic.Pbm;

/// <summary>Where a seed listens for pbm.</summary>
internal static class SeedAddress
{
    /// <summary>The environment variable that names another default.</summary>
    public const string Variable = "ELASTIC_PBM";

    public static readonly Endpoint Default = new("127.0.0.1", 9110);

    /// <summary>True for a word that can only be an address: no name of a palette holds a colon.</summary>
    public static bool IsMeant(string word) => word.Contains(':', StringComparison.Ordinal);

    /// <summary>Reads HOST:PORT.</summary>
    /// <param name="origin">Names the source of the text in messages; empty for the command line.</param>
    public static Endpoint Parse(string text, string origin = "") => Endpoint.TryParse(text, out var address, out var problem)
        ? address
        : throw PbmException.Usage($"{origin}{problem}, e.g. {Default} or [::1]:{Default.Port}", "pbm --help");
}
