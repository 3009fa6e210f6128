using Elastic.Corpus;

namespace Elastic.Storage.Tests.Audit;

public class ChangedMixtureAuditTests
{
    private static readonly MixtureSource[] Sources = [new("a", 0, 10, 25), new("b", 10, 4, 2), new("c", 14, 5, 0)];

    private static readonly MixtureSource[] Later = [new("a", 0, 10, 5), new("b", 10, 4, 4), new("c", 14, 5, 9)];

    private static readonly MixtureChanges Order =
        MixtureChanges.Of(new MixtureOrder(3, Sources), [(40, new MixtureOrder(3, Later, 40)), (100, new MixtureOrder(3, Sources, 100))]);

    private readonly List<string> _problems = [];

    [Theory]
    [InlineData(17)]
    [InlineData(40)]
    [InlineData(93)]
    [InlineData(250)]
    public void What_was_consumed_is_counted_over_all_mixtures_and_has_no_problem(int samples)
    {
        var counts = ChangedMixtureAudit.Count(Order, samples, _problems);
        Assert.Empty(_problems);
        var blocks = Enumerable.Range(0, samples).Select(p => Order.BlockAt(p)).ToList();
        foreach (var (source, count) in Sources.Zip(counts))
        {
            var of = Enumerable.Range((int)source.FirstBlock, (int)source.Blocks).Select(b => blocks.Count(x => x == b)).ToList();
            Assert.Equal(new SourceCounts(source.Name, source.Blocks, of.Sum(), of.Min(), of.Max()), count);
        }

        // A corpus of more blocks than one array has is counted by stretches, whose borders are not those of sources.
        Assert.Equal(counts, ChangedMixtureAudit.Count(Order, Order.BlockAt, samples, _problems, most: 4));
        Assert.Empty(_problems);
        Assert.Equal(samples, ChangedMixtureAudit.Epochs(Order, samples).Sum(e => e.Consumed));
    }

    [Fact]
    public void A_mixture_that_begins_its_streams_anew_reads_blocks_twice_and_is_found()
    {
        // The second one takes no notice of what the first one has read.
        var wrong = MixtureChanges.Of(new MixtureOrder(3, Sources), [(40, new MixtureOrder(3, Later, 40))]);
        ChangedMixtureAudit.Count(wrong, 60, _problems);
        Assert.Empty(_problems);
        var blockAt = (long p) => p < 40 ? wrong.BlockAt(p) : new MixtureOrder(3, Later, 40).BlockAt(p - 40);
        ChangedMixtureAudit.Count(wrong, blockAt, 60, _problems);
        Assert.Contains(_problems, p => p.Contains("was read twice in pass", StringComparison.Ordinal));
        List<string> byStretches = [];
        ChangedMixtureAudit.Count(wrong, blockAt, 60, byStretches, most: 4);
        Assert.Equal(_problems.Order(), byStretches.Order());
    }
}
