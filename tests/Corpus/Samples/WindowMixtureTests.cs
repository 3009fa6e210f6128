using CsCheck;
using Elastic.Foundation;
using Elastic.Messages.Settings;

namespace Elastic.Corpus.Tests;

/// <summary>A mixture that is read while its corpus is built.</summary>
public sealed class WindowMixtureTests : IDisposable
{
    private static readonly SampleCut Cut = new(SampleKind.Blocks, 16);

    // Of make_mixture_changes.py: the source and the blocks of each shard.
    private static readonly (string Source, int Blocks)[] Few = [("a", 5), ("b", 3), ("a", 0), ("a", 7), ("b", 4), ("c", 6), ("b", 2)];

    private static readonly string[] Weights = ["a=2.5", "b=0.5"];

    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    // Fingerprints of runs depend on it. The numbers are make_mixture_changes.py's, which was written from the description.
    [Fact]
    public void The_order_never_changes()
    {
        var order = Of(11, Weights, 3, Few);
        Assert.Equal(40, order.Samples);
        Assert.Equal([4, 5, 8, 11, 2, 20, 15, 8, 3, 11, 21, 7], Enumerable.Range(0, 12).Select(i => order.BlockAt(i * 11L)));
        Assert.Equal([12L, 2, 18, 2, 6, 0], order.Parts(Shards(Few)).Select(p => p.Samples));
    }

    // Counted one by one, against the definition.
    [Fact]
    public void An_epoch_reads_each_source_as_often_as_said_and_no_block_of_a_shard_a_second_time_more_than_another() => Sources.Sample(t =>
    {
        var shards = Shards(t.Shards);
        var order = Of(t.Seed, t.Weights, t.Window, t.Shards);
        foreach (var of in t.Shards.GroupBy(s => s.Source))
            Assert.Equal(
                (long)Math.Round(of.Sum(s => s.Blocks) * EpochsOf(t.Weights, of.Key), MidpointRounding.ToEven),
                order.Parts(shards).Where(p => p.Name == of.Key).Sum(p => p.Samples));
        var counts = new int[t.Shards.Sum(s => s.Blocks)];
        for (var epoch = 1; epoch <= 3; epoch++)
        {
            for (var i = 0; i < order.Samples; i++)
                counts[order.BlockAt((epoch - 1) * order.Samples + i)]++;
            foreach (var part in order.Parts(shards))
            {
                var (total, of) = (epoch * part.Samples, counts[(int)part.FirstBlock..(int)(part.FirstBlock + part.Blocks)]);
                Assert.Equal(total, of.Sum());
                Assert.All(of, n => Assert.InRange(n, total / part.Blocks, (total + part.Blocks - 1) / part.Blocks));
            }
        }
    }, iter: 60, threads: 1);

    // The shards of a corpus as its builder finishes them, window by window.
    [Fact]
    public void What_suffices_of_a_build_has_the_samples_of_the_complete_corpus() => (
        from weights in Gen.Int[0, 30].Array[2]
        from window in Gen.Int[1, 4]
        from documents in Gen.Int[60, 140]
        from seed in Gen.ULong
        select (weights, window, documents, seed)).Sample(t =>
    {
        var (grown, folder) = (new List<BuiltCorpus>(), _folder[Guid.NewGuid().ToString("n")]);
        string[] mixture = t.weights.Sum() == 0 ? ["Web=1"] : [$"Web={t.weights[0] / 10.0}", $"Books={t.weights[1] / 10.0}"];
        var settings = TrainingSettings.Defaults with
        {
            Run = TrainingSettings.Defaults.Run with { Seed = t.seed },
            Model = TrainingSettings.Defaults.Model with { Context = Cut.Context },
            Corpus = CorpusSettings.Defaults with { Order = CorpusOrder.Stream, StreamWindow = t.window, Mixture = mixture },
        };
        var whole = Build(folder, t.documents, new CorpusGrowth(t.window, grown.Add));
        var order = SampleStream.Of(settings, whole);
        var windows = StreamWindows.Of(settings, whole);
        Assert.Equal(order.Samples, windows.Sum(w => w.Samples));
        Assert.NotEmpty(grown);
        foreach (var known in grown)
        {
            var (early, its) = (SampleStream.Of(settings, known), StreamWindows.Of(settings, known));
            Assert.Equal(windows.Take(its.Count).Select(w => w.Samples), its.Select(w => w.Samples));
            Assert.Equal(its.Sum(w => w.Samples), early.Samples);
            Assert.All(Enumerable.Range(0, (int)early.Samples), p => Assert.Equal(order.BlockAt(p), early.BlockAt(p)));
            Assert.Contains("is asked for", Assert.Throws<InvalidOperationException>(() => early.BlockAt(early.Samples)).Message,
                StringComparison.Ordinal);
        }

        // Nobody reads this one meanwhile.
        var alone = Build(folder + "-alone", t.documents, null);
        Assert.Equal(File.ReadAllBytes(alone.ManifestPath), File.ReadAllBytes(whole.ManifestPath));
        Directory.Delete(folder, recursive: true);
        Directory.Delete(folder + "-alone", recursive: true);
    }, iter: 6, threads: 1);

