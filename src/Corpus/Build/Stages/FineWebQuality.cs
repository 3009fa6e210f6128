using System.Buffers;
using Elastic.Messages.Settings;

namespace Elastic.Corpus.Build.Stages;

/// <summary>
/// The rules that Penedo et al. 2024 ("The FineWeb Datasets", section 3.6) add to those of Gopher and C4: lines that end in no punctuation,
/// short lines, characters in repeated lines, and line ends for each word. It counts the characters in repeated lines, not the lines.
/// </summary>
public sealed class FineWebQuality(FineWebQualitySettings settings) : Stage
{
    private const int Punctuated = 0, Short = 1, Repeated = 2, LineEnds = 3;

    // Where sentences and lines end in the scripts of the world.
    private static readonly SearchValues<char> Ends = SearchValues.Create(".!?\"'…。！？”’»」』।॥؟۔։።፧፨᙮᠃᠉⸮⸼꓿꘎꘏꛳꛷꡶꡷꣎꣏꧈꧉꩝꩞꩟꫰꫱꯫﹒﹖﹗．｡");

    /// <summary>As manifests name it.</summary>
    public static StageKind Kind { get; } = StageKind.Of<FineWebQualitySettings>("fineweb-quality", 1,
        "Drops lists and pieces of pages by the rules of FineWeb: punctuation, short lines, repeated lines.",
        settings => new FineWebQuality(settings));

    /// <inheritdoc/>
    public override IReadOnlyList<string> Signals { get; } =
        ["punctuated-lines", "short-lines", "repeated-line-characters", "line-ends-per-word"];

    /// <inheritdoc/>
    public override double[] Read(Draft draft)
    {
        ArgumentNullException.ThrowIfNull(draft);
        var lines = Lines.Of(draft);
        var signals = new double[Signals.Count];
        signals[Punctuated] = Thresholds.Share(lines.Count(line => Ends.Contains(line[^1])), lines.Count);
        signals[Short] = Thresholds.Share(lines.Count(line => line.Length <= settings.ShortLine), lines.Count);
        signals[Repeated] = Thresholds.Share(Lines.Repeated(lines.Watched(draft.Cancel)).Characters, lines.Sum(line => (long)line.Length));
        signals[LineEnds] = Thresholds.Share(draft.Text.AsSpan().Count('\n'), Lines.Words(draft).Length);
        return signals;
    }

    /// <inheritdoc/>
    public override string? Refusal(ReadOnlySpan<double> signals) =>
        Thresholds.Outside(signals[Punctuated], settings.LeastPunctuated, double.PositiveInfinity, "{0} of its lines end in punctuation")
        ?? Thresholds.Outside(signals[Short], 0, settings.MostShort, "{0} of its lines are short")
        ?? Thresholds.Outside(signals[Repeated], 0, settings.MostRepeated, "{0} of its characters are in repeated lines")
        ?? Thresholds.Outside(signals[LineEnds], 0, settings.MostLineEnds, "it has {0} line ends for each word");
}

/// <summary>Block <c>fineweb-quality</c>: the thresholds of the published code, each of which can be moved.</summary>
public sealed record FineWebQualitySettings : SettingsGroup
{
    [Setting("fineweb-quality.least-punctuated", 0.12, "The least share of lines that end in punctuation.")]
    [Between(0, 1)]
    public required double LeastPunctuated { get; init; }

    [Setting("fineweb-quality.short-line", 30, "The most characters of a short line.")]
    [AtLeast(0), ChangesReading]
    public required int ShortLine { get; init; }

    [Setting("fineweb-quality.most-short", 0.67, "The largest share of short lines.")]
    [Between(0, 1)]
    public required double MostShort { get; init; }

    [Setting("fineweb-quality.most-repeated", 0.1, """
        The largest share of characters in lines that are the same as an earlier one: 0.1 in the paper. Its code has 0.01.
        """)]
    [Between(0, 1)]
    public required double MostRepeated { get; init; }

    [Setting("fineweb-quality.most-line-ends", 0.3, "The most line ends for each word.")]
    [AtLeast(0)]
    public required double MostLineEnds { get; init; }
}
