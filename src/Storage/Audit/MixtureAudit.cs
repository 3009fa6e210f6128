using Elastic.Corpus;

namespace Elastic.Storage;

/// <summary>Proves of a run that mixes sources that each block was consumed as often as <c>corpus.mixture</c> says.</summary>
internal static class MixtureAudit
{
    /// <summary>How far each epoch came.</summary>
    public static IEnumerable<EpochCount> Epochs(SampleStream order, long samples)
    {
        for (var epoch = 0L; epoch * order.Samples < samples; epoch++)
            yield return new EpochCount(epoch, Math.Min(order.Samples, samples - epoch * order.Samples), order.Samples);
    }

    /// <summary>
    /// Counts how often each block was consumed, one by one. After whole epochs the counts of a source differ by one at most, and their sum
    /// is what was said; within an epoch none is beyond what the epoch ends with.
    /// </summary>
    /// <param name="blockAt">The block at a position.</param>
    /// <param name="samples">Positions that were consumed.</param>
    /// <param name="problems">Gets a sentence about each source that does not fit.</param>
    /// <param name="most">Blocks that are counted at once.</param>
    /// <param name="cancel">Ends it: a run of billions of samples takes minutes.</param>
    /// <exception cref="OperationCanceledException">It was ended.</exception>
    public static IReadOnlyList<SourceCounts> Count(
        IReadOnlyList<MixtureSource> sources, Func<long, long> blockAt, long samples, ICollection<string> problems,
        int most = BlockStretch.MostBlocks, CancellationToken cancel = default)
    {
        var sums = new BlockCounts[sources.Count];
        foreach (var stretch in BlockStretch.Of(BlocksOf(sources), most))
        {
            var counts = new int[stretch.Length];
            foreach (var (_, block) in stretch.Consumed(blockAt, 0, samples, cancel))
                counts[stretch.PlaceOf(block)]++;
            for (var i = 0; i < sums.Length; i++)
                sums[i] = sums[i].With(stretch, counts, sources[i]);
        }
        var epoch = sources.Sum(s => s.Samples);
        var (whole, isPart) = (samples / epoch, samples % epoch > 0);
        return [.. sources.Zip(sums).Select(s => Checked(s.First, s.Second, whole, isPart, problems))];
    }

    /// <summary>
    /// Counts what was consumed of a mixture that is read window by window: each shard was consumed as often as said, and so was its
    /// source.
    /// </summary>
    /// <inheritdoc cref="Count"/>
    public static IReadOnlyList<SourceCounts> CountShards(
        WindowMixture order, IReadOnlyList<ShardInfo> shards, long samples, ICollection<string> problems,
        CancellationToken cancel = default) =>
    [
        .. Count([.. order.Parts(shards)], order.BlockAt, samples, problems, cancel: cancel).GroupBy(c => c.Source)
            .Select(of => new SourceCounts(
                of.Key, of.Sum(c => c.Blocks), of.Sum(c => c.Samples), of.Min(c => c.Least), of.Max(c => c.Most)))
            .OrderBy(c => c.Source, StringComparer.Ordinal),
    ];

    /// <summary>Blocks of all sources, which follow each other.</summary>
    public static long BlocksOf(IReadOnlyList<MixtureSource> sources) => sources.Max(s => s.FirstBlock + s.Blocks);

    private static SourceCounts Checked(MixtureSource source, BlockCounts counts, long whole, bool isPart, ICollection<string> problems)
    {
        var (total, least, most) = (counts.Samples, counts.Least, counts.Most);
        var (before, end) = (whole * source.Samples, (whole + (isPart ? 1 : 0)) * source.Samples);
        if (total < before || total > end)
            problems.Add($"source {source.Name}: {total} samples were consumed where {before} to {end} are due");
        if (least < before / source.Blocks || most > (end + source.Blocks - 1) / source.Blocks)
            problems.Add($"source {source.Name}: its blocks were consumed {least} to {most} times where {before / source.Blocks} to "
                + $"{(end + source.Blocks - 1) / source.Blocks} times are due");
        return new SourceCounts(source.Name, source.Blocks, total, least, most);
    }
}
