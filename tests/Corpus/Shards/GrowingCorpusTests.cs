using Elastic.Foundation;

namespace Elastic.Corpus.Tests;

/// <summary>A corpus that runs read while it is built.</summary>
public sealed class GrowingCorpusTests : IDisposable
{
    private static readonly Digest Id = Digest.Of("id"u8);

    private readonly TemporaryFolder _folder = new();
    private readonly List<BuiltCorpus> _grown = [];

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void Windows_of_finished_shards_are_visible_before_the_corpus_is_and_its_bytes_are_those_of_any_other_build()
    {
        var built = Corpora.Build(_folder["built"], Corpora.Documents(200));
        var whole = Build(Corpora.Documents(200), 3);

        Assert.Equal(built.Manifest.TrainShards, whole.Manifest.TrainShards);
        Assert.Equal(File.ReadAllBytes(built.ManifestPath), File.ReadAllBytes(whole.ManifestPath));
        Assert.Empty(whole.Problems());
        Assert.Equal(whole.TrainShards.Count / 3, _grown.Count);
        foreach (var (i, grown) in _grown.Index())
        {
            Assert.True(grown.IsGrowing);
            Assert.Equal(whole.TrainShards.Take(3 * (i + 1)), grown.TrainShards);
            Assert.Empty(grown.HeldOutShards);
        }
    }

    [Fact]
    public void What_was_finished_when_a_build_ended_early_stays_and_the_next_build_finds_the_same_bytes()
    {
        Interrupt(Corpora.Documents(100));
        Assert.False(BuiltCorpus.TryOpen(_folder["c"], out _));
        var left = BuiltCorpus.FindGrowing(_folder["c"], Id)!;
        Assert.Empty(left.Problems());
        Assert.Equal(_grown[^1].TrainShards, left.TrainShards);
        _grown.Clear();

        var whole = Build(Corpora.Documents(200), 3);

        // The first windows of the second build say at once how far the first one came.
        Assert.Equal(left.TrainShards, _grown[0].TrainShards);
        Assert.Equal(left.TrainShards, whole.TrainShards.Take(left.TrainShards.Count));
        Assert.Empty(whole.Problems());
    }

    [Fact]
    public void A_build_that_nobody_reads_meanwhile_completes_what_is_left_of_one()
    {
        Interrupt(Corpora.Documents(100));
        var whole = Corpora.Build(_folder["c"], Corpora.Documents(200));
        Assert.Empty(whole.Problems());
        Assert.Equal([_folder["c"]], Directory.EnumerateFileSystemEntries(_folder.Path));
    }

    [Fact]
    public void A_shard_that_was_damaged_since_is_not_overwritten_under_its_readers()
    {
        Interrupt(Corpora.Documents(100));
        var shard = Path.Combine(_folder["c"], "train-00001.tokens");
        var bytes = File.ReadAllBytes(shard);
        bytes[200] ^= 1;
        File.WriteAllBytes(shard, bytes);
        Refusal.Says("has other bytes than now", () => Build(Corpora.Documents(200), 3));
        Assert.Equal(bytes, File.ReadAllBytes(shard));
    }

    [Fact]
    public void A_folder_in_the_way_is_named_and_not_touched()
    {
        var precious = _folder.Write("c/precious.txt", "x");
        Refusal.Says("is in the way", () => Build(Corpora.Documents(200), 3));
        Assert.Equal([precious], Directory.EnumerateFiles(_folder["c"]));
    }

    [Fact]
    public void A_manifest_is_found_by_its_digest_and_those_of_long_ago_are_removed()
    {
        Interrupt(Corpora.Documents(200), window: 1);
        var newest = BuiltCorpus.FindGrowing(_folder["c"], Id)!;
        Assert.True(newest.TrainShards.Count > 10);
        Assert.Equal(8, Directory.GetFiles(_folder["c"], "growing-*.json").Length);
        var before = _grown[^2];
        var digest = Digest.Of(File.ReadAllBytes(before.ManifestPath));
        Assert.Equal(before.TrainShards, BuiltCorpus.FindGrowing(_folder["c"], Id, digest)!.TrainShards);
        Assert.Null(BuiltCorpus.FindGrowing(_folder["c"], Id, Digest.Of("another"u8)));
        Refusal.Says("is the corpus", () => BuiltCorpus.FindGrowing(_folder["c"], Digest.Of("another"u8)));

        var received = BuiltCorpus.Receive(_folder["fetched"], Id, File.ReadAllBytes(before.ManifestPath));
        Assert.True(received.IsGrowing);
        Assert.False(BuiltCorpus.TryOpen(_folder["fetched"], out _));
        Assert.Equal(before.TrainShards, BuiltCorpus.FindGrowing(_folder["fetched"], Id, digest)!.TrainShards);
    }

    private BuiltCorpus Build(IEnumerable<Document> documents, int window)
    {
        using var writer = Writer(window);
        Append(writer, documents);
        return writer.Complete(new ReadStatistics());
    }

    private void Interrupt(IEnumerable<Document> documents, int window = 3)
    {
        using var writer = Writer(window);
        Append(writer, documents);
        Assert.NotEmpty(_grown);
    }

    private CorpusWriter Writer(int window) => new(
        _folder["c"], Id, Tokenizer.Open("byte"), tokensPerShard: 2000, growth: new CorpusGrowth(window, _grown.Add));

    private static void Append(CorpusWriter writer, IEnumerable<Document> documents)
    {
        foreach (var batch in Corpora.Batches(documents))
            writer.Append(BatchTokenizer.Tokenize(Tokenizer.Open("byte"), batch, 0.2));
    }
}
