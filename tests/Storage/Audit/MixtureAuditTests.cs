using Elastic.Corpus;
using Elastic.Foundation;
using Elastic.Messages.Settings;

namespace Elastic.Storage.Tests.Audit;

public class MixtureAuditTests
{
    private static readonly MixtureSource[] Sources = [new("a", 0, 10, 25), new("b", 10, 4, 2), new("c", 14, 5, 0)];

    private static readonly MixtureOrder Order = new(3, Sources);

    private readonly List<string> _problems = [];

    [Theory]
    [InlineData(0)]
    [InlineData(27)]
    [InlineData(86)]
    [InlineData(270)]
    public void What_was_consumed_is_counted_and_a_run_of_the_mixture_has_no_problem(int samples)
    {
        var counts = MixtureAudit.Count(Sources, Order.BlockAt, samples, _problems);
        Assert.Empty(_problems);
        var blocks = Enumerable.Range(0, samples).Select(p => Order.BlockAt(p)).ToList();
        foreach (var (source, count) in Sources.Zip(counts))
        {
            var of = Enumerable.Range((int)source.FirstBlock, (int)source.Blocks).Select(b => blocks.Count(x => x == b)).ToList();
            Assert.Equal(new SourceCounts(source.Name, source.Blocks, of.Sum(), of.Min(), of.Max()), count);
        }
        // A corpus of more blocks than one array has is counted by stretches, whose borders are not those of sources.
        Assert.Equal(counts, MixtureAudit.Count(Sources, Order.BlockAt, samples, _problems, most: 4));
        Assert.Empty(_problems);
        Assert.Equal((samples + 26) / 27, MixtureAudit.Epochs(Order, samples).Count());
        Assert.Equal(samples, MixtureAudit.Epochs(Order, samples).Sum(e => e.Consumed));
    }

    [Theory]
    [InlineData(0)]
    [InlineData(20)]
    [InlineData(46)]
    [InlineData(100)]
    public void A_mixture_in_windows_is_counted_shard_by_shard_and_summed_by_source(int samples)
    {
        ShardInfo[] shards =
        [
            .. new[] { ("b", 6), ("a", 5), ("a", 7), ("b", 4) }.Select((s, i) => new ShardInfo(
                $"train-{i:00000}.tokens", Digest.Of([]), s.Item2 * 16 + 1, 1, 1) { Source = s.Item1 }),
        ];
        var order = WindowMixture.Of(
            3, CorpusSettings.Defaults with { Order = CorpusOrder.Stream, StreamWindow = 3, Mixture = ["a=1.5", "b=0.5"] }, shards, false,
            new BlockMap(shards, new SampleCut(SampleKind.Blocks, 16)));
        var counts = MixtureAudit.CountShards(order, shards, samples, _problems);
        Assert.Empty(_problems);
        Assert.Equal([("a", 12L), ("b", 10L)], counts.Select(c => (c.Source, c.Blocks)));
        Assert.Equal(samples, counts.Sum(c => c.Samples));
        Assert.Equal(samples, MixtureAudit.Epochs(order, samples).Sum(e => e.Consumed));
        Assert.Equal(23, order.Samples);
        if (samples == 46)
            Assert.Equal([(36L, 2, 4), (10, 1, 1)], counts.Select(c => (c.Samples, c.Least, c.Most)));
    }

    [Fact]
    public void A_block_that_is_read_in_place_of_another_is_found()
    {
        foreach (var most in new[] { 3, 100 })
        {
            _problems.Clear();
            MixtureAudit.Count(Sources, p => Order.BlockAt(p) == 3 ? 4 : Order.BlockAt(p), 27 * 2, _problems, most);
            Assert.Equal(["source a: its blocks were consumed 0 to 10 times where 5 to 5 times are due"], _problems);
        }
    }

    [Fact]
    public void An_audit_can_be_ended_and_keeps_a_hundred_problems()
    {
        Assert.Throws<OperationCanceledException>(
            () => MixtureAudit.Count(Sources, Order.BlockAt, 27, _problems, cancel: new CancellationToken(canceled: true)));
        var problems = new AuditProblems();
        foreach (var i in Enumerable.Range(0, 1000))
            problems.Add($"block {i}");
        Assert.Equal((100, "block 99"), (problems.Count, problems[^1]));
    }

    [Fact]
    public void A_sample_of_another_source_is_found()
    {
        var position = Enumerable.Range(0, 27).First(p => Order.BlockAt(p) >= 10);
        MixtureAudit.Count(Sources, p => p == position ? 14 : Order.BlockAt(p), 27, _problems);
        Assert.Contains("source b: 1 samples were consumed where 2 to 2 are due", _problems);
        Assert.Contains("source c: 1 samples were consumed where 0 to 0 are due", _problems);
        Assert.Contains("source c: its blocks were consumed 0 to 1 times where 0 to 0 times are due", _problems);
    }
}
