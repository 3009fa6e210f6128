using Elastic.Messages.Corpora;
using Elastic.Model.Networks;

namespace Elastic.Model.Batches;

/// <summary>Makes micro-batches of samples: the tokens to read, and the targets to predict. An architecture has one.</summary>
public interface IBatching
{
    /// <summary>The micro-batches of a step, or of an evaluation: <paramref name="rows"/> samples each; the last may have fewer.</summary>
    /// <param name="draw">The step whose random choices are made, where there are any; null for an evaluation: always the same.</param>
    IReadOnlyList<MicroBatch> MicroBatches(IReadOnlyList<Sample> samples, int rows, DropoutSeed? draw = null);

    /// <summary>The element of a sample that is the target at the first place; those of the other places follow.</summary>
    /// <param name="context">T.</param>
    int FirstTarget(int context);
}

/// <summary>
/// The model predicts each token but the first from those before it, and from no other document where the samples say where documents
/// begin. All samples have the same length.
/// </summary>
public sealed class CausalBatching : IBatching
{
    /// <inheritdoc/>
    public IReadOnlyList<MicroBatch> MicroBatches(IReadOnlyList<Sample> samples, int rows, DropoutSeed? draw = null)
    {
        ArgumentNullException.ThrowIfNull(samples);
        if (samples.Any(s => s.Tokens.Length < 2 || s.Tokens.Length != samples[0].Tokens.Length))
            throw new ArgumentException("use samples of one length, of two tokens or more", nameof(samples));
        var counted = samples.Sum(s => Targets(s).LongCount(target => target != MicroBatch.NotCounted));
        return [.. samples.Chunk(rows).Select((part, i) => new MicroBatch(
            i, part.Length, [.. part.SelectMany(Inputs)], [.. part.SelectMany(Targets)], Math.Max(1, counted))
        {
            Segments = part.Any(HasDocuments) ? [.. part.SelectMany(Segments)] : null,
        })];
    }

    /// <inheritdoc/>
    public int FirstTarget(int context) => 1;

    private static IEnumerable<int> Elements(ReadOnlyMemory<int> elements)
    {
        for (var i = 0; i < elements.Length; i++)
            yield return elements.Span[i];
    }

    private static IEnumerable<int> Inputs(Sample sample) => Elements(sample.Tokens[..^1]).Select(SampleElement.TokenOf);

    // The first token of a document is predicted from nothing.
    private static IEnumerable<int> Targets(Sample sample) => Elements(sample.Tokens[1..]).Select(element =>
        (element & (SampleElement.NotCounted | SampleElement.Begins)) == 0 ? element : MicroBatch.NotCounted);

    private static IEnumerable<int> Segments(Sample sample)
    {
        var segment = 0;
        foreach (var element in Elements(sample.Tokens[..^1]))
            yield return (element & SampleElement.Begins) == 0 ? segment : ++segment;
    }

    private static bool HasDocuments(Sample sample) => Elements(sample.Tokens).Any(element => (element & SampleElement.Begins) != 0);
}
