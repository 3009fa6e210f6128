using System.Text;
using System.Text.Json.Nodes;
using CsCheck;
using Elastic.Messages.Settings;

namespace Elastic.Corpus.Tests;

public sealed class TokenizerTrainingTests : IDisposable
{
    private static readonly string[] Bytes = [.. Enumerable.Range(0, 256).Select(b => ByteAlphabet.Of((byte)b)).Order()
        .Select(c => c.ToString())];

    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void Merges_are_those_of_the_reference_trainer()
    {
        // It reads a file line by line, and joins pairs that occur once, too.
        var folder = Path.Combine(AppContext.BaseDirectory, "Tokenizers", "Training");
        var lines = File.ReadAllText(Path.Combine(folder, "text.txt")).Split('\n')
            .Select((line, i) => new Document("s", $"{i}", line + "\n"));
        var expected = File.ReadAllLines(Path.Combine(folder, "merges.txt"));
        var counts = new WordCounts();
        counts.Add(WordCounts.Of(new DocumentBatch(0, [.. lines.SkipLast(1)]), 0));
        var (_, merges) = new BpeTrainer(counts.Counts, ["<|endoftext|>"], default).Train(30_000, _ => { }, CancellationToken.None);
        Assert.InRange(merges.Count, 1500, expected.Length);
        Assert.Equal(expected.Take(merges.Count), merges.Select(m => $"{m.Left} {m.Right}"));
    }

    [Fact]
    public void Merges_are_those_of_counting_anew_for_each_merge()
    {
        // Few letters, so that pairs overlap, tie, and make a token that another pair has made.
        var word = Gen.String[Gen.OneOf('a', 'b', 'c', 'é'), 1, 12];
        Gen.Select(word, Gen.Long[2, 9]).Array[1, 12].Sample(list =>
        {
            var words = list.DistinctBy(w => w.Item1).ToDictionary(w => w.Item1, w => w.Item2);
            var plain = PlainBpe.Train([.. words.Select(w => (Alphabet(w.Key), w.Value))], ["<|endoftext|>", .. Bytes], 300);
            var (tokens, merges) = new BpeTrainer(words, ["<|endoftext|>"], default).Train(300, _ => { }, CancellationToken.None);
            Assert.Equal(plain.Tokens, tokens);
            Assert.Equal(plain.Merges, merges);
        }, iter: 2000, threads: 1);
    }

    [Fact]
    public async Task Files_are_the_same_whatever_the_number_of_threads_and_other_libraries_read_them()
    {
        for (var i = 0; i < 40; i++)
            _folder.Write($"in/{i}.txt", string.Join(' ', Corpora.Documents(100 + i).Select(d => d.Text))
                + $" Größe {i} 中文 \r\n\r\n don't");
        var one = await Train(1);
        var four = await Train(4);
        Assert.Equal(one.Files().Select(f => f.Name), four.Files().Select(f => f.Name));
        foreach (var (a, b) in one.Files().Zip(four.Files()))
            Assert.Equal(a.Bytes, b.Bytes);

        foreach (var (name, bytes) in one.Files())
            _folder.Write($"out/{name}", bytes);
        var tokenizer = FileTokenizer.Open(TokenizerFile.Find(_folder["out"]));
        Assert.Equal((450, 0), (tokenizer.VocabularySize, tokenizer.EndOfText));
        using var both = new References(JsonNode.Parse(one.Files()[^1].Bytes)!);
        File.Delete(_folder["out/tokenizer.json"]);
        var older = FileTokenizer.Open(TokenizerFile.Find(_folder["out"]));
        using var ml = new MemoryStream(one.Files()[0].Bytes);
        using var merges = new MemoryStream(one.Files()[1].Bytes);
        var microsoft = Microsoft.ML.Tokenizers.CodeGenTokenizer.Create(ml, merges);
        Texts.Any.Sample(text =>
        {
            both.Same(text);
            var tokens = new List<int>();
            tokenizer.Encode(text, tokens);
            Assert.Equal(Encoding.UTF8.GetString(Encoding.UTF8.GetBytes(text)), tokenizer.Decode([.. tokens]));
            Assert.Equal(Encoding.UTF8.GetByteCount(text), tokens.Sum(tokenizer.ByteCount));
            var fromOlder = new List<int>();
            older.Encode(text, fromOlder);
            Assert.Equal(tokens, fromOlder);
        }, iter: 1500, threads: 1);
        const string plain = "Document 12: 13 14 Größe don't stop";
        var expected = new List<int>();
        tokenizer.Encode(plain, expected);
        Assert.Equal(expected, microsoft.EncodeToIds(plain));

        Task<TrainedTokenizer> Train(int threads) => TokenizerTraining.TrainAsync(
            CorpusSources.Resolve([_folder["in"]]), 0.1, 450, threads, null, CancellationToken.None);
    }

    [Fact]
    public async Task What_is_held_out_is_not_trained_on()
    {
        for (var i = 0; i < 200; i++)
            _folder.Write($"in/{i}.txt", $"unique{i}unique{i}");
        var files = CorpusSources.Resolve([_folder["in"]]);
        var all = await TokenizerTraining.TrainAsync(files, 0, 1000, 2, null, CancellationToken.None);
        var half = await TokenizerTraining.TrainAsync(files, 0.5, 1000, 2, null, CancellationToken.None);
        Assert.InRange(half.Words, all.Words * 3 / 10, all.Words * 8 / 10);
    }

