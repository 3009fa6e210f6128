using System.Text;
using Elastic.Foundation;
using Elastic.Messages.Settings;

namespace Elastic.Corpus.Tests;

public sealed class BuiltCorpusTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void A_folder_that_is_no_corpus_is_named_with_the_remedy()
    {
        Refusal.Says($"no corpus in {_folder.Path}", () => BuiltCorpus.Open(_folder.Path));
        Assert.False(BuiltCorpus.TryOpen(_folder.Path, out _));
        Assert.False(BuiltCorpus.TryOpen(_folder["nowhere"], out _));
    }

    [Theory]
    [InlineData("{ \"format\": 1")]
    [InlineData("{}")]
    [InlineData("null")]
    [InlineData("")]
    public void A_damaged_manifest_is_named(string json)
    {
        _folder.Write("corpus.json", json);
        Refusal.Says(_folder["corpus.json"], () => BuiltCorpus.Open(_folder.Path));
    }

    [Fact]
    public void A_manifest_of_another_format_is_refused()
    {
        var corpus = Corpora.Build(_folder["c"], Corpora.Documents(10));
        var path = Path.Combine(corpus.Folder, "corpus.json");
        var ours = $"\"format\": {CorpusIdentity.FormatVersion},";
        File.WriteAllText(path, File.ReadAllText(path).Replace(ours, "\"format\": 99,", StringComparison.Ordinal));
        Refusal.Says("has format 99", () => BuiltCorpus.Open(corpus.Folder));
    }

    [Theory]
    [InlineData("../../../etc/passwd")]
    [InlineData("/etc/passwd")]
    [InlineData("train-00000.tokens/../../../x")]
    [InlineData("corpus.json")]
    [InlineData("train-00000.tokens\n")]
    [InlineData("train-\u0661\u0661\u0661\u0661\u0661.tokens")]
    [InlineData("")]
    public void A_manifest_whose_shard_is_named_as_none_of_ours_is_refused_and_not_written(string name)
    {
        var corpus = Corpora.Build(_folder["c"], Corpora.Documents(10));
        Assert.Contains("train-00000.tokens", Text(corpus), StringComparison.Ordinal);
        var written = System.Text.Json.JsonEncodedText.Encode(name).ToString();
        var forged = Text(corpus).Replace("train-00000.tokens", written, StringComparison.Ordinal);
        Refusal.Says("file name", () => BuiltCorpus.Receive(_folder["fetched"], corpus.Id, Encoding.UTF8.GetBytes(forged)));
        Assert.False(Directory.Exists(_folder["fetched"]));
        Assert.Throws<InvalidDataException>(() => corpus.TrainShards[0] with { FileName = name });
    }

    [Theory]
    [InlineData("\"vocabularySize\": 257", "\"vocabularySize\": -1", "has -1 tokens")]
    [InlineData("\"invalidUtf8Sequences\": 0", "\"invalidUtf8Sequences\": -5", "below 0")]
    [InlineData("\"fileName\": \"held-out-00000.tokens\"", "\"fileName\": \"train-00000.tokens\"", "train-00000.tokens twice")]
    public void A_manifest_whose_numbers_cannot_be_is_refused(string written, string forged, string why)
    {
        var corpus = Corpora.Build(_folder["c"], Corpora.Documents(10));
        Assert.Contains(written, Text(corpus), StringComparison.Ordinal);
        var bytes = Encoding.UTF8.GetBytes(Text(corpus).Replace(written, forged, StringComparison.Ordinal));
        Refusal.Says(why, () => BuiltCorpus.Receive(_folder["fetched"], corpus.Id, bytes));
    }

    [Fact]
    public void A_shard_counts_no_less_than_nothing_and_no_more_than_fits()
    {
        var shard = Corpora.Build(_folder["c"], Corpora.Documents(10)).TrainShards[0];
        Assert.Throws<InvalidDataException>(() => shard with { Tokens = -1 });
        Assert.Throws<InvalidDataException>(() => shard with { Tokens = ShardInfo.MostTokens + 1 });
        Assert.Throws<InvalidDataException>(() => shard with { Documents = -1 });
        Assert.Throws<InvalidDataException>(() => shard with { Bytes = -1 });
        var largest = shard with { Tokens = ShardInfo.MostTokens, Documents = ShardInfo.MostTokens };
        Assert.True(largest.MostFileBytes > 20L * ShardInfo.MostTokens);
        Assert.True(shard.MostFileBytes > new FileInfo(Path.Combine(_folder["c"], shard.FileName)).Length);
    }

    [Fact]
    public void A_corpus_is_opened_and_received_under_its_own_id_only()
    {
        var (corpus, other) = (Corpora.Build(_folder["c"], Corpora.Documents(10)), Digest.Of("other"u8));
        Refusal.Says("was started on " + other.Short, () => BuiltCorpus.TryOpen(_folder["c"], other, out _));
        Refusal.Says("was started on " + other.Short,
            () => BuiltCorpus.Receive(_folder["fetched"], other, Encoding.UTF8.GetBytes(Text(corpus))));
        Assert.False(Directory.Exists(_folder["fetched"]));
        Assert.Equal(corpus.TrainShards,
            BuiltCorpus.Receive(_folder["fetched"], corpus.Id, Encoding.UTF8.GetBytes(Text(corpus))).TrainShards);
        Assert.True(BuiltCorpus.TryOpen(_folder["fetched"], corpus.Id, out _));
    }

    [Fact]
    public void What_was_written_is_what_is_opened()
    {
        var built = Corpora.Build(_folder["c"], Corpora.Documents(100));
        Assert.True(BuiltCorpus.TryOpen(_folder["c"], out var opened));
        Assert.Equal(Digest.Of("id"u8), opened.Id);
        Assert.Equal(built.TrainShards, opened.TrainShards);
        Assert.Equal(built.Manifest.HeldOut, opened.Manifest.HeldOut);
        Assert.Empty(opened.Problems());
    }

    [Fact]
    public void An_audit_names_every_shard_that_is_missing_or_differs()
    {
        var corpus = Corpora.Build(_folder["c"], Corpora.Documents(100));
        var (missing, damaged) = (corpus.ShardPath(corpus.TrainShards[0]), corpus.ShardPath(corpus.HeldOutShards[0]));
        File.Delete(missing);
        File.WriteAllBytes(damaged, [.. File.ReadAllBytes(damaged).Reverse()]);
        var problems = corpus.Problems().ToList();
        Assert.Equal(2, problems.Count);
        Assert.StartsWith($"{damaged} has SHA-256", problems[0], StringComparison.Ordinal);
        Assert.Equal($"{missing} is missing", problems[1]);
    }

    [Fact]
    public void Files_become_a_corpus_from_end_to_end()
    {
        _folder.Write("in/a.txt", "The first text.");
        _folder.Write("in/b.jsonl", "{\"text\": \"The second.\"}\nx\n{\"text\": \" \"}\n");
        var (bytes, corpus) = (Tokenizer.Open("byte"), BuildFromFiles());
        Assert.Equal("The first text.The second.", bytes.Decode(Corpora.Tokens(corpus.ShardPath(Assert.Single(corpus.TrainShards)))));
        Assert.Equal((2, 1, 1), (corpus.Manifest.Documents, corpus.Manifest.MalformedRecords, corpus.Manifest.EmptyDocuments));
    }

    [Fact]
    public void Malformed_places_are_listed_in_the_corpus_folder_up_to_a_hundred()
    {
        _folder.Write("in/a.txt", string.Concat(Enumerable.Repeat("The first text. ", 200)));
        Assert.False(File.Exists(Path.Combine(BuildFromFiles().Folder, "malformed.txt")));
        Directory.Delete(_folder["out"], recursive: true);
        _folder.Write("in/sub/b.jsonl", string.Concat(Enumerable.Repeat("{}\n", 102)));
        var corpus = BuildFromFiles();
        var lines = File.ReadAllLines(Path.Combine(corpus.Folder, "malformed.txt"));
        Assert.Equal((102, 101), (corpus.Manifest.MalformedRecords, lines.Length));
        Assert.Equal("sub/b.jsonl:1 there is no field \"text\" with a string (it has none)", lines[0]);
        Assert.Equal("and 2 more", lines[^1]);
    }

    [Fact]
    public void Batches_hold_about_a_megabyte_and_reading_stops_when_asked()
    {
        _folder.Write("a.jsonl", string.Concat(Enumerable.Repeat($"{{\"text\": \"{new string('x', 100_000)}\"}}\n", 30)));
        var files = CorpusSources.Resolve([_folder["a.jsonl"]]);
        var batches = DocumentBatches.Read(files, new ReadStatistics(), CancellationToken.None).ToList();
        Assert.Equal([(0L, 11), (1L, 11), (2L, 8)], batches.Select(b => (b.Sequence, b.Documents.Count)));
        var canceled = new CancellationToken(canceled: true);
        Assert.Throws<OperationCanceledException>(() => DocumentBatches.Read(files, new ReadStatistics(), canceled).ToList());
    }

    [Fact]
    public void Text_of_which_a_tenth_cannot_be_read_is_no_corpus()
    {
        _folder.Write("in/a.txt", "The first text, which is good.");
        _folder.Write("in/b.jsonl", "{\"body\": 1}\n");
        Refusal.Says("26.8 % of the text cannot be read (1 records or rests of files, 11 bytes: b.jsonl:1", () => BuildFromFiles());
        _folder.Write("in/a.txt", string.Concat(Enumerable.Repeat("The first text, which is good. ", 10)));
        Assert.Equal(1, BuildFromFiles().Manifest.MalformedRecords);
    }

    [Fact]
    public void An_empty_corpus_is_refused_with_the_reason_of_the_reader()
    {
        _folder.Write("in/b.jsonl", "{\"body\": \"a\", \"id\": 1}\n");
        Refusal.Says("b.jsonl:1 there is no field \"text\" with a string (it has body, id)); check corpus.sources, and corpus.text-field",
            () => BuildFromFiles());
    }

    [Theory]
    [InlineData(ChatTemplate.None, "messages", "(it has id, messages)); these are conversations: set corpus.chat-template=tokenizer, or")]
    [InlineData(ChatTemplate.None, "conversations", "rename \"conversations\" to \"messages\"")]
    [InlineData(ChatTemplate.None, "conversations", "; then set corpus.chat-template=tokenizer, or chatml")]
    [InlineData(ChatTemplate.Chatml, "conversations", "rename \"conversations\" to \"messages\", and in each message \"from\" to \"role")]
    [InlineData(ChatTemplate.Chatml, "dialogue", "corpus.chat-template reads conversations from the field \"messages\": rename the field")]
    public void Conversations_that_are_read_as_texts_and_those_of_another_form_say_what_to_do(
        ChatTemplate template, string field, string remedy)
    {
        _folder.Write("in/a.jsonl", $"{{\"id\": 1, \"{field}\": [{{\"from\": \"human\", \"value\": \"Is 7 prime?\"}}]}}\n");
        Refusal.Says(remedy, () => BuildFromFiles(template));
    }

    [Fact]
    public void Files_with_replaced_bytes_are_listed_in_the_corpus_folder()
    {
        _folder.Write("in/a.txt", "The first text.");
        _folder.Write("in/b.txt", [(byte)'a', 0xFF, (byte)'b', 0xFE]);
        Assert.Equal(["b.txt: 2 sequences not in the encoding that it was read in"], BuildFromFiles().Remarks("repaired.txt", 3));
    }

    private static string Text(BuiltCorpus corpus) => File.ReadAllText(Path.Combine(corpus.Folder, CorpusManifest.FileName));

    // The files in "in" to the folder "out".
    private BuiltCorpus BuildFromFiles(ChatTemplate template = ChatTemplate.None)
    {
        var files = CorpusSources.Find(CorpusSettings.Defaults with { Sources = [_folder["in"]], ChatTemplate = template }).Files;
        var statistics = new ReadStatistics();
        var bytes = Tokenizer.Open("byte");
        using var writer = new CorpusWriter(_folder["out"], CorpusIdentity.Identify(files, Corpora.Settings(_folder["in"])).Id, bytes);
        foreach (var batch in DocumentBatches.Read(files, statistics, CancellationToken.None))
            writer.Append(BatchTokenizer.Tokenize(bytes, batch, 0));
        return writer.Complete(statistics);
    }
}
