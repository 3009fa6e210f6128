using System.Text.Json;
using Elastic.Corpus;
using Elastic.Foundation;
using Elastic.Host.Commands;
using Elastic.Host.Tests.Generation;
using Elastic.Messages.Settings;
using Elastic.Messages.Vectors;
using Elastic.Model.Networks;
using Elastic.Model.Vectors;
using Elastic.Storage;

namespace Elastic.Host.Tests.Commands;

/// <summary>Whole command lines of <c>elastic eval</c>, over a checkpoint that the test writes; nothing is trained here.</summary>
public sealed class EvalCommandTests : IDisposable
{
    private readonly string _root = Directory.CreateTempSubdirectory("elastic-test-").FullName;
    private readonly StringWriter _output = new(), _error = new();

    public void Dispose()
    {
        _output.Dispose();
        _error.Dispose();
        Directory.Delete(_root, recursive: true);
    }

    [Theory]
    [InlineData("name what is to be scored by one of --data, --held-out, --last-word, --choices and --pairs", "--run", "a")]
    [InlineData("--choices and --pairs; these are --data and --pairs", "--run", "a", "--data", "b", "--pairs", "c", "d")]
    [InlineData("--pairs scores files, without a model: leave out --run and --model", "--run", "a", "--pairs", "c", "d")]
    [InlineData("--pairs c: name the file of the references, too", "--pairs", "c")]
    [InlineData("--data: name the model that is scored, with --run NAME or --model DIR", "--data", "b")]
    [InlineData("--last-word: name the model that is scored, with --run NAME or --model DIR", "--last-word", "b")]
    [InlineData("--stride 3: it goes with --data", "--pairs", "c", "d", "--stride", "3")]
    [InlineData("--stride 0: use 1 to the model's context", "--run", "a", "--data", "b", "--stride", "0")]
    [InlineData("--samples packed: it goes with --held-out", "--run", "a", "--data", "b", "--samples", "packed")]
    [InlineData("--sequences 3: it goes with --held-out", "--run", "a", "--data", "b", "--sequences", "3")]
    [InlineData("--sequences 0: use 1 to 1048576", "--run", "a", "--held-out", "b", "--sequences", "0")]
    public async Task A_wrong_command_line_says_what_to_name(string problem, params string[] options)
    {
        Assert.Equal(ExitCodes.WrongUsage, await Run(options));
        Assert.StartsWith("error: ", _error.ToString(), StringComparison.Ordinal);
        Assert.Contains(problem, _error.ToString(), StringComparison.Ordinal);
        Assert.Empty(_output.ToString());
    }

    [Fact]
    public async Task Pairs_are_scored_as_sacreBLEUs_documentation_has_them()
    {
        string[] files =
        [
            Write("out.txt", "The dog bit the man.\r\nIt wasn't surprising.\r\nThe man had just bitten him.\r\n"),
            Write("one.txt", "The dog bit the man.\nIt was not unexpected.\nThe man bit him first."),
            Write("two.txt", "The dog had bit the man.\nNo one was surprised.\nThe man had bitten the dog.\n"),
        ];
        Assert.Equal(ExitCodes.Done, await Run(["--pairs", .. files]));
        Assert.Equal(
            """
            METRIC  SCORE  SIGNATURE
            BLEU    48.53  nrefs:2|case:mixed|eff:no|tok:13a|smooth:exp
            chrF2   59.73  nrefs:2|case:mixed|eff:yes|nc:6|nw:0|space:no
            BLEU 82.4/50.0/45.5/37.5 (BP = 0.943 ratio = 0.944 hyp_len = 17 ref_len = 18)

            """.ReplaceLineEndings("\n"), _output.ToString());
        _output.GetStringBuilder().Clear();
        Assert.Equal(ExitCodes.Done, await Run(["--json", "--pairs", .. files]));
        using var json = JsonDocument.Parse(_output.ToString());
        Assert.Equal(48.530827, json.RootElement.GetProperty("bleu").GetProperty("score").GetDouble(), 1e-6);
        Assert.Equal(3, json.RootElement.GetProperty("lines").GetInt32());
    }

    [Fact]
    public async Task Files_that_are_no_pairs_are_refused()
    {
        var (two, one) = (Write("two.txt", "a\nb\n"), Write("one.txt", "a\n"));
        Assert.Equal(ExitCodes.Failed, await Run("--pairs", two, one));
        Assert.Contains($"{one} ends after 1 lines, and {two} goes on", _error.ToString(), StringComparison.Ordinal);
        Assert.Equal(ExitCodes.NotFound, await Run("--pairs", two, Path.Combine(_root, "three.txt")));
        Assert.Contains("there is no such file", _error.ToString(), StringComparison.Ordinal);
        var empty = Write("empty.txt", "");
        Assert.Equal(ExitCodes.Failed, await Run("--pairs", empty, empty));
        Assert.Contains("has no lines", _error.ToString(), StringComparison.Ordinal);
        Assert.Equal(ExitCodes.Failed, await Run("--pairs", Write("long.txt", new string('x', (1 << 20) + 1)), two));
        Assert.Contains("has a line 1 of more than 1048576 characters", _error.ToString(), StringComparison.Ordinal);
    }

