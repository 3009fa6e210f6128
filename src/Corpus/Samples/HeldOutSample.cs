namespace Elastic.Corpus;

/// <summary>Which held-out blocks an evaluation scores.</summary>
public static class HeldOutSample
{
    /// <summary>
    /// <paramref name="count"/> blocks evenly spread over <paramref name="blocks"/>, ascending; all of them where there are fewer.
    /// </summary>
    public static IReadOnlyList<long> Choose(BlockMap blocks, int count)
    {
        ArgumentNullException.ThrowIfNull(blocks);
        ArgumentOutOfRangeException.ThrowIfNegative(count);
        var chosen = new long[Math.Min(count, blocks.Blocks)];
        for (var i = 0; i < chosen.Length; i++)
            chosen[i] = (long)((Int128)i * blocks.Blocks / chosen.Length);
        return chosen;
    }
}
