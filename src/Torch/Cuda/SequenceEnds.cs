using static TorchSharp.torch;

namespace Elastic.Torch.Cuda;

/// <summary>
/// Which rows of attention belong together, as FlashAttention reads it: the rows of all sequences stand one behind the other, and sequence
/// i has those from number i of the ends to number i + 1. S sequences; one may have no queries, or no keys.
/// </summary>
/// <param name="Queries">(S + 1) int32, on the device: 0 and where each sequence's queries end.</param>
/// <param name="Keys">(S + 1): the same of keys and values.</param>
/// <param name="MostQueries">The longest sequence's queries.</param>
/// <param name="MostKeys">The longest sequence's keys.</param>
internal sealed record SequenceEnds(Tensor Queries, Tensor Keys, int MostQueries, int MostKeys) : IDisposable
{
    /// <summary>
    /// The ends of rows that see each other within a segment; null where a sequence returns to an earlier segment: then no ends say who
    /// sees whom.
    /// </summary>
    /// <param name="segments">(B, T): consecutive rows of one number are a segment.</param>
    /// <param name="columns">T.</param>
    public static SequenceEnds? Of(ReadOnlySpan<int> segments, int columns, Device device)
    {
        var (ends, seen) = (new List<int> { 0 }, new HashSet<int>());
        for (var row = 0; row < segments.Length; row++)
        {
            var begins = row % columns == 0;
            if (begins)
                seen.Clear();
            if (!begins && segments[row] == segments[row - 1])
                continue;
            if (!seen.Add(segments[row]))
                return null;
            if (row > 0)
                ends.Add(row);
        }
        ends.Add(segments.Length);
        return Of(ends, ends, device);
    }

    /// <summary>The ends of sequences that end before their places do: what stands behind an end is a sequence of its own.</summary>
    /// <param name="lengths">(B)</param>
    /// <param name="columns">The places of each.</param>
    public static SequenceEnds OfPlaces(ReadOnlySpan<int> lengths, int columns, Device device)
    {
        var ends = new List<int> { 0 };
        for (var i = 0; i < lengths.Length; i++)
        {
            if (lengths[i] > 0 && lengths[i] < columns)
                ends.Add(i * columns + lengths[i]);
            ends.Add((i + 1) * columns);
        }
        return Of(ends, ends, device);
    }

    /// <summary>
    /// The ends of sequences that look at one source each. Behind the end of a source that is shorter than its place there are keys that
    /// nobody looks at: sequences without a query.
    /// </summary>
    /// <param name="queries">Queries of each sequence.</param>
    /// <param name="lengths">(B): the keys of each source that its sequence sees.</param>
    /// <param name="keys">The places of each source.</param>
    public static SequenceEnds OfSources(int queries, ReadOnlySpan<int> lengths, int keys, Device device)
    {
        var (ofQueries, ofKeys) = (new List<int> { 0 }, new List<int> { 0 });
        for (var i = 0; i < lengths.Length; i++)
        {
            ofQueries.Add((i + 1) * queries);
            ofKeys.Add(i * keys + lengths[i]);
            if (lengths[i] == keys)
                continue;
            ofQueries.Add((i + 1) * queries);
            ofKeys.Add((i + 1) * keys);
        }
        return Of(ofQueries, ofKeys, device);
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        Queries.Dispose();
        Keys.Dispose();
    }

    private static SequenceEnds Of(List<int> queries, List<int> keys, Device device)
    {
        using var scope = NewDisposeScope();
        Tensor On(List<int> ends) => tensor([.. ends], int32).to(device, non_blocking: true);
        var ofQueries = On(queries);
        var ofKeys = ReferenceEquals(queries, keys) ? ofQueries : On(keys);
        return new SequenceEnds(
            ofQueries.DetachFromDisposeScope(), ofKeys.DetachFromDisposeScope(), Most(queries), Most(keys));
    }

    private static int Most(List<int> ends) => ends.Zip(ends.Skip(1), (begin, end) => end - begin).Max();
}
