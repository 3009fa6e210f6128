using Elastic.Messages.Corpora;
using Elastic.Model.Networks;

namespace Elastic.Model.Batches;

/// <summary>
/// Pairs: the encoder reads the source, the decoder predicts each token of the target but the first from those before it. A sample has T
/// elements of the source and T + 1 of the target; the source ends where an element begins anew.
/// </summary>
public sealed class PairBatching : IBatching
{
    /// <inheritdoc/>
    public IReadOnlyList<MicroBatch> MicroBatches(IReadOnlyList<Sample> samples, int rows, DropoutSeed? draw = null)
    {
        ArgumentNullException.ThrowIfNull(samples);
        if (samples.Any(s => s.Tokens.Length < 3 || s.Tokens.Length % 2 == 0 || s.Tokens.Length != samples[0].Tokens.Length))
            throw new ArgumentException("use samples of one length, T elements of a source and T + 1 of a target", nameof(samples));
        var counted = samples.Sum(s => (long)TargetsOf(s).Count(target => target != MicroBatch.NotCounted));
        return [.. samples.Chunk(rows).Select((part, i) => new MicroBatch(
            i, part.Length, [.. part.SelectMany(InputsOf)], [.. part.SelectMany(TargetsOf)], Math.Max(1, counted))
        {
            Sources = [.. part.SelectMany(SourceOf)],
            SourceLengths = [.. part.Select(LengthOf)],
        })];
    }

    /// <inheritdoc/>
    public int FirstTarget(int context) => context + 1;

    private static int Context(Sample sample) => sample.Tokens.Length / 2;

    private static int[] SourceOf(Sample sample) =>
        [.. sample.Tokens.Span[..Context(sample)].ToArray().Select(SampleElement.TokenOf)];

    private static int LengthOf(Sample sample)
    {
        var source = sample.Tokens.Span[..Context(sample)];
        var length = 1;
        while (length < source.Length && (source[length] & SampleElement.Begins) == 0)
            length++;
        return length;
    }

    private static int[] InputsOf(Sample sample) =>
        [.. sample.Tokens.Span[Context(sample)..^1].ToArray().Select(SampleElement.TokenOf)];

    private static int[] TargetsOf(Sample sample) =>
    [
        .. sample.Tokens.Span[(Context(sample) + 1)..].ToArray()
            .Select(element => (element & SampleElement.NotCounted) == 0 ? element : MicroBatch.NotCounted),
    ];
}
