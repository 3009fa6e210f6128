using System.Text;
using Elastic.Foundation;
using Elastic.Messages.Corpora;
using Elastic.Messages.Settings;

namespace Elastic.Corpus.Tests;

public sealed class SampleCutTests : IDisposable
{
    private const int Not = SampleElement.NotCounted, Begins = SampleElement.Begins;

    private readonly TemporaryFolder _folder = new();

    [Fact]
    public void Documents_are_cut_or_filled_up_and_what_fills_up_is_not_counted()
    {
        var corpus = Corpora.Build(_folder["c"], [Doc("abcdefgh"), Doc("xy"), Doc("12345")], heldOut: 0);
        var (cut, end) = (new SampleCut(SampleKind.Documents, 5), Tokenizer.Open("byte").EndOfText);
        var map = new BlockMap(corpus.TrainShards, cut);
        Assert.Equal(3, map.Blocks);
        Assert.Equal([.. "abcdef"u8.ToArray().Select(b => (int)b)], Read(corpus, cut, 0));
        Assert.Equal(['x', 'y', end, end | Not, end | Not, end | Not], Read(corpus, cut, 1));
        Assert.Equal(['1', '2', '3', '4', '5', end], Read(corpus, cut, 2));
    }

    [Theory]
    [InlineData(1)]
    [InlineData(7)]
    [InlineData(64)]
    [InlineData(1999)]
    public void Packed_blocks_are_the_same_blocks_and_say_where_documents_begin(int context)
    {
        var corpus = Corpora.Build(_folder["c"], Corpora.Documents(200), heldOut: 0, tokensPerShard: 3000);
        Assert.True(corpus.TrainShards.Count > 1);
        var (blocks, packed) = (new SampleCut(SampleKind.Blocks, context), new SampleCut(SampleKind.Packed, context));
        foreach (var info in corpus.TrainShards)
        {
            using var shard = TokenShard.Open(corpus.ShardPath(info));
            var starts = shard.Documents().Select(d => d.StartToken).ToHashSet();
            Assert.Equal(blocks.CountIn(info), packed.CountIn(info));
            for (var i = 0; i < blocks.CountIn(info); i++)
            {
                int[] plain = new int[context + 1], marked = new int[context + 1];
                blocks.Read(shard, i, plain);
                packed.Read(shard, i, marked);
                Assert.Equal(plain.Select((token, at) => starts.Contains((long)i * context + at) ? token | Begins : token), marked);
            }
        }
    }

    [Theory]
    [InlineData(SampleKind.Blocks, 64)]
    [InlineData(SampleKind.Packed, 500)]
    [InlineData(SampleKind.Documents, 30)]
    public void Each_element_of_a_sample_counts_for_the_source_of_its_document(SampleKind kind, int context)
    {
        var corpus = Corpora.Build(_folder["c"], Corpora.Documents(100), heldOut: 0, tokensPerShard: 3000);
        var cut = new SampleCut(kind, context);
        foreach (var info in corpus.TrainShards)
        {
            using var shard = TokenShard.Open(corpus.ShardPath(info));
            var documents = shard.Documents();
            var sources = documents.SelectMany(d => Enumerable.Repeat(d.Source, (int)d.Tokens)).ToList();
            for (var i = 0; i < cut.CountIn(info); i++)
            {
                var runs = cut.SourcesOf(shard, i);
                Assert.Equal(
                    kind == SampleKind.Documents
                        ? Enumerable.Repeat(documents[i].Source, cut.Length) : sources.GetRange(i * context, cut.Length),
                    runs.SelectMany(r => Enumerable.Repeat(r.Source, r.Elements)));
                Assert.All(runs.Zip(runs.Skip(1)), pair => Assert.NotEqual(pair.First.Source, pair.Second.Source));
            }
            Assert.Throws<ArgumentOutOfRangeException>(() => cut.SourcesOf(shard, cut.CountIn(info)));
            Assert.Throws<ArgumentOutOfRangeException>(() => cut.SourcesOf(shard, -1));
        }
    }

