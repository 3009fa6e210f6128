using Elastic.Foundation;

namespace Elastic.Corpus.Tests;

public sealed class CorpusWriterTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void A_batch_out_of_order_is_refused()
    {
        using var writer = Writer("c");
        writer.Append(new TokenizedBatch(0, []));
        var error = Assert.Throws<InvalidOperationException>(() => writer.Append(new TokenizedBatch(2, [])));
        Assert.Equal("batch 2 came out of order: expected 1", error.Message);
        Assert.Throws<InvalidOperationException>(() => writer.Append(new TokenizedBatch(0, [])));
    }

    [Fact]
    public void An_empty_corpus_is_an_error_and_leaves_nothing()
    {
        var writer = Writer("c");
        Refusal.Says("the corpus is empty", () => writer.Complete(new ReadStatistics()));
        writer.Dispose();
        Assert.Empty(Directory.EnumerateFileSystemEntries(_folder.Path));
    }

    [Fact]
    public void A_corpus_that_is_held_out_altogether_is_an_error() =>
        Refusal.Says("all 5 documents are held out", () => Corpora.Build(_folder["c"], Corpora.Documents(5), heldOut: 1));

    [Fact]
    public void Nothing_is_visible_before_it_is_complete_and_a_failure_leaves_nothing()
    {
        using (var writer = Writer("c"))
        {
            Append(writer, Corpora.Documents(100));
            Assert.False(BuiltCorpus.TryOpen(_folder["c"], out _));
            Assert.False(Directory.Exists(_folder["c"]));
        }
        Assert.Empty(Directory.EnumerateFileSystemEntries(_folder.Path));
    }

    [Fact]
    public void What_a_crash_leaves_is_no_corpus_and_the_next_build_removes_it()
    {
        // The lock file of a crashed process is no longer locked.
        _folder.Write("c.building-dead/train-00000.tokens", "half a shard");
        _folder.Write("c.building-dead.lock", "");
        _folder.Write("other.building-dead/train-00000.tokens", "half a shard of another corpus");
        _folder.Write("other.building-dead.lock", "");
        Refusal.Says("no corpus in", () => BuiltCorpus.Open(_folder["c.building-dead"]));
        Corpora.Build(_folder["c"], Corpora.Documents(10));
        Assert.Equal([_folder["c"]], Directory.EnumerateFileSystemEntries(_folder.Path));
    }

    [Fact]
    public void Two_builders_of_the_same_corpus_do_not_disturb_each_other()
    {
        using var slow = Writer("c");
        Append(slow, Corpora.Documents(10));
        var fast = Corpora.Build(_folder["c"], Corpora.Documents(10));
        Assert.Equal(fast.Manifest.TrainShards, slow.Complete(new ReadStatistics()).Manifest.TrainShards);
        slow.Dispose();
        Assert.Equal([_folder["c"]], Directory.EnumerateFileSystemEntries(_folder.Path));
    }

    [Fact]
    public void A_build_of_another_corpus_is_left_alone_while_its_builder_lives()
    {
        using var slow = Writer("a");
        Append(slow, Corpora.Documents(10));
        Corpora.Build(_folder["b"], Corpora.Documents(10));
        Assert.NotEmpty(slow.Complete(new ReadStatistics()).TrainShards);
    }

    [Fact]
    public void A_folder_in_the_way_is_named_and_not_touched()
    {
        var precious = _folder.Write("c/precious.txt", "x");
        Refusal.Says("is in the way", () => Corpora.Build(_folder["c"], Corpora.Documents(10)));
        Assert.True(File.Exists(precious));
    }

    [Theory]
    [InlineData("byte")]
    [InlineData("gpt2")]
    public void The_bytes_do_not_depend_on_the_number_of_threads(string tokenizer)
    {
        var documents = Corpora.Documents(300);
        var alone = Corpora.Build(_folder["alone"], documents, tokenizer);
        var open = Tokenizer.Open(tokenizer);
        using var writer = new CorpusWriter(_folder["together"], Digest.Of("id"u8), open, tokensPerShard: 2000);
        var batches = Corpora.Batches(documents).AsParallel().AsOrdered().WithDegreeOfParallelism(4);
        foreach (var batch in batches.Select(b => BatchTokenizer.Tokenize(open, b, 0.2)))
            writer.Append(batch);
        writer.Complete(new ReadStatistics());
        Assert.True(alone.TrainShards.Count > 3 && alone.HeldOutShards.Count > 1);
        Assert.Equal(Files("alone"), Files("together"));
    }

    [Fact]
    public void Every_document_is_in_the_shards_once_in_order_and_the_manifest_counts_it()
    {
        var documents = Corpora.Documents(200);
        var corpus = Corpora.Build(_folder["c"], documents);
        string[] Texts(IEnumerable<ShardInfo> shards) => [.. shards.SelectMany(s => Split(Corpora.Tokens(corpus.ShardPath(s))))];
        var (train, heldOut) = (Texts(corpus.TrainShards), Texts(corpus.HeldOutShards));
        Assert.Equal(documents.Select(d => d.Text).Except(heldOut), train);
        Assert.Equal(documents.Select(d => d.Text).Except(train), heldOut);
        Assert.InRange(heldOut.Length, 20, 60);
        var manifest = corpus.Manifest;
        Assert.Equal((200, documents.Sum(d => (long)d.Text.Length)), (manifest.Documents, manifest.Bytes));
        Assert.Equal(manifest.Bytes + manifest.Documents, manifest.Tokens);
        Assert.Equal(new TextCount(heldOut.Length, heldOut.Sum(t => (long)t.Length), heldOut.Sum(t => t.Length + 1L)), manifest.HeldOut);
        Assert.Equal(["Books", "Web"], manifest.Sources.Select(s => s.Name));
        Assert.Equal(documents.Count(d => d.Source == "Web"), manifest.Sources[1].Documents);
        Assert.All(corpus.TrainShards.SkipLast(1), s => Assert.InRange(s.Tokens, 2000, 2500));
        Assert.Equal(("byte", 257), (manifest.Tokenizer, manifest.VocabularySize));
    }

    [Fact]
    public void Whether_a_document_is_held_out_does_not_depend_on_the_others()
    {
        var open = Tokenizer.Open("byte");
        var documents = Corpora.Documents(500);
        bool[] Decide(IEnumerable<Document> order, double share = 0.1) =>
            [.. BatchTokenizer.Tokenize(open, new DocumentBatch(0, [.. order]), share).Documents.Select(d => d.IsHeldOut)];
        var forward = Decide(documents);
        Assert.Equal(forward, Decide(Enumerable.Reverse(documents)).Reverse());
        Assert.InRange(forward.Count(h => h), 30, 75);
        // A larger share keeps what a smaller one had.
        Assert.All(forward.Zip(Decide(documents, share: 0.3)), p => Assert.True(p.Second || !p.First));
    }

    [Fact]
    public void A_document_longer_than_a_shard_stays_whole()
    {
        var corpus = Corpora.Build(
            _folder["c"], [new Document("s", "long", new string('x', 200_000)), new Document("s", "short", "y")], heldOut: 0);
        Assert.Equal([200_001, 2], corpus.TrainShards.Select(s => s.Tokens));
    }

    // BERT's tokenizer drops both, so that a part of a long line has no token, and no end of text, either.
    [Theory]
    [InlineData(' ')]
    [InlineData('\0')]
    public void A_part_of_a_line_without_tokens_is_no_document_of_a_shard(char blank)
    {
        var text = string.Concat(Enumerable.Repeat("hello world\n", 800)) + new string(blank, 200_000) + "hello\nworld\n";
        var file = CorpusSources.Resolve([_folder.Write("a.txt", text)]).Single();
        var tokenizer = FileTokenizer.Open(
            TokenizerFile.Find(_folder.Write("vocab.txt", "[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\nhello\nworld\n")));
        var tokens = BatchTokenizer.Tokenize(
            tokenizer, new DocumentBatch(0, [.. DocumentReader.Read(file, new ReadStatistics())]), heldOut: 0);
        Assert.Contains(tokens.Documents, d => d.Tokens.IsEmpty);
        using (var piece = File.Create(_folder["piece"]))
            Elastic.Corpus.Build.TokenPiece.Write(tokens.Documents, piece);
        var travelled = Elastic.Corpus.Build.TokenPiece.Read(_folder["piece"], 0, tokenizer.VocabularySize);
        foreach (var (name, batch) in new[] { ("here", tokens), ("there", travelled) })
        {
            using var writer = new CorpusWriter(_folder[name], Digest.Of("id"u8), tokenizer);
            writer.Append(batch);
            var corpus = writer.Complete(new ReadStatistics());
            var path = corpus.ShardPath(corpus.TrainShards.Single());
            using var shard = TokenShard.Open(path);
            Assert.Equal(tokens.Documents.Count(d => !d.Tokens.IsEmpty), shard.DocumentCount);
            for (var i = 0; i < shard.DocumentCount; i++)
                shard.ReadDocument(i, new int[17]);
            Assert.Equal(tokens.Documents.SelectMany(d => d.Tokens.ToArray()), Corpora.Tokens(path));
        }
    }

    private CorpusWriter Writer(string name) => new(_folder[name], Digest.Of("id"u8), Tokenizer.Open("byte"), tokensPerShard: 2000);

    private static void Append(CorpusWriter writer, List<Document> documents)
    {
        foreach (var batch in Corpora.Batches(documents))
            writer.Append(BatchTokenizer.Tokenize(Tokenizer.Open("byte"), batch, 0.2));
    }

    private List<(string Name, Digest Content)> Files(string name) =>
        [.. from file in Directory.EnumerateFiles(_folder[name]).Order(StringComparer.Ordinal)
            select (Path.GetFileName(file), Digest.Of(File.ReadAllBytes(file)))];

    private static IEnumerable<string> Split(int[] tokens)
    {
        var bytes = Tokenizer.Open("byte");
        for (int start = 0, end; start < tokens.Length; start = end + 1)
        {
            end = Array.IndexOf(tokens, bytes.EndOfText, start);
            yield return bytes.Decode(tokens.AsSpan(start, end - start));
        }
    }
}
