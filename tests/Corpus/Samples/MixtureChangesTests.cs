using CsCheck;

namespace Elastic.Corpus.Tests;

// Mixtures that change in mid-run, against the definition written out with lists.
public sealed class MixtureChangesTests
{
    private const ulong Seed = 11;

    private static readonly Gen<(MixtureSource[][] Mixtures, int[] Lengths, bool StartsUnmixed)> Runs =
        from blocks in Gen.Int[1, 9].Array[1, 4]
        from weights in Gen.Int[0, 20].Array[4].Array[2, 4]
        from lengths in Gen.Int[1, 60].Array[4]
        from startsUnmixed in Gen.Bool
        select (weights.Select(w => Of(blocks, w)).ToArray(), lengths, startsUnmixed);

    [Fact]
    public void A_mixture_reads_what_those_before_it_have_left_in_the_order_of_the_streams() => Runs.Sample(t =>
    {
        var order = Order(t.Mixtures, t.Lengths, t.StartsUnmixed);
        var (sources, position) = (t.Mixtures[0], 0L);
        var streams = new MixtureOrder(Seed, [.. sources.Select(s => s with { Samples = s.Blocks })]);
        // Of each source the places of its stream that nobody has read.
        var left = sources.Select(s => Enumerable.Range(0, 2000).Select(i => (long)i).ToList()).ToArray();
        foreach (var (mixture, i) in t.Mixtures.Select((m, i) => (m, i)))
        {
            var now = left.Select(l => l.ToArray()).ToArray();
            for (var end = position + t.Lengths[i]; position < end; position++)
            {
                var block = order.BlockAt(position);
                var source = Array.FindLastIndex(sources, s => s.FirstBlock <= block);
                long place;
                if (i == 0 && t.StartsUnmixed)
                {
                    var pass = position / order.First.Samples;
                    place = Enumerable.Range(0, (int)sources[source].Blocks).Select(k => pass * sources[source].Blocks + k)
                        .Single(p => streams.BlockOf(source, p) == block);
                }
                else
                {
                    var of = i == 0 ? (MixtureOrder)order.First : order.Mixtures.ElementAt(i - 1).Order;
                    var (its, index) = of.SampleAt(position - t.Lengths.Take(i).Sum());
                    Assert.Equal(source, its);
                    place = now[source][index];
                    Assert.Equal(streams.BlockOf(source, place), block);
                }

                Assert.True(left[source].Remove(place), $"place {place} of source {source} was read twice");
            }
        }
    }, iter: 400);

    [Fact]
    public void Whole_epochs_of_a_changed_mixture_read_each_source_exactly_as_often_as_said()
    {
        MixtureSource[][] mixtures = [Of([300, 700], [10, 10]), Of([300, 700], [30, 5])];
        var order = Order(mixtures, [430, 1250 * 2], startsUnmixed: false);
        var counts = new int[1000];
        for (var position = 430; position < 430 + 2500; position++)
            counts[order.BlockAt(position)]++;
        Assert.Equal((2 * 900, 2 * 350), (counts[..300].Sum(), counts[300..].Sum()));
        // The 700 blocks of the second source: what the first 430 samples have not read of them comes first.
        var before = Enumerable.Range(0, 430).Select(p => order.BlockAt(p)).Where(b => b >= 300).ToHashSet();
        Assert.Equal(before.Count, before.Distinct().Count());
        Assert.All(Enumerable.Range(300, 700), b => Assert.InRange(counts[b] + (before.Contains(b) ? 1 : 0), 1, 2));
    }

    // Fingerprints of runs depend on it. The numbers are make_mixture_changes.py's, which was written from the description.
    [Fact]
    public void The_order_never_changes()
    {
        MixtureSource[][] mixtures = [Of([40, 30, 50], [10, 15, 3]), Of([40, 30, 50], [5, 0, 20]), Of([40, 30, 50], [10, 10, 10])];
        var order = Order(mixtures, [100, 77, 500], startsUnmixed: false);
        Assert.Equal(Golden, Enumerable.Range(0, 24).Select(i => order.BlockAt(20 + i * 17L)));
    }

    private static readonly long[] Golden =
        [9, 34, 59, 87, 19, 96, 22, 72, 115, 9, 8, 104, 110, 34, 25, 44, 110, 56, 89, 100, 111, 97, 86, 53];

    [Fact]
    public void An_offset_is_found_by_its_block() => (
        from blocks in Gen.Long[1, 100_000]
        from epoch in Gen.Long[0, 1000]
        from offset in Gen.Double[0, 1]
        select (blocks, epoch, offset)).Sample(t =>
    {
        var order = new SampleOrder(Seed, t.blocks);
        var offset = Math.Min(t.blocks - 1, (long)(t.offset * t.blocks));
        Assert.Equal(offset, order.OffsetOf(t.epoch, order.BlockAt(t.epoch * t.blocks + offset)));
    }, iter: 1000);

    // Weights in tenths.
    private static MixtureSource[] Of(int[] blocks, int[] weights)
    {
        var sources = blocks.Select((b, i) => new MixtureSource(
            $"source {i}", blocks.Take(i).Sum(), b, weights[i] == 0 ? 0 : Math.Max(1, b * weights[i] / 10))).ToArray();
        return sources.Sum(s => s.Samples) > 0 ? sources : [.. sources.Select(s => s with { Samples = s.Blocks })];
    }

    private static MixtureChanges Order(MixtureSource[][] mixtures, int[] lengths, bool startsUnmixed) => MixtureChanges.Of(
        startsUnmixed ? new SampleOrder(Seed, mixtures[0].Sum(s => s.Blocks)) : new MixtureOrder(Seed, mixtures[0]),
        [.. mixtures.Skip(1).Select((m, i) => lengths.Take(i + 1).Sum(n => (long)n) is var start
            ? (start, new MixtureOrder(Seed, m, start)) : default)]);
}
