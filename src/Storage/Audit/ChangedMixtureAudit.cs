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
        Count(order, order.BlockAt, samples, problems, cancel);

    /// <inheritdoc cref="MixtureAudit.Count"/>
    internal static IReadOnlyList<SourceCounts> Count(
        MixtureChanges order, Func<long, long> blockAt, long samples, ICollection<string> problems, CancellationToken cancel = default)
    {
        var sources = order.Mixtures.First().Order.Sources;
        var counts = sources.Select(s => new int[checked((int)s.Blocks)]).ToArray();
        var passes = sources.Select(_ => new Dictionary<long, BitArray>()).ToArray();
        foreach (var (stream, first, end) in Stretches(order, samples))
        {
            var read = new long[sources.Count];
            for (var position = first; position < end; position++)
            {
                StopSignal.Look(unchecked((int)position), cancel);
                var block = blockAt(position);
                var (source, pass) = PassOf(order, sources, stream, position, block);
                var own = (int)(block - sources[source].FirstBlock);
                if (!passes[source].TryGetValue(pass, out var seen))
                    passes[source][pass] = seen = new BitArray(counts[source].Length);
                if (seen[own])
                    problems.Add($"source {sources[source].Name}: block {own} was read twice in pass {pass}");
                seen[own] = true;
                counts[source][own]++;
                read[source]++;
            }

            CheckShares(stream, sources, read, first, end, problems);
        }

        return [.. sources.Zip(counts).Select(s => new SourceCounts(
            s.First.Name, s.First.Blocks, s.Second.Sum(n => (long)n), s.Second.Min(), s.Second.Max()))];
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