    [Fact]
    public void A_sample_of_very_many_pieces_ends_with_others_and_namenames_are_cut()
    {
        var name = new string('s', 300);
        var corpus = Corpora.Build(
            _folder["c"], Enumerable.Range(0, 200).Select(i => new Document(i % 2 == 0 ? name : $"s\n{i}", "d", "a")), heldOut: 0);
        using var shard = TokenShard.Open(corpus.ShardPath(corpus.TrainShards[0]));
        var runs = new SampleCut(SampleKind.Blocks, 399).SourcesOf(shard, 0);
        Assert.Equal(SampleCut.MostPieces + 1, runs.Count);
        Assert.Equal(("others", 400 - 2 * SampleCut.MostPieces), (runs[^1].Source, runs[^1].Elements));
        Assert.Equal(("…" + new string('s', SourceName.Longest - 1), "s\uFFFD1"), (runs[0].Source, runs[1].Source));
        Assert.Equal("…😀😀", SourceName.Of(string.Concat(Enumerable.Repeat("😀", 5)), 6));
    }

    [Fact]
    public void Documents_of_one_source_are_told_apart_by_their_languages()
    {
        var corpus = Corpora.Build(
            _folder["c"],
            [
                new Document("Web", "a", "ab") { Language = "de" }, new Document("Web", "b", "cd") { Language = "en" },
                new Document("Web", "c", "e"), new Document("We\u001Fde", "d", "f"),
            ],
            heldOut: 0);
        using var shard = TokenShard.Open(corpus.ShardPath(corpus.TrainShards[0]));
        Assert.Equal(
            [new SourceRun("Web", 3, "de"), new SourceRun("Web", 3, "en"), new SourceRun("Web", 2), new SourceRun("We de", 2)],
            new SampleCut(SampleKind.Blocks, 9).SourcesOf(shard, 0));
        Assert.Equal([new SourceRun("Web", 5, "en")], new SampleCut(SampleKind.Documents, 4).SourcesOf(shard, 1));
        Assert.Equal(["We\u001Fde", "Web"], corpus.Manifest.Sources.Select(s => s.Name));
    }

    [Fact]
    public void Prompts_are_read_and_not_counted_whatever_the_cut()
    {
        var corpus = Answers("byte", [("ab", "cd"), ("", "e")]);
        var end = Tokenizer.Open("byte").EndOfText;
        int[] all = ['a' | Not, 'b' | Not, 'c', 'd', end, 'e', end];
        Assert.Equal(all[..6], Read(corpus, new SampleCut(SampleKind.Blocks, 5), 0));
        Assert.Equal(['a' | Not | Begins, .. all[1..5], 'e' | Begins], Read(corpus, new SampleCut(SampleKind.Packed, 5), 0));
        Assert.Equal(['e', end, end | Not], Read(corpus, new SampleCut(SampleKind.Documents, 2), 1));
        var shard = Assert.Single(corpus.TrainShards);
        Assert.Equal((7, 3, 2), (shard.Tokens, shard.Bytes, shard.Uncounted));       // bits per byte are of the answers
    }

    // Each has an end of text. "abc" fits; of "abcdef" the "d" is left, of "abcdefgh" nothing that is scored.
    [Fact]
    public async Task Documents_that_are_cut_are_counted_and_those_of_which_nothing_is_scored()
    {
        var corpus = Answers("byte", [("ab", "c"), ("abc", "def"), ("abcdefg", "h"), ("a", "")]);
        Assert.Equal(new CutDocuments(4, 2, 1), CutDocuments.Of(corpus, new SampleCut(SampleKind.Documents, 3)));
        Assert.Equal(new CutDocuments(4, 0, 0), CutDocuments.Of(corpus, new SampleCut(SampleKind.Documents, 8)));
        Assert.Equal(new CutDocuments(0, 0, 0), CutDocuments.Of(corpus, new SampleCut(SampleKind.Blocks, 3)));

        var settings = TrainingSettings.Defaults with
        {
            Corpus = CorpusSettings.Defaults with { Samples = SampleKind.Documents, SampleTokens = 3 },
        };
        Assert.Equal(
            "2 of 4 documents are longer than a sample of 3 tokens, and cut; of 1 all that is scored is behind the cut, so that they "
                + "teach nothing: use a larger corpus.sample-tokens", await CutDocuments.NoticeAsync(settings, corpus, default));
        Assert.Null(await CutDocuments.NoticeAsync(settings with { Corpus = settings.Corpus with { SampleTokens = 8 } }, corpus, default));
        File.Delete(corpus.ShardPath(corpus.TrainShards.Single()));
        Assert.Null(await CutDocuments.NoticeAsync(settings, corpus, default));
    }

