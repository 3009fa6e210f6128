using System.Globalization;
using System.Text.Json;
using Elastic.Actors;
using Elastic.Actors.Control;
using Elastic.Corpus;
using Elastic.Host.Commands;
using Elastic.Host.Tests.Commands;
using Elastic.Messages;
using Elastic.Messages.Runs;
using Elastic.Messages.Settings;
using Elastic.Testing;

namespace Elastic.Host.Tests.Evaluation;

/// <summary>
/// What a run says of its versions while it trains, and what <c>elastic eval</c> says of the same weights: the same digits.
/// </summary>
public sealed class HeldOutEvaluationTests : TemporaryFolder
{
    private string Data => Path.Combine(Folder, "data");

    [Theory]
    [InlineData("gpt2", SampleKind.Blocks)]
    [InlineData("llama", SampleKind.Packed)]
    [InlineData("bert", SampleKind.Documents)]
    [InlineData("transformer", SampleKind.Pairs)]
    [InlineData("gpt2", SampleKind.Documents, 7)]
    public async Task The_score_of_a_runs_version_is_that_of_its_checkpoint_for_every_architecture(
        string architecture, SampleKind samples, int tokens = 0)
    {
        var settings = Settings("a", architecture, samples);
        var (view, _, corpus) = await TrainAsync(settings with { Corpus = settings.Corpus with { SampleTokens = tokens } });
        var json = await EvaluateAsync("--run", "a", "--held-out", corpus.Folder, "--data-dir", Data);
        Assert.Equal(view.ValLoss, json.GetProperty("lossNats").GetDouble());
        Assert.Equal(view.BitsPerByte, json.GetProperty("bitsPerByte").GetDouble());
        Assert.Equal(view.Fingerprint!.Value.Hex, json.GetProperty("fingerprint").GetString());
        Assert.Equal(
            view.SourceScores!.Select(s => (s.Source, s.Nats, s.Targets)),
            json.GetProperty("sources").EnumerateArray().Select(s => (
                s.GetProperty("source").GetString()!, s.GetProperty("nats").GetDouble(), s.GetProperty("targets").GetInt64())));
        Assert.Equal(["Books", "Web"], view.SourceScores!.Select(s => s.Source));
        Assert.Equal(
            view.LanguageScores!.Select(s => (s.Source, s.Nats, s.Targets)),
            json.GetProperty("languages").EnumerateArray().Select(s => (
                s.GetProperty("language").GetString()!, s.GetProperty("nats").GetDouble(), s.GetProperty("targets").GetInt64())));
        // Of the few pairs that are held out each names its language.
        Assert.Equal(samples == SampleKind.Pairs ? ["de", "en"] : ["de", "en", "unknown"], view.LanguageScores!.Select(s => s.Source));
        Assert.Equal(view.SourceScores!.Sum(s => s.Targets), view.LanguageScores!.Sum(s => s.Targets));
        Assert.Equal((8, corpus.Id.Hex), (json.GetProperty("samples").GetInt32(), json.GetProperty("corpus").GetString()));
    }

    [Theory]
    [InlineData("gpt2", SampleKind.Blocks)]
    [InlineData("llama", SampleKind.Documents)]
    public async Task A_run_from_a_folder_begins_with_the_score_that_the_folders_model_has_before_any_step(
        string architecture, SampleKind samples)
    {
        var (source, _) = ExchangedModel.Write(Path.Combine(Folder, "source"), Settings("x", architecture, samples).Model);
        var folder = Path.Combine(Folder, "exported");
        using var output = new StringWriter();
        Assert.Equal(ExitCodes.Done, await ElasticCommandLine.RunAsync(
            ["export", "--run", ExchangedModel.Run, "--out", folder, "--data-dir", source], output, output));
        var settings = Settings("b", architecture, samples);
        var (last, first, corpus) = await TrainAsync(settings with { Model = settings.Model with { Init = folder } });

        var json = await EvaluateAsync(
            "--model", folder, "--held-out", corpus.Folder, "--sequences", "8", "--samples", samples.ToString().ToLowerInvariant());
        Assert.Equal(first, json.GetProperty("lossNats").GetDouble());
        Assert.NotEqual(first, last.ValLoss);

        // On text of its own the folder has the digits of the run that it came from.
        string[] text = ["--data", Path.Combine(Folder, "text.jsonl"), "--stride", "5"];
        var ofFolder = await EvaluateAsync(["--model", folder, .. text]);
        Assert.Equal(folder, ofFolder.GetProperty("model").GetString());
        var ofRun = await EvaluateAsync(["--run", ExchangedModel.Run, "--data-dir", source, .. text]);
        Assert.Equal(ofRun.GetProperty("all").GetRawText(), ofFolder.GetProperty("all").GetRawText());
        Assert.Equal(ofRun.GetProperty("fingerprint").GetString(), ofFolder.GetProperty("fingerprint").GetString());
    }

