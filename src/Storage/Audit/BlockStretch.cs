using Elastic.Corpus;

namespace Elastic.Storage;

/// <summary>
/// Consecutive blocks of a corpus that are counted in one array, however many the corpus has: the positions of a run are gone through
/// once for each stretch.
/// </summary>
/// <param name="First">Its first block.</param>
/// <param name="Length">Its blocks.</param>
internal readonly record struct BlockStretch(long First, int Length)
{
    /// <summary>Blocks of one stretch: a trillion tokens of usual contexts, 2 GiB of counts or 64 MiB of bits.</summary>
    public const int MostBlocks = 1 << 29;

    /// <summary>The stretches of so many blocks.</summary>
    public static IEnumerable<BlockStretch> Of(long blocks, int most = MostBlocks)
    {
        for (var first = 0L; first < blocks; first += most)
            yield return new BlockStretch(first, (int)Math.Min(most, blocks - first));
    }

    /// <summary>Where a block of it has its place in its array.</summary>
    public int PlaceOf(long block) => (int)(block - First);

    /// <summary>The part of some blocks that is in it; of no length where none is.</summary>
    /// <param name="first">The first of them.</param>
    /// <param name="count">How many they are.</param>
    public (int Place, int Length) Part(long first, long count)
    {
        var (from, to) = (Math.Max(First, first), Math.Min(First + Length, first + count));
        return to > from ? ((int)(from - First), (int)(to - from)) : (0, 0);
    }

    /// <summary>Of the blocks at some positions those that are in it.</summary>
    /// <param name="blockAt">The block at a position.</param>
    /// <param name="from">The first position.</param>
    /// <param name="end">Behind the last one.</param>
    /// <param name="cancel">Ends it: a run of billions of samples takes minutes.</param>
    /// <exception cref="OperationCanceledException">It was ended.</exception>
    public IEnumerable<(long Position, long Block)> Consumed(
        Func<long, long> blockAt, long from, long end, CancellationToken cancel)
    {
        for (var position = from; position < end; position++)
        {
            StopSignal.Look(unchecked((int)position), cancel);
            if (blockAt(position) is var block && block >= First && block - First < Length)
                yield return (position, block);
        }
    }
}
