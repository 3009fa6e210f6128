using Elastic.Host.Commands;
using Elastic.Host.Generation;
using Elastic.Host.Tests.Serving;
using Elastic.Messages;
using Elastic.Messages.Settings;
using Elastic.Model.Exchange;
using Elastic.Testing;

namespace Elastic.Host.Tests.Commands;

/// <summary>Models out of a run, and back in.</summary>
public sealed class ExportCommandTests : TemporaryFolder
{
    private string Out => Path.Combine(Folder, "out");

    [Fact]
    public async Task An_exported_run_is_the_same_model_and_writes_the_same_text()
    {
        var (data, fingerprint) = ExchangedModel.Write(Folder);
        var (code, output, error) = await Run("export", "--run", ExchangedModel.Run, "--out", Out, "--data-dir", data);
        Assert.Equal((ExitCodes.Done, ""), (code, error));
        Assert.Contains($"run tiny after 4 rounds   {ExchangedModel.Settings.Model.Signature}   fingerprint {fingerprint[..12]}", output,
            StringComparison.Ordinal);
        Assert.Contains($"written as fp32 to {Out}", output, StringComparison.Ordinal);
        Assert.Equal(
            ["config.json", "generation_config.json", "model.safetensors", "tokenizer.json", "tokenizer_config.json"],
            Directory.GetFiles(Out).Select(Path.GetFileName).Order(StringComparer.Ordinal));
        using (var folder = ModelFolder.Open(Out))
            Assert.Equal(fingerprint, folder.Fingerprint().Hex);

        string[] how = ["--prompt", "Gets", "--tokens", "40", "--data-dir", data];
        var (_, ofRun, _) = await Run(["generate", "--run", ExchangedModel.Run, .. how]);
        var (_, ofFolder, problem) = await Run(["generate", "--model", Out, .. how]);
        Assert.Equal((ofRun, ""), (ofFolder, problem));
        Assert.StartsWith("Gets", ofRun, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_fetched_checkpoint_is_exported_and_writes_as_its_run_does()
    {
        var (data, _) = ExchangedModel.Write(Folder);
        var fetched = Directory.GetDirectories(Path.Combine(data, "runs")).Single();
        await Run("export", "--run", ExchangedModel.Run, "--out", Out, "--data-dir", data);
        var (code, output, error) = await Run("export", "--model", fetched, "--out", Out + "2", "--json");
        Assert.Equal((ExitCodes.Done, ""), (code, error));
        Assert.Contains("\"run\":\"tiny\",\"round\":4", output, StringComparison.Ordinal);
        foreach (var file in Directory.GetFiles(Out))
            Assert.Equal(
                await File.ReadAllBytesAsync(file, TestContext.Current.CancellationToken),
                await File.ReadAllBytesAsync(Path.Combine(Out + "2", Path.GetFileName(file)), TestContext.Current.CancellationToken));
        string[] how = ["--prompt", "Gets", "--tokens", "40", "--data-dir", data];
        Assert.Equal(
            (await Run(["generate", "--run", ExchangedModel.Run, .. how])).Output,
            (await Run(["generate", "--model", fetched, .. how])).Output);
        // What people compare is called as the run, and not as the folder, which anybody may name as they like.
        var text = Path.Combine(Folder, "text.txt");
        await File.WriteAllTextAsync(text, "Some text.", TestContext.Current.CancellationToken);
        Assert.Contains(
            "\"run\":\"tiny\",\"round\":4", (await Run("eval", "--model", fetched, "--data", text, "--json")).Output,
            StringComparison.Ordinal);

        Assert.Contains(
            "is the folder of a run, which has its own tokenizer: leave the other out",
            (await Run(["generate", "--model", fetched, "--tokenizer", "byte", .. how])).Error, StringComparison.Ordinal);
        Assert.Contains(
            "is no folder that pbm run fetch has made: it has no checkpoints",
            (await Run("export", "--model", Out, "--out", Out + "3")).Error, StringComparison.Ordinal);
        Assert.Equal(ExitCodes.NotFound, (await Run("export", "--model", Out + "4", "--out", Out + "3")).Code);
        var manifest = Directory.GetFiles(Path.Combine(fetched, "checkpoints")).Single();
        Assert.Contains(
            $"--model {manifest} is a file: name the folder that it is in, for a checkpoint the one above",
            (await Run(["generate", "--model", manifest, .. how])).Error, StringComparison.Ordinal);
        foreach (var named in new string[][] { [], ["--run", "tiny", "--model", fetched] })
            Assert.Equal(ExitCodes.WrongUsage, (await Run(["export", .. named, "--out", Out + "3"])).Code);
    }

    [Fact]
    public async Task A_checkpoint_is_chosen_by_its_round()
    {
        var (data, fingerprint) = ExchangedModel.Write(Folder);
        string[] of = ["--run", ExchangedModel.Run, "--data-dir", data];
        var (code, output, _) = await Run(["export", .. of, "--round", "4", "--out", Out, "--json"]);
        Assert.Equal((ExitCodes.Done, true), (code, output.Contains(fingerprint, StringComparison.Ordinal)));
        foreach (var command in new string[][] { ["export", "--out", Out + "2"], ["generate", "--prompt", "a", "--tokens", "2"] })
        {
            Assert.Contains(
                "has no checkpoint of round 5: it has that of 4", (await Run([.. command, .. of, "--round", "5"])).Error,
                StringComparison.Ordinal);
            Assert.Equal(ExitCodes.WrongUsage, (await Run([.. command, .. of, "--round", "0"])).Code);
        }
        Assert.Contains(
            "is no folder of a run, and has one model; leave it out",
            (await Run("generate", "--model", Out, "--round", "4", "--prompt", "a")).Error, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_run_that_was_trained_on_conversations_talks_and_so_does_its_export()
    {
        var (data, _) = ExchangedModel.Write(Folder, chat: ChatTemplate.Plain);
        await Run("export", "--run", ExchangedModel.Run, "--out", Out, "--data-dir", data);
        string[] how = ["--chat", "--prompt", "Hi", "--tokens", "20", "--data-dir", data];
        var (code, ofRun, error) = await Run(["generate", "--run", ExchangedModel.Run, .. how]);
        Assert.Equal((ExitCodes.Done, ""), (code, error));
        Assert.Equal(ofRun, (await Run(["generate", "--model", Out, .. how])).Output);

        // A template that is not known here ends no text.
        var template = Path.Combine(Out, "chat_template.jinja");
        await File.WriteAllTextAsync(template, "{% macro x() %}{% endmacro %}", TestContext.Current.CancellationToken);
        using var model = TextModel.OfFolder(Out, null);
        var said = new List<string>();
        Assert.Null(ModelChat.OrNone(model, null, said.Add));
        Assert.StartsWith(
            $"without /v1/chat/completions: {template}, line 1: the statement \"macro\" is not known here", Assert.Single(said),
            StringComparison.Ordinal);
        Assert.NotNull(ModelChat.OrNone(model, "plain", said.Add));
        Assert.Equal("with /v1/chat/completions", said[^1]);
        Assert.Equal(ExitCodes.Done, (await Run("generate", "--model", Out, "--prompt", "Gets", "--tokens", "3", "--data-dir", data)).Code);
    }

    [Fact]
    public async Task A_place_that_is_taken_a_run_that_is_not_there_and_an_unknown_type_are_refused()
    {
        var (data, _) = ExchangedModel.Write(Folder);
        var (code, _, error) = await Run("export", "--run", ExchangedModel.Run, "--out", data, "--data-dir", data);
        Assert.Equal(ExitCodes.Failed, code);
        Assert.Contains(
            $"{data} is there already, and nothing is overwritten: name another folder with --out", error, StringComparison.Ordinal);
        Assert.Equal(ExitCodes.NotFound, (await Run("export", "--run", "nobody", "--out", Out, "--data-dir", data)).Code);
        Assert.Equal(ExitCodes.WrongUsage,
            (await Run("export", "--run", ExchangedModel.Run, "--out", Out, "--dtype", "int8", "--data-dir", data)).Code);
        Assert.False(Directory.Exists(Out));
    }

    [Fact]
    public async Task An_exported_model_is_served_with_the_text_and_the_fingerprint_of_the_run()
    {
        var (data, fingerprint) = ExchangedModel.Write(Folder);
        await Run("export", "--run", ExchangedModel.Run, "--out", Out, "--data-dir", data);
        var request = new { prompt = "Gets", max_tokens = 12, seed = 3 };
        await using var ofFolder = await Served.StartAsync(model: TextModel.OfFolder(Out, null));
        var answer = await ofFolder.CompleteAsync(request);
        Assert.Equal("out", answer.GetProperty("model").GetString());
        Assert.Equal(fingerprint, answer.GetProperty("system_fingerprint").GetString());
        await using var ofRun = await Served.StartAsync(
            model: TextModel.OfRun(new DataDirectory(data), new RunName(ExchangedModel.Run), Assert.Fail));
        var same = await ofRun.CompleteAsync(request);
        Assert.Equal(Served.Texts(same), Served.Texts(answer));
        Assert.Equal(fingerprint, same.GetProperty("system_fingerprint").GetString());
    }

    [Theory]
    [InlineData("generate")]
    [InlineData("serve")]
    public async Task What_writes_is_either_a_run_or_a_folder(string command)
    {
        foreach (var wrong in (string[][])[[], ["--run", "a", "--model", Out], ["--run", "a", "--tokenizer", "byte"]])
            Assert.Equal(ExitCodes.WrongUsage, (await Run([command, .. wrong])).Code);
        Assert.Contains($"--model {Out}: there is no such folder", (await Run(command, "--model", Out)).Error, StringComparison.Ordinal);
        Directory.CreateDirectory(Out);
        Assert.Contains("is no folder of a model", (await Run(command, "--model", Out)).Error, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_model_that_does_not_go_on_with_a_text_is_not_served_and_one_that_answers_does_so_by_beam_search()
    {
        var (bert, _) = ExchangedModel.Write(
            Path.Combine(Folder, "bert"), ExchangedModel.Settings.Model with { Architecture = "bert", Vocabulary = 258 });
        foreach (var command in new[] { "generate", "serve" })
        {
            Assert.Contains("tiny is a bert: it predicts hidden tokens from both sides, and does not continue a text",
                (await Run(command, "--run", ExchangedModel.Run, "--data-dir", bert)).Error, StringComparison.Ordinal);
        }

        var (pairs, _) = ExchangedModel.Write(
            Path.Combine(Folder, "pairs"), ExchangedModel.Settings.Model with { Architecture = "transformer" });
        string[] run = ["--run", ExchangedModel.Run, "--data-dir", pairs];
        Assert.Contains("tiny is a transformer: it answers a whole text", (await Run(["serve", .. run])).Error, StringComparison.Ordinal);
        Assert.Contains("--count: tiny is a transformer, which looks for the best answer; use --beams",
            (await Run(["generate", "--count", "2", .. run])).Error, StringComparison.Ordinal);
        var (code, answer, error) = await Run(["generate", "--prompt", "Gets", "--beams", "2", "--tokens", "5", .. run]);
        Assert.Equal((ExitCodes.Done, ""), (code, error));
        Assert.False(answer.StartsWith("Gets", StringComparison.Ordinal));
    }

    [Fact]
    public async Task An_adapter_that_was_exported_alone_writes_beside_its_model_what_the_run_writes()
    {
        var (plain, _) = ExchangedModel.Write(Path.Combine(Folder, "plain"));
        var (data, _) = ExchangedModel.Write(
            Path.Combine(Folder, "adapted"), ExchangedModel.Settings.Model with { Lora = ModelSettings.Defaults.Lora with { Rank = 2 } });
        var adapter = Path.Combine(Folder, "adapter");
        string[] export = ["export", "--run", ExchangedModel.Run, "--data-dir"];
        Assert.Equal(ExitCodes.Done, (await Run([.. export, plain, "--out", Out])).Code);
        var (code, output, error) = await Run([.. export, data, "--out", adapter, "--adapter"]);
        Assert.Equal((ExitCodes.Done, ""), (code, error));
        Assert.Contains($"written as fp32 to {adapter}", output, StringComparison.Ordinal);

        string[] how = ["--prompt", "Gets", "--tokens", "20"];
        var (_, ofRun, _) = await Run(["generate", "--run", ExchangedModel.Run, "--data-dir", data, .. how]);
        var (_, ofFolders, problem) = await Run(["generate", "--model", Out, "--adapter", adapter, .. how]);
        Assert.Equal((ofRun, ""), (ofFolders, problem));

        // The adapter is read, and it belongs to those weights alone.
        var (other, _) = ExchangedModel.Write(Path.Combine(Folder, "other"), seed: 8);
        Assert.Equal(ExitCodes.Done, (await Run([.. export, other, "--out", Out + "2"])).Code);
        Assert.Contains("it was trained beside the weights", (await Run("generate", "--model", Out + "2", "--adapter", adapter)).Error,
            StringComparison.Ordinal);
        Assert.Contains("--adapter belongs to --model: a run has its own",
            (await Run("generate", "--run", ExchangedModel.Run, "--adapter", adapter)).Error, StringComparison.Ordinal);
        Assert.Contains("run tiny has no adapter: it trained all weights (model.lora-rank = 0); leave --adapter away to write them",
            (await Run([.. export, plain, "--out", Out + "3", "--adapter"])).Error, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_folder_needs_a_tokenizer()
    {
        var (data, _) = ExchangedModel.Write(Folder);
        await Run("export", "--run", ExchangedModel.Run, "--out", Out, "--dtype", "bf16", "--data-dir", data);
        File.Delete(Path.Combine(Out, "tokenizer.json"));
        Assert.Contains("has no tokenizer: say which one its model was trained with, --tokenizer byte or gpt2",
            (await Run("generate", "--model", Out)).Error, StringComparison.Ordinal);
        Assert.Contains("the tokenizer gpt2 has 50257 tokens, and the model in " + Out + " 257",
            (await Run("generate", "--model", Out, "--tokenizer", "gpt2")).Error, StringComparison.Ordinal);
        Assert.Equal(ExitCodes.Done, (await Run("generate", "--model", Out, "--tokenizer", "byte", "--tokens", "3")).Code);
    }

    private static async Task<(int Code, string Output, string Error)> Run(params string[] args)
    {
        using StringWriter output = new(), error = new();
        var code = await ElasticCommandLine.RunAsync(args, output, error);
        return (code, output.ToString(), error.ToString());
    }
}
