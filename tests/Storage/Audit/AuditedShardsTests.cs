using Elastic.Corpus;
using Elastic.Foundation;
using Elastic.Testing;

namespace Elastic.Storage.Tests.Audit;

public sealed class AuditedShardsTests : TemporaryFolder
{
    [Fact]
    public void Of_a_corpus_of_more_shards_than_are_mapped_each_is_opened_once_in_whatever_order_they_are_read()
    {
        var corpus = Build(shards: 20);
        using var shards = new AuditedShards(corpus, mostMapped: 2);
        shards.OpenEach(CancellationToken.None);
        var order = Enumerable.Range(0, 200).Select(i => i % 20).ToArray();
        new Random(20261128).Shuffle(order);
        foreach (var i in order)
        {
            var tokens = new int[16];
            shards[i].ReadTokens(0, tokens);
            Assert.All(tokens, t => Assert.Equal('a' + i, t));
        }
        Assert.Equal(20, shards.Openings);
    }

    [Theory]
    [InlineData(0)]
    [InlineData(2)]
    public void A_shard_that_is_damaged_is_found_with_and_without_a_map(int mostMapped)
    {
        var corpus = Build(shards: 2);
        var path = corpus.ShardPath(corpus.TrainShards[1]);
        var bytes = File.ReadAllBytes(path);
        bytes[bytes.AsSpan().IndexOf("b\0b\0b\0"u8)] ^= 1;
        File.WriteAllBytes(path, bytes);
        using var shards = new AuditedShards(corpus, mostMapped);
        shards.OpenEach(CancellationToken.None);
        var why = Assert.Throws<ElasticException>(() => shards[1].ReadTokens(0, new int[16])).Message;
        Assert.StartsWith($"{path} is damaged: bytes ", why, StringComparison.Ordinal);
    }

    [Fact]
    public void A_shard_that_goes_or_is_cut_while_it_is_read_without_a_map_is_named()
    {
        var corpus = Build(shards: 2);
        var path = corpus.ShardPath(corpus.TrainShards[0]);
        using var shards = new AuditedShards(corpus, mostMapped: 0);
        shards[0].ReadTokens(0, new int[16]);
        File.WriteAllBytes(path, File.ReadAllBytes(path)[..80]);
        Assert.Contains($"{path} is cut short", Reason(), StringComparison.Ordinal);
        File.Delete(path);
        Assert.Contains($"token shard {path} cannot be read", Reason(), StringComparison.Ordinal);

        // It is open until another one is read.
        string Reason()
        {
            shards[1].ReadTokens(0, new int[16]);
            return Assert.Throws<ElasticException>(() => shards[0].ReadTokens(0, new int[16])).Message;
        }
    }

    [Fact]
    public void A_shard_that_is_missing_is_found_before_the_others_are_read()
    {
        var corpus = Build(shards: 3);
        File.Delete(corpus.ShardPath(corpus.TrainShards[2]));
        using var shards = new AuditedShards(corpus, mostMapped: 2);
        Assert.Throws<ElasticException>(() => shards.OpenEach(CancellationToken.None));
    }

    // Each shard is a document of one letter.
    private BuiltCorpus Build(int shards)
    {
        var tokenizer = Tokenizer.Open("byte");
        using var writer = new CorpusWriter(Path.Combine(Folder, "corpus"), Digest.Of("a corpus"u8), tokenizer, tokensPerShard: 16);
        Document[] documents =
            [.. Enumerable.Range(0, shards).Select(i => new Document("a file", $"{i}", new string((char)('a' + i), 32)))];
        writer.Append(BatchTokenizer.Tokenize(tokenizer, new DocumentBatch(0, documents), heldOut: 0));
        return writer.Complete(new ReadStatistics());
    }
}
