using Elastic.Messages.Settings;

namespace Elastic.Corpus.Tests;

public class MixtureOrderTests
{
    private static readonly MixtureSource[] Sources =
        [new("a", 0, 40, 120), new("b", 40, 30, 45), new("c", 70, 7, 0), new("d", 77, 50, 17)];

    // Counted one by one, against the definition: as often as said, and none of a source a second time more than another.
    [Fact]
    public void After_every_epoch_each_block_was_read_as_often_as_said_or_once_more()
    {
        var order = new MixtureOrder(7, Sources);
        Assert.Equal(182, order.Samples);
        var counts = new int[127];
        for (var epoch = 1; epoch <= 12; epoch++)
        {
            for (var i = 0; i < order.Samples; i++)
                counts[order.BlockAt((epoch - 1) * order.Samples + i)]++;
            foreach (var source in Sources)
            {
                var (total, of) = (epoch * source.Samples, counts[(int)source.FirstBlock..(int)(source.FirstBlock + source.Blocks)]);
                Assert.Equal(total, of.Sum());
                Assert.All(of, n => Assert.InRange(n, total / source.Blocks, (total + source.Blocks - 1) / source.Blocks));
            }
        }
    }

    [Fact]
    public void Sources_are_shuffled_together_and_epochs_and_seeds_differ()
    {
        var order = new MixtureOrder(7, Sources);
        string Names(MixtureOrder o, long from) => string.Concat(Enumerable.Range(0, 182)
            .Select(i => Sources.Last(s => s.Blocks > 0 && s.FirstBlock <= o.BlockAt(from + i)).Name));
        var first = Names(order, 0);
        Assert.NotEqual(first, Names(order, 182));
        Assert.NotEqual(first, Names(new MixtureOrder(8, Sources), 0));
        // Of a quarter of the epoch, some of each source that is read: 120, 45 and 17 of 182.
        Assert.InRange(first[..45].Count(c => c == 'a'), 20, 40);
        Assert.InRange(first[..45].Count(c => c == 'b'), 3, 22);
        Assert.DoesNotContain('c', first);
    }

    // Fingerprints of runs depend on it. The numbers are of an implementation in Python that was written from the description.
    [Fact]
    public void The_order_never_changes() => Assert.Equal(
        [0, 62, 58, 28, 14, 51, 14, 79, 9, 60, 38, 14],
        Enumerable.Range(0, 12).Select(i => new MixtureOrder(1, Sources).BlockAt(i * 100L)));

    [Theory]
    [InlineData("books=1.5", "books", 1.5)]
    [InlineData("Wikipedia (en)=3", "Wikipedia (en)", 3)]
    [InlineData("a=b=0", "a=b", 0)]
    public void A_weight_is_a_name_and_a_number(string text, string source, double epochs) =>
        Assert.Equal(new MixtureWeight(source, epochs), MixtureWeight.TryParse(text));

    [Theory]
    [InlineData("books")]
    [InlineData("books=")]
    [InlineData("=1")]
    [InlineData("books=-1")]
    [InlineData("books=1001")]
    [InlineData("books=NaN")]
    public void Anything_else_is_none(string text) => Assert.Null(MixtureWeight.TryParse(text));

    [Fact]
    public void A_corpus_of_a_mixture_has_shards_of_one_source_each_and_what_does_not_fit_is_named()
    {
        using var folder = new TemporaryFolder();
        var corpus = Corpora.Build(folder["mixed"], Corpora.Documents(200), heldOut: 0.1, of: ShardSources.Grouped);
        Assert.Equal(["Books", "Web"], corpus.TrainShards.Select(s => s.Source!).Distinct());
        foreach (var info in corpus.TrainShards)
        {
            using var shard = TokenShard.Open(corpus.ShardPath(info));
            Assert.All(shard.Documents(), d => Assert.Equal(info.Source, d.Source));
        }
        var cut = new SampleCut(SampleKind.Blocks, 32);
        var order = MixtureOrder.Of(1, ["Web=0", "Books=2.5"], corpus.TrainShards, cut);
        var books = cut.CountIn(corpus.TrainShards.Where(s => s.Source == "Books"));
        Assert.Equal((long)Math.Round(2.5 * books), order.Samples);
        Assert.All(Enumerable.Range(0, (int)order.Samples), p => Assert.InRange(order.BlockAt(p), 0, books - 1));
        Refusal.Says("corpus.mixture names Music, which is no source of the corpus, or is all held out: it has Books, Web",
            () => MixtureOrder.Of(1, ["Music=1"], corpus.TrainShards, cut));
        Refusal.Says("corpus.mixture leaves nothing to read", () => MixtureOrder.Of(1, ["Web=0", "Books=0"], corpus.TrainShards, cut));
        var plain = Corpora.Build(folder["plain"], Corpora.Documents(50));
        Refusal.Says("the shards of this corpus mix sources", () => MixtureOrder.Of(1, ["Web=1"], plain.TrainShards, cut));
        // The same text, whichever way it lies.
        var all = Corpora.Build(folder["all"], Corpora.Documents(200), heldOut: 0.1);
        Assert.Equal((all.Manifest.Documents, all.Manifest.Tokens), (corpus.Manifest.Documents, corpus.Manifest.Tokens));
        Assert.Equal(all.HeldOutShards.Select(s => s.Sha256), corpus.HeldOutShards.Select(s => s.Sha256));
    }

    [Fact]
    public void A_corpus_of_too_many_sources_is_refused()
    {
        using var folder = new TemporaryFolder();
        var many = Enumerable.Range(0, 300).Select(i => new Document($"file{i}", $"d{i}", "some words"));
        Refusal.Says("corpus.mixture: the corpus has more than 256 sources",
            () => Corpora.Build(folder["c"], many, heldOut: 0, of: ShardSources.Grouped));
    }
}
