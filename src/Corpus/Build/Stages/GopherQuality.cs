using System.Buffers;
using Elastic.Messages.Settings;

namespace Elastic.Corpus.Build.Stages;

/// <summary>
/// The rules of Rae et al. 2021 ("Scaling Language Models: Methods, Analysis &amp; Insights from Training Gopher", appendix A.1.1) by
/// which a text is prose. Words are what stands between white space. The stop words are English ones: for other languages name theirs, or
/// 0 of them.
/// </summary>
public sealed class GopherQuality(GopherQualitySettings settings) : Stage
{
    private const int Words = 0, WordLength = 1, Symbols = 2, Bullets = 3, Ellipses = 4, Alphabetic = 5, StopWords = 6;

    private static readonly SearchValues<char> BulletSigns = SearchValues.Create("•‣▶●◦■▪-*");

    private readonly HashSet<string> _stopWords = [.. settings.StopWords];

    /// <summary>As manifests name it.</summary>
    public static StageKind Kind { get; } = StageKind.Of<GopherQualitySettings>("gopher-quality", 1,
        "Keeps what is prose by the rules of Gopher: words and their lengths, symbols, bullets, ellipses, stop words.",
        settings => new GopherQuality(settings));

    /// <inheritdoc/>
    public override IReadOnlyList<string> Signals { get; } =
        ["words", "word-length", "symbols-per-word", "bullet-lines", "ellipsis-lines", "alphabetic-words", "stop-words"];

    /// <inheritdoc/>
    public override double[] Read(Draft draft)
    {
        ArgumentNullException.ThrowIfNull(draft);
        var text = draft.Text;
        var (words, lines) = (Lines.Words(draft), Lines.Of(draft));
        var signals = new double[Signals.Count];
        signals[Words] = words.Length;
        signals[WordLength] = Thresholds.Share(words.Sum(word => (long)word.Length), words.Length);
        signals[Symbols] = Thresholds.Share(
            Math.Max(text.AsSpan().Count('#'), text.AsSpan().Count("...") + text.AsSpan().Count('…')), words.Length);
        signals[Bullets] = Thresholds.Share(lines.Count(line => BulletSigns.Contains(line[0])), lines.Count);
        signals[Ellipses] = Thresholds.Share(
            lines.Count(line => line.EndsWith("...", StringComparison.Ordinal) || line.EndsWith('…')), lines.Count);
        signals[Alphabetic] = Thresholds.Share(
            words.Watched(draft.Cancel).Count(word => word.Any(char.IsLetter)), words.Length);
        signals[StopWords] = words.Watched(draft.Cancel).Select(word => word.ToLowerInvariant()).Where(_stopWords.Contains)
            .Distinct().Count();
        return signals;
    }

    /// <inheritdoc/>
    public override string? Refusal(ReadOnlySpan<double> signals) =>
        Thresholds.Outside(signals[Words], settings.Words.First, settings.Words.Second, "it has {0} words")
        ?? Thresholds.Outside(signals[WordLength], settings.WordLength.First, settings.WordLength.Second, "its words have {0} characters")
        ?? Thresholds.Outside(signals[Symbols], 0, settings.MostSymbols, "it has {0} hashes or ellipses a word")
        ?? Thresholds.Outside(signals[Bullets], 0, settings.MostBullets, "{0} of its lines are items of lists")
        ?? Thresholds.Outside(signals[Ellipses], 0, settings.MostEllipses, "{0} of its lines end in an ellipsis")
        ?? Thresholds.Outside(signals[Alphabetic], settings.LeastAlphabetic, double.PositiveInfinity, "{0} of its words have a letter")
        ?? Thresholds.Outside(signals[StopWords], settings.LeastStopWords, double.PositiveInfinity, "it has {0} of the stop words");
}

/// <summary>Block <c>gopher-quality</c>: the published thresholds, each of which can be moved.</summary>
public sealed record GopherQualitySettings : SettingsGroup
{
    [Setting("gopher-quality.words", new[] { 50.0, 100_000.0 }, "The fewest and the most words of a document.")]
    [AtLeast(0)]
    public required NumberPair Words { get; init; }

    [Setting("gopher-quality.word-length", new[] { 3.0, 10.0 }, "The least and the largest mean length of its words, in characters.")]
    [AtLeast(0)]
    public required NumberPair WordLength { get; init; }

    [Setting("gopher-quality.most-symbols", 0.1, "The most hashes, or ellipses, for each word.")]
    [AtLeast(0)]
    public required double MostSymbols { get; init; }

    [Setting("gopher-quality.most-bullets", 0.9, "The largest share of lines that begin as items of lists do.")]
    [Between(0, 1)]
    public required double MostBullets { get; init; }

    [Setting("gopher-quality.most-ellipses", 0.3, "The largest share of lines that end in an ellipsis.")]
    [Between(0, 1)]
    public required double MostEllipses { get; init; }

    [Setting("gopher-quality.least-alphabetic", 0.8, "The least share of words that have a letter.")]
    [Between(0, 1)]
    public required double LeastAlphabetic { get; init; }

    [Setting("gopher-quality.least-stop-words", 2, "How many of the stop words a document must have at least, each counted once.")]
    [AtLeast(0)]
    public required int LeastStopWords { get; init; }

    [Setting("gopher-quality.stop-words", new[] { "the", "be", "to", "of", "and", "that", "have", "with" },
        "The stop words, in lower case. Those of the paper are English: name those of another language for documents in it.")]
    [ChangesReading]
    public required IReadOnlyList<string> StopWords { get; init; }
}