    [Fact]
    public void Pairs_are_cut_or_filled_up_on_both_sides_and_say_where_the_source_ends()
    {
        var corpus = Answers("byte", [("ab", "c"), ("abcdef", "ghijkl"), ("", "e"), ("abc", "def")]);
        var (cut, end) = (new SampleCut(SampleKind.Pairs, 4), Tokenizer.Open("byte").EndOfText);
        Assert.Equal((9, 4), (cut.Length, cut.CountIn(corpus.TrainShards[0])));
        Assert.Equal(['a', 'b', end, end | Begins, /**/ end | Not, 'c', end, end | Not, end | Not], Read(corpus, cut, 0));
        Assert.Equal(['a', 'b', 'c', 'd', /**/ end | Not, 'g', 'h', 'i', 'j'], Read(corpus, cut, 1));
        Assert.Equal([end, end | Begins, end, end, /**/ end | Not, 'e', end, end | Not, end | Not], Read(corpus, cut, 2));
        Assert.Equal(['a', 'b', 'c', end, /**/ end | Not, 'd', 'e', 'f', end], Read(corpus, cut, 3));
    }

    [Fact]
    public void Prompts_and_answers_of_a_large_vocabulary_decode_to_what_they_were()
    {
        var corpus = Answers("gpt2", [("What is 2 + 2?\n", " 4, nearly always")]);
        var sample = Read(corpus, new SampleCut(SampleKind.Documents, 30), 0);
        var gpt2 = Tokenizer.Open("gpt2");
        Assert.Equal("What is 2 + 2?\n", Decoded(sample.Where(e => (e & Not) != 0 && SampleElement.TokenOf(e) != gpt2.EndOfText)));
        Assert.Equal(" 4, nearly always", Decoded(sample.Where(e => (e & Not) == 0)));

        string Decoded(IEnumerable<int> elements) => gpt2.Decode([.. elements.Select(SampleElement.TokenOf)]);
    }

    [Fact]
    public void A_shard_without_a_list_of_documents_has_none_to_cut()
    {
        var shards = new[] { new ShardInfo("train-00000.bin", Digest.Of("x"u8), 1000, 4000, 12) };
        foreach (var kind in new[] { SampleKind.Documents, SampleKind.Packed })
            Refusal.Says(
                $"corpus.samples = {kind.ToString().ToLowerInvariant()}: the shards of this corpus do not say where their documents begin "
                + "(shards of llm.c); use corpus.samples = blocks",
                () => _ = new BlockMap(shards, new SampleCut(kind, 8)));
        Assert.Equal(124, new BlockMap(shards, new SampleCut(SampleKind.Blocks, 8)).Blocks);
    }

    [Theory]
    [InlineData("{\"text\": \"q\"}", "there is no field \"answer\" with a string (it has text)")]
    [InlineData("{\"answer\": \"a\"}", "there is no field \"text\" with a string (it has answer)")]
    [InlineData("{\"text\": \"q\", \"answer\": \"\"}", "the field \"answer\" is empty")]
    [InlineData("{\"text\": \"q\", \"answer\": 7}", "there is no field \"answer\" with a string (it has text, answer)")]
    public void Records_without_a_prompt_or_an_answer_are_malformed(string line, string problem)
    {
        Assert.Equal(problem, JsonRecord.Read(Encoding.UTF8.GetBytes(line), "text", "answer").Problem);
        Assert.Null(JsonRecord.Read(Encoding.UTF8.GetBytes(line), "text", "answer").Text);
    }

