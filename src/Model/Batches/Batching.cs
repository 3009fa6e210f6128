namespace Elastic.Model.Batches;

/// <summary>Makes micro-batches of samples: what is read, and what is to be predicted. An architecture has one.</summary>
public interface IBatching
{
    /// <summary>The micro-batches of one step, or of one evaluation: <paramref name="rows"/> samples each, and the last what remains.</summary>
    IReadOnlyList<MicroBatch> MicroBatches(IReadOnlyList<Sample> samples, int rows);
}

/// <summary>Each token but the first is predicted from those before it. All samples have the same length.</summary>
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