    // With all parameters zero every token is as likely as any other: log2 of 257 bits a byte, whatever the windows.
    [Theory]
    [InlineData("disjoint")]
    [InlineData("5 apart", "--stride", "5")]
    public async Task Text_is_scored_by_source_with_sums_that_add_up(string windows, params string[] options)
    {
        WriteCheckpoint();
        var folder = Directory.CreateDirectory(Path.Combine(_root, "text")).FullName;
        await File.WriteAllTextAsync(Path.Combine(folder, "a.txt"), string.Concat(Enumerable.Repeat("Zwölf Boxkämpfer. ", 9)));
        await File.WriteAllTextAsync(Path.Combine(folder, "b.jsonl"), "{\"text\":\"ab\"}\n{\"text\":\"c\"}\n");
        Assert.Equal(ExitCodes.Done, await Run(["--run", "a", "--data", folder, .. options]));
        var lines = _output.ToString().Split('\n');
        Assert.Contains(windows, lines[0], StringComparison.Ordinal);
        Assert.Equal("SOURCE   TOKENS  BYTES  NATS/TOKEN  PERPLEXITY  BITS/BYTE", lines[1]);
        Assert.Equal("a.txt       180    180      5.5491      257.00     8.0056  ████████████", lines[2]);
        Assert.Equal("b.jsonl       3      3      5.5491      257.00     8.0056  ████████████", lines[3]);
        Assert.Equal("all         183    183      5.5491      257.00     8.0056  ████████████", lines[4]);

        _output.GetStringBuilder().Clear();
        Assert.Equal(ExitCodes.Done, await Run(["--json", "--run", "a", "--data", folder, .. options]));
        using var json = JsonDocument.Parse(_output.ToString());
        var all = json.RootElement.GetProperty("all");
        Assert.Equal(Math.Log2(257), all.GetProperty("bitsPerByte").GetDouble(), 1e-6);
        Assert.Equal(183 * Math.Log(257), all.GetProperty("nats").GetDouble(), 1e-4);
        Assert.Equal(3, json.RootElement.GetProperty("sources").GetProperty("b.jsonl").GetProperty("tokens").GetInt32());
        Assert.Empty(_error.ToString());
    }

    [Fact]
    public async Task Text_is_scored_by_language_where_records_say_theirs()
    {
        WriteCheckpoint();
        var records = Write("b.jsonl", """
            {"text": "ab", "language": "de", "source": "Web"}
            {"text": "cde", "language": "en", "source": "Web"}
            {"text": "fg", "language": "de", "source": "Books"}
            """);
        var more = Write("more.txt", "h");
        Assert.Equal(ExitCodes.Done, await Run("--run", "a", "--data", records, more));
        var lines = _output.ToString().Split('\n').Select(l => l.TrimEnd()).ToList();
        Assert.Equal(
            [
                "LANGUAGE  TOKENS  BYTES  NATS/TOKEN  PERPLEXITY  BITS/BYTE",
                "de             4      4      5.5491      257.00     8.0056  ████████████",
                "en             3      3      5.5491      257.00     8.0056  ████████████",
                "unknown        1      1      5.5491      257.00     8.0056  ████████████",
                "all            8      8      5.5491      257.00     8.0056  ████████████",
            ],
            lines.SkipWhile(l => !l.StartsWith("LANGUAGE", StringComparison.Ordinal)).Take(5));
        _output.GetStringBuilder().Clear();
        Assert.Equal(ExitCodes.Done, await Run("--run", "a", "--data", records, "--json"));
        using var json = JsonDocument.Parse(_output.ToString());
        var languages = json.RootElement.GetProperty("languages");
        Assert.Equal(["de", "en"], languages.EnumerateObject().Select(l => l.Name));
        Assert.Equal(4, languages.GetProperty("de").GetProperty("tokens").GetInt32());
    }

