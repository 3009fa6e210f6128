using System.Collections;
using Elastic.Corpus;

namespace Elastic.Storage;

/// <summary>
/// Proves of a run whose mixture changed in mid-run that each mixture read its sources as often as it says, and that no block of a source
/// was read twice in one pass over the source, whichever mixtures the pass belongs to.
/// </summary>
internal static class ChangedMixtureAudit
{
    /// <summary>How far each epoch of each mixture came, one after the other.</summary>
    public static IEnumerable<EpochCount> Epochs(MixtureChanges order, long samples)
    {
        var number = 0L;
        foreach (var (stream, first, end) in Stretches(order, samples))
            for (var at = first; at < end; at += stream.Samples)
                yield return new EpochCount(number++, Math.Min(stream.Samples, end - at), stream.Samples);
    }

    /// <inheritdoc cref="MixtureAudit.Count"/>
    public static IReadOnlyList<SourceCounts> Count(
        MixtureChanges order, long samples, ICollection<string> problems, CancellationToken cancel = default) =>
        Count(order, order.BlockAt, samples, problems, cancel: cancel);

    /// <inheritdoc cref="MixtureAudit.Count"/>
    internal static IReadOnlyList<SourceCounts> Count(
        MixtureChanges order, Func<long, long> blockAt, long samples, ICollection<string> problems, int most = BlockStretch.MostBlocks,
        CancellationToken cancel = default)
    {
        var sources = order.Mixtures.First().Order.Sources;
        var sums = new BlockCounts[sources.Count];
        var stretches = Stretches(order, samples).ToList();
        var read = stretches.ConvertAll(_ => new long[sources.Count]);
        foreach (var blocks in BlockStretch.Of(MixtureAudit.BlocksOf(sources), most))
        {
            var (counts, passes) = (new int[blocks.Length], new Dictionary<(int Source, long Pass), BitArray>());
            foreach (var (i, (stream, first, end)) in stretches.Index())
            {
                foreach (var (position, block) in blocks.Consumed(blockAt, first, end, cancel))
                {
                    var (source, pass) = PassOf(order, sources, stream, position, block);
                    var (of, place) = (sources[source], blocks.PlaceOf(block));
                    var (start, length) = blocks.Part(of.FirstBlock, of.Blocks);
                    if (!passes.TryGetValue((source, pass), out var seen))
                        passes[(source, pass)] = seen = new BitArray(length);
                    if (seen[place - start])
                        problems.Add($"source {of.Name}: block {block - of.FirstBlock} was read twice in pass {pass}");
                    seen[place - start] = true;
                    counts[place]++;
                    read[i][source]++;
                }
            }
            for (var i = 0; i < sums.Length; i++)
                sums[i] = sums[i].With(blocks, counts, sources[i]);
        }
        foreach (var ((stream, first, end), its) in stretches.Zip(read))
            CheckShares(stream, sources, its, first, end, problems);
        if (samples - sums.Sum(s => s.Samples) is var others and not 0)
            problems.Add($"{others} samples are no blocks of the corpus");

        return
        [
            .. sources.Zip(sums).Select(s => new SourceCounts(
                s.First.Name, s.First.Blocks, s.Second.Samples, s.Second.Least, s.Second.Most)),
        ];
    }

    private static (int Source, long Pass) PassOf(
        MixtureChanges order, IReadOnlyList<MixtureSource> sources, SampleStream stream, long position, long block)
    {
        if (stream == order.First && stream is not MixtureOrder)
        {
            var source = sources.Count - 1;
            while (sources[source].FirstBlock > block)
                source--;
            return (source, position / stream.Samples);
        }

        var (of, place) = order.PlaceAt(position);
        return (of, place / sources[of].Blocks);
    }

    // The corpus as it is says nothing about shares.
    private static void CheckShares(
        SampleStream stream, IReadOnlyList<MixtureSource> sources, long[] read, long first, long end, ICollection<string> problems)
    {
        if (stream is not MixtureOrder mixture)
            return;
        var (whole, rest) = Math.DivRem(end - first, stream.Samples);
        for (var i = 0; i < read.Length; i++)
        {
            var (least, most) = (whole * mixture.Sources[i].Samples, (whole + (rest > 0 ? 1 : 0)) * mixture.Sources[i].Samples);
            if (read[i] < least || read[i] > most)
                problems.Add($"source {sources[i].Name}: {read[i]} samples were consumed from sample {first} on where {least} to {most} "
                    + "are due");
        }
    }

    private static IEnumerable<(SampleStream Stream, long First, long End)> Stretches(MixtureChanges order, long samples)
    {
        (SampleStream Stream, long First)[] all =
            [(order.First, 0), .. order.Mixtures.Select(m => ((SampleStream)m.Order, m.Sample))];
        for (var i = 0; i < all.Length; i++)
            if (Math.Min(samples, i + 1 < all.Length ? all[i + 1].First : samples) is var end && end > all[i].First)
                yield return (all[i].Stream, all[i].First, end);
    }
}
