using System.Globalization;
using System.IO.Compression;
using System.Text.Json;

namespace Elastic.Corpus.Languages;

/// <summary>N-grams of letters of a language whose last letter follows the others equally often.</summary>
/// <param name="Letters">One to three letters in lower case each, with a space between two n-grams.</param>
/// <param name="Share">
/// Share, among the occurrences of all but the last letter, of those that this letter follows; among all letters for one alone.
/// </param>
internal readonly record struct NGrams(string Letters, double Share);

/// <summary>
/// The counts that the package SearchPioneer.Lingua carries for its languages. Only they are used of it: its own confidence is a sum of
/// logarithms by the C library, exponentiated, which differs between machines and is 1 for nearly every document.
/// </summary>
internal static class LinguaCounts
{
    /// <summary>Letters of the longest n-gram that is read. Lingua itself reads no other ones where a text is not short.</summary>
    public const int MostLetters = 3;

    private const string Prefix = "lingua/";

    private static readonly string[] Orders = ["unigrams", "bigrams", "trigrams"];

    private static readonly Dictionary<string, string> Resources = typeof(LinguaCounts).Assembly.GetManifestResourceNames()
        .Where(name => name.StartsWith(Prefix, StringComparison.Ordinal))
        .ToDictionary(name => name[Prefix.Length..^".json.br".Length].Replace('\\', '/'), StringComparer.Ordinal);

    /// <summary>The languages in the order of their codes of ISO 639-1.</summary>
    public static IReadOnlyList<string> Languages { get; } =
        [.. Resources.Keys.Select(key => key[..key.IndexOf('/', StringComparison.Ordinal)]).Distinct().Order(StringComparer.Ordinal)];

    /// <summary>The n-grams of a language. Those written with characters have single ones only.</summary>
    public static IEnumerable<NGrams> Of(string language) =>
        Orders.Select(order => $"{language}/{order}").Where(Resources.ContainsKey).SelectMany(key => Read(Resources[key]));

    // {"language":"ENGLISH","ngrams":{"3553/58397":"cca","1/1":"ční črn"}}
    private static List<NGrams> Read(string resource)
    {
        using var packed = typeof(LinguaCounts).Assembly.GetManifestResourceStream(resource)!;
        using var unpacked = new BrotliStream(packed, CompressionMode.Decompress);
        using var bytes = new MemoryStream();
        unpacked.CopyTo(bytes);
        var json = new Utf8JsonReader(bytes.GetBuffer().AsSpan(0, (int)bytes.Length));
        var (found, share) = (new List<NGrams>(), 0.0);
        while (json.Read())
        {
            if (json.CurrentDepth < 2)
                continue;
            if (json.TokenType == JsonTokenType.PropertyName)
                share = ShareOf(json.GetString()!);
            else if (json.TokenType == JsonTokenType.String)
                found.Add(new NGrams(json.GetString()!, share));
        }
        return found;
    }

    private static double ShareOf(string fraction)
    {
        var bar = fraction.IndexOf('/', StringComparison.Ordinal);
        return double.Parse(fraction.AsSpan(0, bar), NumberStyles.None, CultureInfo.InvariantCulture)
            / double.Parse(fraction.AsSpan(bar + 1), NumberStyles.None, CultureInfo.InvariantCulture);
    }
}
