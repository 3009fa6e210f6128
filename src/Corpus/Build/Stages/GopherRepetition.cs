using Elastic.Messages.Settings;

namespace Elastic.Corpus.Build.Stages;

/// <summary>
/// The rules of Rae et al. 2021 (appendix A.1.1, table A1) by which a text repeats itself too much: its lines, its paragraphs, its most
/// frequent n-grams of words, and all its n-grams that occur twice. Shares of n-grams are of the characters in words, none counted twice.
/// </summary>
public sealed class GopherRepetition(GopherRepetitionSettings settings) : Stage
{
    private const int FirstFrequent = 2, LastFrequent = 4, FirstRepeated = 5, LastRepeated = 10;

    private static readonly string[] Shares = ["lines", "paragraphs", "line-characters", "paragraph-characters"];

    /// <summary>As manifests name it.</summary>
    public static StageKind Kind { get; } = StageKind.Of<GopherRepetitionSettings>("gopher-repetition", 1,
        "Drops what repeats itself by the rules of Gopher: lines, paragraphs and n-grams.", settings => new GopherRepetition(settings));

    /// <inheritdoc/>
    public override IReadOnlyList<string> Signals { get; } =
    [
        .. Shares,
        .. Enumerable.Range(FirstFrequent, LastFrequent - FirstFrequent + 1).Select(n => $"frequent-{n}-gram"),
        .. Enumerable.Range(FirstRepeated, LastRepeated - FirstRepeated + 1).Select(n => $"repeated-{n}-grams"),
    ];

    /// <inheritdoc/>
    public override double[] Read(Draft draft)
    {
        ArgumentNullException.ThrowIfNull(draft);
        var (lines, paragraphs, words) = (Lines.Of(draft), Lines.Paragraphs(draft), Lines.Words(draft));
        var (repeatedLines, repeatedParagraphs) = (
            Lines.Repeated(lines.Watched(draft.Cancel)), Lines.Repeated(paragraphs.Watched(draft.Cancel)));
        var grams = new WordGrams(words, draft.Cancel);
        return
        [
            Thresholds.Share(repeatedLines.Parts, lines.Count),
            Thresholds.Share(repeatedParagraphs.Parts, paragraphs.Count),
            Thresholds.Share(repeatedLines.Characters, lines.Sum(line => (long)line.Length)),
            Thresholds.Share(repeatedParagraphs.Characters, paragraphs.Sum(paragraph => (long)paragraph.Length)),
            .. Enumerable.Range(FirstFrequent, LastFrequent - FirstFrequent + 1)
                .Select(n => Thresholds.Share(grams.InMostFrequent(n), grams.Characters)),
            .. Enumerable.Range(FirstRepeated, LastRepeated - FirstRepeated + 1)
                .Select(n => Thresholds.Share(grams.InRepeated(n), grams.Characters)),
        ];
    }

    /// <inheritdoc/>
    public override string? Refusal(ReadOnlySpan<double> signals)
    {
        var why = Thresholds.Outside(signals[0], 0, settings.MostLines, "{0} of its lines are repetitions")
            ?? Thresholds.Outside(signals[1], 0, settings.MostParagraphs, "{0} of its paragraphs are repetitions")
            ?? Thresholds.Outside(signals[2], 0, settings.MostLineCharacters, "{0} of its characters are in repeated lines")
            ?? Thresholds.Outside(signals[3], 0, settings.MostParagraphCharacters, "{0} of its characters are in repeated paragraphs");
        for (var n = FirstFrequent; why is null && n <= LastFrequent; n++)
            why = Thresholds.Outside(signals[Shares.Length + n - FirstFrequent], 0, settings.MostFrequent(n),
                $"{{0}} of its characters are in its most frequent {n} words");
        for (var n = FirstRepeated; why is null && n <= LastRepeated; n++)
            why = Thresholds.Outside(signals[Shares.Length + LastFrequent - FirstFrequent + 1 + n - FirstRepeated], 0,
                settings.MostRepeated(n), $"{{0}} of its characters are in {n} words that it repeats");
        return why;
    }
}

/// <summary>Block <c>gopher-repetition</c>: the published thresholds, each of which can be moved.</summary>
public sealed record GopherRepetitionSettings : SettingsGroup
{
    [Setting("gopher-repetition.most-lines", 0.3, "The largest share of lines that are the same as an earlier one.")]
    [Between(0, 1)]
    public required double MostLines { get; init; }

    [Setting("gopher-repetition.most-paragraphs", 0.3, "The largest share of paragraphs that are the same as an earlier one.")]
    [Between(0, 1)]
    public required double MostParagraphs { get; init; }

    [Setting("gopher-repetition.most-line-characters", 0.2, "The largest share of characters in such lines.")]
    [Between(0, 1)]
    public required double MostLineCharacters { get; init; }

    [Setting("gopher-repetition.most-paragraph-characters", 0.2, "The largest share of characters in such paragraphs.")]
    [Between(0, 1)]
    public required double MostParagraphCharacters { get; init; }

    [Setting("gopher-repetition.most-frequent-2-gram", 0.2, "The largest share of characters in the most frequent two words.")]
    [Between(0, 1)]
    public required double MostFrequent2 { get; init; }

    [Setting("gopher-repetition.most-frequent-3-gram", 0.18, "In the most frequent three words.")]
    [Between(0, 1)]
    public required double MostFrequent3 { get; init; }

    [Setting("gopher-repetition.most-frequent-4-gram", 0.16, "In the most frequent four words.")]
    [Between(0, 1)]
    public required double MostFrequent4 { get; init; }

    [Setting("gopher-repetition.most-repeated-5-grams", 0.15,
        "The largest share of characters in sequences of five words that occur before.")]
    [Between(0, 1)]
    public required double MostRepeated5 { get; init; }

    [Setting("gopher-repetition.most-repeated-6-grams", 0.14, "Of six words.")]
    [Between(0, 1)]
    public required double MostRepeated6 { get; init; }

    [Setting("gopher-repetition.most-repeated-7-grams", 0.13, "Of seven words.")]
    [Between(0, 1)]
    public required double MostRepeated7 { get; init; }

    [Setting("gopher-repetition.most-repeated-8-grams", 0.12, "Of eight words.")]
    [Between(0, 1)]
    public required double MostRepeated8 { get; init; }

    [Setting("gopher-repetition.most-repeated-9-grams", 0.11, "Of nine words.")]
    [Between(0, 1)]
    public required double MostRepeated9 { get; init; }

    [Setting("gopher-repetition.most-repeated-10-grams", 0.1, "Of ten words.")]
    [Between(0, 1)]
    public required double MostRepeated10 { get; init; }

    internal double MostFrequent(int n) => n switch
    {
        2 => MostFrequent2,
        3 => MostFrequent3,
        _ => MostFrequent4,
    };

    internal double MostRepeated(int n) => n switch
    {
        5 => MostRepeated5,
        6 => MostRepeated6,
        7 => MostRepeated7,
        8 => MostRepeated8,
        9 => MostRepeated9,
        _ => MostRepeated10,
    };
}
