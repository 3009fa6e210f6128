using Elastic.Corpus;
using Elastic.Foundation;
using Elastic.Testing;

namespace Elastic.Storage.Tests.Audit;

public sealed class AuditedShardsTests : TemporaryFolder
{
    [Fact]
    public void Of_a_corpus_of_more_shards_than_may_be_open_all_are_read_and_few_are_open()
    {
        var corpus = Build(shards: 5);
        using var shards = new AuditedShards(corpus, mostOpen: 2);
        shards.OpenEach(CancellationToken.None);
        Assert.Equal(2, shards.Open);
        foreach (var i in new[] { 3, 4, 3, 0, 3, 1, 2, 0, 0, 4 })
        {
            var tokens = new int[16];
            shards[i].ReadTokens(0, tokens);
            Assert.All(tokens, t => Assert.Equal(tokens[0], t));
            Assert.Equal('a' + i, tokens[0]);
            Assert.Equal(2, shards.Open);
        }
        // The one that is read again and again stays open.
        var kept = shards[4];
        Assert.Same(shards[0], shards[0]);
        Assert.Same(kept, shards[4]);
    }

    [Fact]
    public void A_shard_that_is_missing_is_found_before_the_others_are_read()
    {
        var corpus = Build(shards: 3);
        File.Delete(corpus.ShardPath(corpus.TrainShards[2]));
        using var shards = new AuditedShards(corpus, mostOpen: 2);
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