    // As many tokens as training counts: those of the answer and the end of text behind it, or what the assistant says.
    [Theory]
    [InlineData("""{"text": "What?", "answer": "abc"}""", 4, 3)]
    [InlineData("""{"text": "A longer question than sixteen tokens", "answer": "no"}""", 3, 2)]
    [InlineData("""{"messages": [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Yes"}]}""", 5, 4, true)]
    public async Task Of_an_instruction_the_answer_is_scored_and_not_the_prompt(string record, int tokens, int bytes, bool isChat = false)
    {
        WriteCheckpoint(isChat
            ? corpus => corpus with { ChatTemplate = ChatTemplate.Plain }
            : corpus => corpus with { AnswerField = "answer" });
        Assert.Equal(ExitCodes.Done, await Run("--run", "a", "--data", Write("b.jsonl", record), "--json"));
        using var json = JsonDocument.Parse(_output.ToString());
        var all = json.RootElement.GetProperty("all");
        Assert.Equal((tokens, bytes), (all.GetProperty("tokens").GetInt32(), all.GetProperty("bytes").GetInt32()));
        Assert.Equal(tokens * Math.Log(257), all.GetProperty("nats").GetDouble(), 1e-5);
    }

    // The model writes each of eight letters as often, 3 bits, and hardly any other.
    [Fact]
    public async Task Bars_compare_the_bits_of_sources_with_the_most()
    {
        LettersModel.Write(_root);
        var folder = Directory.CreateDirectory(Path.Combine(_root, "text")).FullName;
        await File.WriteAllTextAsync(Path.Combine(folder, "letters.txt"), "abcdefgh");
        await File.WriteAllTextAsync(Path.Combine(folder, "others.txt"), "uvwxyz");
        Assert.Equal(ExitCodes.Done, await Run("--run", LettersModel.Name, "--data", folder));
        var lines = _output.ToString().Split('\n');
        Assert.Matches(@"^letters\.txt +8 +8 +2\.08\d\d .* 3\.00\d\d  █░{11}$", lines[2]);
        Assert.Matches(@"^others\.txt +6 +6 .*  █{12}$", lines[3]);
    }

    [Fact]
    public async Task What_cannot_be_scored_is_refused_with_its_name()
    {
        var book = Write("book.txt", " \n ");
        Assert.Equal(ExitCodes.NotFound, await Run("--run", "a", "--data", book));
        Assert.Contains("there is no run a", _error.ToString(), StringComparison.Ordinal);
        WriteCheckpoint();
        Assert.Equal(ExitCodes.NotFound, await Run("--run", "a", "--data", Path.Combine(_root, "none")));
        Assert.Contains("there is no such file or folder", _error.ToString(), StringComparison.Ordinal);
        Assert.Equal(ExitCodes.WrongUsage, await Run("--run", "a", "--data", book, "--stride", "17"));
        Assert.Contains("--stride 17: use 1 to the model's context, 16", _error.ToString(), StringComparison.Ordinal);
        Assert.Equal(ExitCodes.Failed, await Run("--run", "a", "--data", book));
        Assert.Contains("there is no text in it", _error.ToString(), StringComparison.Ordinal);
    }

    private Task<int> Run(params string[] options) =>
        ElasticCommandLine.RunAsync(["eval", .. options, "--data-dir", _root], _output, _error);

    private string Write(string name, string text)
    {
        var path = Path.Combine(_root, name);
        File.WriteAllText(path, text);
        return path;
    }

    private void WriteCheckpoint(Func<CorpusSettings, CorpusSettings>? corpus = null)
    {
        var settings = TrainingSettings.Defaults with
        {
            Model = ModelSettings.Defaults with
            { Layers = 1, Heads = 2, Width = 8, Context = 16, Vocabulary = Tokenizer.Open("byte").VocabularySize },
            // What the run itself reads is no part of an evaluation.
            Corpus = CorpusSettings.Defaults with { Validation = [Write("validation.txt", "not asked for")], Exclude = ["*.jsonl"] },
        };
        settings = settings with { Corpus = corpus?.Invoke(settings.Corpus) ?? settings.Corpus };
        var run = Path.Combine(_root, "runs", "a-00000000");
        var blobs = new BlobStore(Path.Combine(run, "blobs"));
        using var vectors = new ReplicaVectors(Architectures.LayoutOf(settings.Model));
        var parameters = blobs.PutVector(vectors, VectorSet.Parameters);
        var set = blobs.PutSet(new VectorSet(new Dictionary<string, VectorManifest> { [VectorSet.Parameters] = parameters }));
        var some = Digest.Of("some"u8).Hex;
        Directory.CreateDirectory(Path.Combine(run, "checkpoints"));
        File.WriteAllBytes(
            Path.Combine(run, "checkpoints", "round-000001.json"),
            new CheckpointManifest(1, "a", 1, settings.Model.Signature, SettingsText.Write(settings), some, "byte",
                parameters.Fingerprint.Hex, set.Hex, [some], 1, some, CheckpointManifest.BlobFolder).ToBytes());
    }
}
