using Elastic.Host.Commands;
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
    public async Task Generate_takes_either_a_run_or_a_folder_and_a_folder_needs_a_tokenizer()
    {
        var (data, _) = ExchangedModel.Write(Folder);
        foreach (var wrong in (string[][])[[], ["--run", "a", "--model", Out], ["--run", "a", "--tokenizer", "byte"]])
            Assert.Equal(ExitCodes.WrongUsage, (await Run(["generate", .. wrong])).Code);
        Assert.Contains("is no folder of a model", (await Run("generate", "--model", Out)).Error, StringComparison.Ordinal);

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
