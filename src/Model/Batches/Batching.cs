namespace Elastic.Model.Batches;

/// <summary>Makes micro-batches of samples: the tokens to read, and the targets to predict. An architecture has one.</summary>
public interface IBatching
{
    /// <summary>The micro-batches of a step, or of an evaluation: <paramref name="rows"/> samples each; the last may have fewer.</summary>
    IReadOnlyList<MicroBatch> MicroBatches(IReadOnlyList<Sample> samples, int rows);
}

/// <summary>The model predicts each token but the first from those before it. All samples have the same length.</summary>
public sealed class CausalBatching : IBatching
{
    /// <inheritdoc/>
    public IReadOnlyList<MicroBatch> MicroBatches(IReadOnlyList<Sample> samples, int rows)
    {
        ArgumentNullException.ThrowIfNull(samples);
        if (samples.Any(s => s.Tokens.Length < 2 || s.Tokens.Length != samples[0].Tokens.Length))
            throw new ArgumentException("use samples of one length, of two tokens or more", nameof(samples));
        var targets = samples.Sum(s => (long)s.Tokens.Length - 1);
        return [.. samples.Chunk(rows).Select((part, i) => new MicroBatch(
            i, part.Length, Join(part, tokens => tokens[..^1]), Join(part, tokens => tokens[1..]), targets))];
    }

    private static int[] Join(Sample[] samples, Func<ReadOnlyMemory<int>, ReadOnlyMemory<int>> part)
    {
        var columns = samples[0].Tokens.Length - 1;
        var joined = new int[samples.Length * columns];
        for (var i = 0; i < samples.Length; i++)
            part(samples[i].Tokens).CopyTo(joined.AsMemory(i * columns));
        return joined;
    }
}