    [Fact]
    public async Task What_does_not_fit_is_refused()
    {
        var bert = Path.Combine(Folder, "bert");
        var (data, _) = ExchangedModel.Write(bert, Settings("x", "bert", SampleKind.Blocks).Model);
        string[] model = ["--run", ExchangedModel.Run, "--data-dir", data];
        Assert.Contains(
            "tiny is a bert, which predicts hidden tokens from both sides and does not go on with a text: score it on the held-out part",
            (await RunAsync([.. model, "--last-word", "a"])).Error, StringComparison.Ordinal);
        Assert.Equal(ExitCodes.NotFound, (await RunAsync([.. model, "--held-out", "none"])).Code);
        Assert.Contains("no corpus in", (await RunAsync([.. model, "--held-out", data])).Error, StringComparison.Ordinal);
        var corpus = await BuildAsync(CorpusSettings.Defaults with { Tokenizer = "gpt2" });
        Assert.Contains("the corpus has tokens of gpt2, and tiny reads those of byte: build the corpus with corpus.tokenizer = byte",
            (await RunAsync([.. model, "--held-out", corpus.Folder])).Error, StringComparison.Ordinal);
        corpus = await BuildAsync(CorpusSettings.Defaults);
        Assert.Contains("--samples pairs: tiny is a bert, use blocks, packed or documents",
            (await RunAsync([.. model, "--held-out", corpus.Folder, "--samples", "pairs"])).Error, StringComparison.Ordinal);
        corpus = await BuildAsync(CorpusSettings.Defaults with { HeldOut = 0 });
        Assert.Contains("the held-out text does not fill one sample of 16 tokens",
            (await RunAsync([.. model, "--held-out", corpus.Folder])).Error, StringComparison.Ordinal);
        Assert.Equal(ExitCodes.WrongUsage, (await RunAsync([.. model, "--held-out", corpus.Folder, "--samples", "7"])).Code);
    }

    private static TrainingSettings Settings(string name, string architecture, SampleKind samples)
    {
        var settings = TinySettings.Of(name, rounds: 2);
        return settings with
        {
            Model = settings.Model with { Architecture = architecture, Vocabulary = architecture == "bert" ? 258 : 257 },
            Corpus = settings.Corpus with { Samples = samples, AnswerField = samples == SampleKind.Pairs ? "answer" : null },
        };
    }

    // Trains to the end; returns the last view, and the score of version 0.
    private async Task<(RunView Last, double? First, BuiltCorpus Corpus)> TrainAsync(TrainingSettings settings)
    {
        using var deadline = new CancellationTokenSource(TimeSpan.FromMinutes(2));
        await using var node = await ElasticNode.StartAsync(
            NodeSettings.Defaults with { Devices = "cpu:2", DataDir = Data }, deadline.Token);
        var corpus = await node.BuildCorpusAsync(settings.Corpus with { Sources = [Text()] }, null, deadline.Token);
        Assert.IsType<RunReply.Accepted>(await node.StartRunAsync(settings, corpus, Origins.Now("a test")));
        RunView? last = null;
        await foreach (var view in node.WatchAsync(new RunName(settings.Run.Name), deadline.Token))
            last = view;
        Assert.Equal(RunPhase.Finished, last!.Phase);
        // From the journal: who begins to watch after the start may see the score of a later version first.
        var curve = await node.Control.CurveAsync(last.Name, deadline.Token);
        return (last, curve!.Points.Single(p => p.Version == 0).Score?.LossNats, corpus);
    }

    private async Task<BuiltCorpus> BuildAsync(CorpusSettings settings)
    {
        await using var node = await ElasticNode.StartAsync(
            NodeSettings.Defaults with { Devices = "none", DataDir = Data }, TestContext.Current.CancellationToken);
        return await node.BuildCorpusAsync(settings with { Sources = [Text()] }, null, TestContext.Current.CancellationToken);
    }

    // Documents of any length, and pairs.
    private string Text()
    {
        var path = Path.Combine(Folder, "text.jsonl");
        File.WriteAllLines(path, Enumerable.Range(0, 400).Select(i =>
            JsonSerializer.Serialize(new
            {
                text = string.Join(' ', Enumerable.Range(i, 1 + i % 7).Select(Word)),
                answer = $" {Word(i + 1)}",
                source = i % 2 == 0 ? "Books" : "Web",
                language = (i % 5) switch { 0 => null, 1 or 2 => "de", _ => "en" },
            })));
        return path;
    }

    private static string Word(int i) => (i * 2654435761L % 9973).ToString("x", CultureInfo.InvariantCulture);

    private static async Task<JsonElement> EvaluateAsync(params string[] options)
    {
        var (code, output, error) = await RunAsync([.. options, "--json"]);
        // On a slow machine it says how far it is.
        Assert.DoesNotContain(
            error.Split('\n', StringSplitOptions.RemoveEmptyEntries), l => !l.StartsWith("scored ", StringComparison.Ordinal));
        Assert.Equal(ExitCodes.Done, code);
        return JsonDocument.Parse(output).RootElement;
    }

    private static async Task<(int Code, string Output, string Error)> RunAsync(params string[] options)
    {
        using StringWriter output = new(), error = new();
        var code = await ElasticCommandLine.RunAsync(["eval", .. options], output, error);
        return (code, output.ToString(), error.ToString());
    }
}
