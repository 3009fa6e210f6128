using Elastic.Corpus;

namespace Elastic.Storage;

/// <summary>How often the blocks of a source were consumed.</summary>
/// <param name="Blocks">Blocks that were counted.</param>
/// <param name="Samples">Times, all together.</param>
/// <param name="Least">Times that the block was consumed which was consumed least.</param>
/// <param name="Most">Times that the block was consumed which was consumed most.</param>
internal readonly record struct BlockCounts(long Blocks, long Samples, int Least, int Most)
{
    /// <summary>These, and those of the source's blocks that are in a stretch.</summary>
    /// <param name="counts">How often each block of the stretch was consumed.</param>
    public BlockCounts With(BlockStretch stretch, int[] counts, MixtureSource source)
    {
        var (place, length) = stretch.Part(source.FirstBlock, source.Blocks);
        var (samples, least, most) = (Samples, Blocks == 0 ? int.MaxValue : Least, Most);
        foreach (var count in counts.AsSpan(place, length))
            (samples, least, most) = (samples + count, Math.Min(least, count), Math.Max(most, count));
        return length == 0 ? this : new BlockCounts(Blocks + length, samples, least, most);
    }
}