    [Fact]
    public void Shards_are_of_one_source_each_in_the_order_in_which_they_are_full()
    {
        var corpus = Build(_folder["c"], 120, null);
        Assert.Equal(["Books", "Web"], corpus.HeldOutShards.Select(s => s.Source!).Distinct().Order(StringComparer.Ordinal));
        foreach (var info in corpus.TrainShards.Concat(corpus.HeldOutShards))
        {
            using var shard = TokenShard.Open(corpus.ShardPath(info));
            Assert.All(shard.Documents(), d => Assert.Equal(info.Source, d.Source));
        }
        // Of two documents in three the source is Web.
        var names = corpus.TrainShards.Select(s => s.Source!).ToList();
        Assert.InRange(names.IndexOf("Books"), 0, 3);
        Assert.Contains("Web", names.SkipWhile(n => n != "Books"));
        var all = Corpora.Build(_folder["all"], Corpora.Documents(120), heldOut: 0.2);
        Assert.Equal((all.Manifest.Documents, all.Manifest.Tokens), (corpus.Manifest.Documents, corpus.Manifest.Tokens));
    }

    [Fact]
    public void What_does_not_fit_is_named_when_all_sources_are_known()
    {
        WindowMixture Mixed(string[] weights, bool isGrowing) => Of(1, weights, 2, Few, isGrowing);
        Assert.Equal(25, Mixed(["d=2"], isGrowing: true).Samples);
        Refusal.Says("corpus.mixture names d, which is no source of the corpus, or is all held out: it has a, b, c",
            () => Mixed(["d=2"], isGrowing: false));
        Assert.Equal(0, Mixed(["a=0", "b=0", "c=0"], isGrowing: true).Samples);
        Refusal.Says("corpus.mixture leaves nothing to read", () => Mixed(["a=0", "b=0", "c=0"], isGrowing: false));
        Refusal.Says("the shards of this corpus mix sources", () => WindowMixture.Of(
            1, CorpusSettings.Defaults with { Mixture = ["a=1"] }, [Shards(Few)[0] with { Source = null }], false,
            new BlockMap(Shards(Few), Cut)));
    }

    private static double EpochsOf(string[] weights, string source) =>
        weights.Select(w => MixtureWeight.TryParse(w)!.Value).Where(w => w.Source == source).Select(w => w.Epochs)
            .DefaultIfEmpty(1).First();

    // With a source that is read once, so that there is something to read.
    private static readonly Gen<(string[] Weights, (string Source, int Blocks)[] Shards, int Window, ulong Seed)> Sources =
        from tenths in Gen.Int[0, 35].Array[3]
        from shards in Gen.Select(Gen.Int[0, 3], Gen.Int[0, 12]).Array[1, 12]
        from window in Gen.Int[1, 5]
        from seed in Gen.ULong
        select (tenths.Select((n, i) => $"{(char)('a' + i)}={n / 10.0}").ToArray(),
            ((string, int)[])[("a", 1), ("b", 1), ("c", 1), .. shards.Select(s => (((char)('a' + s.Item1)).ToString(), s.Item2)), ("d", 3)],
            window, seed);

    private static WindowMixture Of(
        ulong seed, string[] weights, int window, (string Source, int Blocks)[] shards, bool isGrowing = false) => WindowMixture.Of(
            seed, CorpusSettings.Defaults with { Order = CorpusOrder.Stream, StreamWindow = window, Mixture = weights }, Shards(shards),
            isGrowing, new BlockMap(Shards(shards), Cut));

    private static ShardInfo[] Shards((string Source, int Blocks)[] shards) => [.. shards.Select((s, i) => new ShardInfo(
        $"train-{i:00000}.tokens", Digest.Of([]), s.Blocks * Cut.Context + 1, 1, 1) { Source = s.Source })];

    private static BuiltCorpus Build(string folder, int documents, CorpusGrowth? growth)
    {
        using var writer = new CorpusWriter(
            folder, Digest.Of("id"u8), Tokenizer.Open("byte"), tokensPerShard: 1000, of: ShardSources.InTurn, growth: growth);
        foreach (var batch in Corpora.Batches(Corpora.Documents(documents)))
            writer.Append(BatchTokenizer.Tokenize(Tokenizer.Open("byte"), batch, 0.2));
        return writer.Complete(new ReadStatistics());
    }
}