    [Fact]
    public void Answers_are_a_field_and_text_files_have_none()
    {
        _folder.Write("in/a.jsonl", "{\"text\": \"q\", \"answer\": \" a\"}"u8.ToArray());
        var settings = Corpora.Settings(_folder["in"]) with { AnswerField = "answer" };
        var plain = CorpusIdentity.Identify(CorpusSources.Find(Corpora.Settings(_folder["in"])).Files, settings).Id;
        var found = CorpusSources.Find(settings).Files;
        Assert.NotEqual(plain, CorpusIdentity.Identify(found, settings).Id);
        var document = Assert.Single(DocumentReader.Read(found[0], new ReadStatistics()));
        Assert.Equal(("q", " a"), (document.Prompt, document.Text));

        _folder.Write("in/b.txt", "text"u8.ToArray());
        Refusal.Says("has no fields; use .jsonl", () => CorpusSources.Find(settings));
    }

    [Fact]
    public void A_validation_set_is_held_out_as_a_whole_and_nothing_else_is()
    {
        _folder.Write("in/a.txt", "trained on"u8.ToArray());
        _folder.Write("valid/a.txt", "held out"u8.ToArray());
        var settings = Corpora.Settings(_folder["in"]) with { Validation = [_folder["valid"]], HeldOut = 0.5 };
        Assert.Equal(0, settings.HeldOutShare);
        Assert.Equal(0.5, (settings with { Validation = [] }).HeldOutShare);
        var files = CorpusSources.Find(settings).Files;
        Assert.Equal([("a.txt", false), ("a.txt", true)], files.Select(f => (f.Name, f.IsValidation)));

        var (bytes, statistics) = (Tokenizer.Open("byte"), new ReadStatistics());
        var batch = Assert.Single(DocumentBatches.Read(files, statistics, CancellationToken.None));
        Assert.Equal([false, true], BatchTokenizer.Tokenize(bytes, batch, settings.HeldOutShare).Documents.Select(d => d.IsHeldOut));

        // The same two files, both trained on, are another corpus.
        var ids = new[] { settings, settings with { Sources = [_folder["in"], _folder["valid"]], Validation = [] } }
            .Select(s => CorpusIdentity.Identify(CorpusSources.Find(s).Files, s).Id);
        Assert.Equal(2, ids.Distinct().Count());

        // A file of the folder that is trained on.
        _folder.Write("in/valid.txt", "held out"u8.ToArray());
        files = CorpusSources.Find(settings with { Validation = [_folder["in/valid.txt"]] }).Files;
        Assert.Equal([("a.txt", false), ("valid.txt", true)], files.Select(f => (f.Name, f.IsValidation)));
    }

    public void Dispose() => _folder.Dispose();

    private static Document Doc(string text) => new("s", "d", text);

    private static int[] Read(BuiltCorpus corpus, SampleCut cut, int sample)
    {
        using var shard = TokenShard.Open(corpus.ShardPath(Assert.Single(corpus.TrainShards)));
        var elements = new int[cut.Length];
        cut.Read(shard, sample, elements);
        return elements;
    }

    private BuiltCorpus Answers(string tokenizer, (string Prompt, string Answer)[] pairs)
    {
        var open = Tokenizer.Open(tokenizer);
        using var writer = new CorpusWriter(_folder["c"], Digest.Of("id"u8), open, hasMarks: true);
        var batch = new DocumentBatch(0, [.. pairs.Select(p => Doc(p.Answer) with { Prompt = p.Prompt })]);
        writer.Append(BatchTokenizer.Tokenize(open, batch, 0));
        return writer.Complete(new ReadStatistics());
    }
}
