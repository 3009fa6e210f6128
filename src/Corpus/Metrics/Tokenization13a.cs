using System.Text.RegularExpressions;

namespace Elastic.Corpus;

/// <summary>
/// The tokenization that BLEU scores are compared by: "13a", of NIST's mteval-v13a and of WMT's evaluations. Four entities are decoded, all
/// ASCII punctuation but the apostrophe stands alone, and a period, comma or hyphen does where its neighbours are not both digits.
/// </summary>
internal static class Tokenization13a
{
    // All of ASCII's signs but ' , - and the period; the space, too.
    private static readonly Regex Punctuation = Pattern(@"(?<a>[ -&(-+/:-@\[-`{-~])");

    // One after the other, and each goes on behind what it matched: three periods in a row depend on it.
    private static readonly Regex AfterNoDigit = Pattern("(?<a>[^0-9])(?<b>[.,])");
    private static readonly Regex BeforeNoDigit = Pattern("(?<a>[.,])(?<b>[^0-9])");
    private static readonly Regex HyphenAfterDigit = Pattern("(?<a>[0-9])(?<b>-)");

    /// <summary>The tokens of a line, in order.</summary>
    public static IReadOnlyList<string> Of(string line)
    {
        line = WhiteSpace.TrimEnd(line)
            .Replace("<skipped>", "", StringComparison.Ordinal)
            .Replace("-\n", "", StringComparison.Ordinal)
            .Replace('\n', ' ')
            .Replace("&quot;", "\"", StringComparison.Ordinal)
            .Replace("&amp;", "&", StringComparison.Ordinal)
            .Replace("&lt;", "<", StringComparison.Ordinal)
            .Replace("&gt;", ">", StringComparison.Ordinal);
        line = Punctuation.Replace($" {line} ", " ${a} ");
        line = AfterNoDigit.Replace(line, "${a} ${b} ");
        line = BeforeNoDigit.Replace(line, " ${a} ${b}");
        line = HyphenAfterDigit.Replace(line, "${a} ${b} ");
        return WhiteSpace.Split(line);
    }

    private static Regex Pattern(string pattern)
        => new(pattern, RegexOptions.CultureInvariant | RegexOptions.ExplicitCapture | RegexOptions.NonBacktracking);
}
