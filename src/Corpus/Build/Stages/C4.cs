using System.Buffers;
using System.Text.RegularExpressions;
using Elastic.Messages.Settings;

namespace Elastic.Corpus.Build.Stages;

/// <summary>
/// The rules of Raffel et al. 2020 ("Exploring the Limits of Transfer Learning with a Unified Text-to-Text Transformer", section 2.2):
/// lines that are no sentences go, and then documents with too few sentences, with filler text, and with curly brackets. They are made
/// for web pages in English: scope them, for they delete code and much of other scripts. The list of bad words is not here.
/// </summary>
public sealed class C4(C4Settings settings) : Stage
{
    private const int Sentences = 0, Filler = 1, Brackets = 2;

    private static readonly SearchValues<char> Marks = SearchValues.Create(".?!"), Closers = SearchValues.Create("\"'”’)");

    private static readonly Regex Citation = new(
        @"\[[0-9]*\]|\[edit\]|\[citation needed\]", RegexOptions.CultureInvariant | RegexOptions.NonBacktracking);

    private static readonly string[] Policies =
        ["terms of use", "privacy policy", "cookie policy", "uses cookies", "use of cookies", "use cookies"];

    /// <summary>As manifests name it.</summary>
    public static StageKind Kind { get; } = StageKind.Of<C4Settings>("c4", 1,
        "Takes lines out that are no sentences, and drops pages with few sentences, filler text or code, by the rules of C4.",
        settings => new C4(settings));

    /// <inheritdoc/>
    public override IReadOnlyList<string> Signals { get; } = ["sentences", "filler", "brackets"];

    /// <inheritdoc/>
    public override double[] Read(Draft draft)
    {
        ArgumentNullException.ThrowIfNull(draft);
        var signals = new double[Signals.Count];
        signals[Filler] = draft.Text.Contains("lorem ipsum", StringComparison.OrdinalIgnoreCase) ? 1 : 0;
        signals[Brackets] = draft.Text.AsSpan().Count('{');
        draft.Text = string.Join('\n', draft.Text.Split('\n').Watched(draft.Cancel)
            .Select(line => Citation.Replace(line, "").Trim()).Where(IsSentence));
        signals[Sentences] = SentencesOf(draft.Text);
        return signals;
    }

    /// <inheritdoc/>
    public override string? Refusal(ReadOnlySpan<double> signals) =>
        settings.DropFiller && signals[Filler] > 0 ? "it has the filler text lorem ipsum"
        : settings.DropBrackets && signals[Brackets] > 0 ? "it has a curly bracket, as code has"
        : Thresholds.Outside(signals[Sentences], settings.LeastSentences, double.PositiveInfinity, "it has {0} sentences");

    // "..." ends what was cut off.
    private bool IsSentence(string line) =>
        line is [.., '.' or '?' or '!' or '"' or '\'' or '”' or '’'] && !line.EndsWith("...", StringComparison.Ordinal)
        && Lines.Words(line) is var words && words.Length >= settings.LeastWords && words.All(w => w.Length <= settings.MostWordLength)
        && !line.Contains("javascript", StringComparison.OrdinalIgnoreCase)
        && !Policies.Any(policy => line.Contains(policy, StringComparison.OrdinalIgnoreCase));

    // A mark, perhaps several, and what closes behind them, before white space or the end.
    private static int SentencesOf(string text)
    {
        var (sentences, at) = (0, 0);
        while (text.AsSpan(at).IndexOfAny(Marks) is var found and >= 0)
        {
            at += found;
            while (at < text.Length && (Marks.Contains(text[at]) || Closers.Contains(text[at])))
                at++;
            sentences += at == text.Length || char.IsWhiteSpace(text[at]) ? 1 : 0;
        }
        return sentences;
    }
}

/// <summary>Block <c>c4</c>: the thresholds of the published code, each of which can be moved.</summary>
public sealed record C4Settings : SettingsGroup
{
    [Setting("c4.least-words", 3, "The fewest words of a line that stays.")]
    [AtLeast(0), ChangesReading]
    public required int LeastWords { get; init; }

    [Setting("c4.most-word-length", 1000, "The most characters of a word of a line that stays.")]
    [AtLeast(1), ChangesReading]
    public required int MostWordLength { get; init; }

    [Setting("c4.least-sentences", 5, "The fewest sentences of the lines that stay: ends marked by . ? or ! before white space.")]
    [AtLeast(0)]
    public required int LeastSentences { get; init; }

    [Setting("c4.drop-filler", true, "Drop documents with lorem ipsum.")]
    public required bool DropFiller { get; init; }

    [Setting("c4.drop-brackets", true, "Drop documents with a curly bracket.")]
    public required bool DropBrackets { get; init; }
}