    [Fact]
    public async Task A_validation_set_is_not_trained_on()
    {
        for (var i = 0; i < 20; i++)
            _folder.Write($"in/{i}.txt", $"{Word(i)} {Word(i)}");
        var settings = Corpora.Settings(_folder["in"]);
        var alone = await Train(settings);
        _folder.Write("valid/v.txt", "zebra zebra zebra");
        var beside = await Train(settings with { Validation = [_folder["valid"]] });
        Assert.Equal(alone.Words, beside.Words);
        Assert.Equal(alone.Merges, beside.Merges);

        Task<TrainedTokenizer> Train(CorpusSettings settings) => TokenizerTraining.TrainAsync(
            CorpusSources.Find(settings).Files, 0, 1000, 2, null, CancellationToken.None);
    }

    [Fact]
    public void All_that_a_model_reads_is_trained_on_and_what_a_corpus_holds_out_is_not()
    {
        _folder.Write("pairs.jsonl", string.Concat(Enumerable.Range(0, 200).Select(
            i => $"{{\"text\": \"q{Word(i)}\", \"answer\": \"a{Word(i)}\"}}\n")));
        var pairs = Batch(Corpora.Settings(_folder["pairs.jsonl"]) with { AnswerField = "answer" });
        Check(pairs, (0, 200), d => [d.Prompt!, d.Text]);
        Check(pairs, (60, 140), d => [d.Prompt!, d.Text]);

        _folder.Write("chats.jsonl", string.Concat(Enumerable.Range(0, 200).Select(
            i => $"{{\"messages\": [{{\"role\": \"user\", \"content\": \"q{Word(i)}\"}}, "
                + $"{{\"role\": \"assistant\", \"content\": \"a{Word(i)}\"}}]}}\n")));
        var chats = Batch(Corpora.Settings(_folder["chats.jsonl"]) with { ChatTemplate = ChatTemplate.Chatml });
        Check(chats, (0, 200), d => [d.Pieces![1].Text, d.Text]);
        Check(chats, (60, 140), d => [d.Pieces![1].Text, d.Text]);

        static DocumentBatch Batch(CorpusSettings settings) =>
            Assert.Single(DocumentBatches.Read(CorpusSources.Find(settings).Files, new ReadStatistics(), CancellationToken.None));

        static void Check(DocumentBatch batch, (int Least, int Most) heldOut, Func<Document, string[]> texts)
        {
            var share = heldOut.Least == 0 ? 0 : 0.5;
            var counts = WordCounts.Of(batch, share);
            var held = BatchTokenizer.Tokenize(Tokenizer.Open("byte"), batch, share).Documents.Select(d => d.IsHeldOut).ToList();
            Assert.InRange(held.Count(h => h), heldOut.Least, share == 0 ? 0 : heldOut.Most);
            foreach (var (document, isHeldOut) in batch.Documents.Zip(held))
                foreach (var word in texts(document).Select(t => t.Split('\n', ' ').Single(w => w.Length == 5)))
                    Assert.Equal(!isHeldOut, counts.Keys.Any(k => k.Trim() == word));
        }
    }

    [Fact]
    public async Task Without_text_or_where_it_is_stopped_nothing_is_trained()
    {
        var files = CorpusSources.Resolve([_folder.Write("a.txt", " ")]);
        var empty = await Assert.ThrowsAsync<Foundation.ElasticException>(
            () => TokenizerTraining.TrainAsync(files, 0, 1000, 1, null, CancellationToken.None));
        Assert.Contains("there is no text to train on", empty.Message, StringComparison.Ordinal);
        var talks = CorpusSources.Resolve([_folder.Write("a.jsonl", """{"messages": [{"role": "user", "content": "Is 7 prime?"}]}""")]);
        var unread = await Assert.ThrowsAsync<Foundation.ElasticException>(
            () => TokenizerTraining.TrainAsync(talks, 0, 1000, 1, null, CancellationToken.None));
        Assert.Contains("set corpus.chat-template=tokenizer", unread.Message, StringComparison.Ordinal);
        var text = CorpusSources.Resolve([_folder.Write("b.txt", "some text some text")]);
        await Assert.ThrowsAnyAsync<OperationCanceledException>(
            () => TokenizerTraining.TrainAsync(text, 0, 1000, 1, null, new CancellationToken(canceled: true)));
    }

    [Fact]
    public void Where_memory_is_short_the_rarest_words_are_forgotten()
    {
        var counts = new WordCounts(mostBytes: 3000);
        for (var i = 0; i < 100; i++)
            counts.Add(new Dictionary<string, long> { ["often"] = 1, [$"rare{i}"] = 1 });
        Assert.Equal(100, counts.Counts["often"]);
        Assert.InRange(counts.Counts.Count, 2, 15);
        Assert.Equal(200, counts.Counts.Values.Sum() + counts.Forgotten);
    }

    // Four letters, another word for each number.
    private static string Word(int number) => $"{(char)('a' + number / 26)}{(char)('a' + number % 26)}xx";

    private static string Alphabet(string text) => string.Concat(Encoding.UTF8.GetBytes(text).Select(ByteAlphabet.Of));
}
