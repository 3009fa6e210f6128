using System.Buffers;
using System.Globalization;
using Elastic.Messages.Settings;

namespace Elastic.Corpus.Build.Stages;

/// <summary>
/// Takes lines out that are no text but the page's furniture, by the rules of Penedo et al. 2023 ("The RefinedWeb Dataset for Falcon LLM",
/// appendix G.2): lines mostly in capitals, of digits alone, counters ("3 likes"), of one word, and short lines with phrases of menus.
/// Documents with many of their words in such lines are dropped. Lines without a letter that has a case (Arabic, Hindi, Chinese …) are no
/// lines of one word, for many of these scripts write no spaces. The phrases are English, and lists of words are one word a line: scope it.
/// </summary>
public sealed class BoilerplateLines(BoilerplateLinesSettings settings) : Stage
{
    private static readonly SearchValues<char> Marks = SearchValues.Create(".,:;+-()[]{}#%$€£|/•·×");

    private readonly HashSet<string> _counted = new(settings.Counted, StringComparer.OrdinalIgnoreCase);

    /// <summary>As manifests name it.</summary>
    public static StageKind Kind { get; } = StageKind.Of<BoilerplateLinesSettings>("boilerplate-lines", 1,
        "Takes out lines that are furniture of web pages, and drops pages with many of them, by the rules of RefinedWeb.",
        settings => new BoilerplateLines(settings));

    /// <inheritdoc/>
    public override IReadOnlyList<string> Signals { get; } = ["boilerplate-words"];

    /// <inheritdoc/>
    public override double[] Read(Draft draft)
    {
        ArgumentNullException.ThrowIfNull(draft);
        var (kept, words, flagged) = (new List<string>(), 0L, 0L);
        foreach (var line in draft.Text.Split('\n').Watched(draft.Cancel))
        {
            var of = Lines.Words(line);
            words += of.Length;
            if (of.Length > 0 && IsBoilerplate(line.Trim(), of))
                flagged += of.Length;
            else
                kept.Add(line);
        }
        draft.Text = string.Join('\n', kept);
        return [Thresholds.Share(flagged, words)];
    }

    /// <inheritdoc/>
    public override string? Refusal(ReadOnlySpan<double> signals) =>
        Thresholds.Outside(signals[0], 0, settings.MostWords, "{0} of its words are in lines of boilerplate");

    private bool IsBoilerplate(string line, string[] words) =>
        IsCapitals(line) || IsNumber(line) || IsCounter(words) || (words.Length == 1 && HasCase(line))
        || (words.Length <= settings.ShortLine && HasPhrase(line));

    private bool IsCapitals(string line)
    {
        var (upper, cased) = (line.Count(char.IsUpper), line.Count(c => char.IsUpper(c) || char.IsLower(c)));
        return cased > 0 && Thresholds.Share(upper, cased) > settings.MostCapitals;
    }

    private static bool IsNumber(string line) =>
        line.Any(char.IsAsciiDigit) && line.All(c => char.IsAsciiDigit(c) || char.IsWhiteSpace(c) || Marks.Contains(c));

    // A number and what it counts: "1,024 comments", "12K views".
    private bool IsCounter(string[] words) => words.Length == 2 && char.IsAsciiDigit(words[0][0])
        && words[0].TrimEnd('K', 'k', 'M', '+').All(c => char.IsAsciiDigit(c) || c is '.' or ',') && _counted.Contains(words[1]);

    private static bool HasCase(string line) => line.Any(c => char.IsUpper(c) || char.IsLower(c))
        && !line.Any(c => char.GetUnicodeCategory(c) == UnicodeCategory.OtherLetter);

    private bool HasPhrase(string line) =>
        settings.Beginnings.Any(phrase => line.StartsWith(phrase, StringComparison.OrdinalIgnoreCase))
        || settings.Ends.Any(phrase => line.EndsWith(phrase, StringComparison.OrdinalIgnoreCase))
        || settings.Anywhere.Any(phrase => line.Contains(phrase, StringComparison.OrdinalIgnoreCase));
}

/// <summary>Block <c>boilerplate-lines</c>. The paper gives examples of the phrases only; the lists are Elastic's.</summary>
public sealed record BoilerplateLinesSettings : SettingsGroup
{
    [Setting("boilerplate-lines.most-words", 0.05, "The largest share of a document's words in lines that are taken out.")]
    [Between(0, 1)]
    public required double MostWords { get; init; }

    [Setting("boilerplate-lines.most-capitals", 0.5, "The largest share of capitals among the letters of a line that have a case.")]
    [Between(0, 1), ChangesReading]
    public required double MostCapitals { get; init; }

    [Setting("boilerplate-lines.short-line", 10, "The most words of a line that is taken out for a phrase.")]
    [AtLeast(0), ChangesReading]
    public required int ShortLine { get; init; }

    [Setting("boilerplate-lines.counted", new[]
    {
        "likes", "like", "comments", "comment", "views", "view", "shares", "share", "replies", "reply", "followers", "votes", "vote",
        "points", "reviews", "review", "results", "ratings",
    }, "What counters count.")]
    [ChangesReading]
    public required IReadOnlyList<string> Counted { get; init; }

    [Setting("boilerplate-lines.beginnings", new[]
    {
        "sign in", "sign-in", "sign up", "log in", "skip to", "share on", "share this", "follow us", "subscribe to", "back to top",
        "copyright ©", "© ", "posted by", "posted in", "tagged ", "filed under", "previous post", "next post", "advertisement",
    }, "With which short lines begin that are taken out, whatever their case.")]
    [ChangesReading]
    public required IReadOnlyList<string> Beginnings { get; init; }

    [Setting("boilerplate-lines.ends", new[] { "read more...", "read more…", "read more", "see more", "show more", "all rights reserved.",
        "all rights reserved", "log in", "sign up" }, "With which short lines end.")]
    [ChangesReading]
    public required IReadOnlyList<string> Ends { get; init; }

    [Setting("boilerplate-lines.anywhere", new[] { "items in cart", "add to cart", "cookie policy", "privacy policy", "terms of use",
        "enable javascript", "leave a comment", "click here to" }, "What short lines have anywhere.")]
    [ChangesReading]
    public required IReadOnlyList<string> Anywhere { get; init; }
}
