using System.Globalization;
using System.Text.Json;
using Elastic.Corpus;
using Elastic.Corpus.Build;
using Elastic.Foundation;
using Elastic.Host.Commands;
using Elastic.Host.Configuration;
using Elastic.Host.Stages;
using Elastic.Host.Tests.Commands;
using Elastic.Host.Tests.Generation;
using Elastic.Messages.Settings;
using Elastic.Testing;

namespace Elastic.Host.Tests.Stages;

/// <summary>Mostly with a model that writes the letters from a to h at random: its perplexity of them is about 8.</summary>
public sealed class PerplexityTests : TemporaryFolder
{
    private const string Letters = "abcdefgh";

    private string Model => Path.Combine(Folder, "runs", $"{LettersModel.Name}-00000000");

    [Fact]
    public void With_parameters_of_zero_all_tokens_are_alike_and_the_perplexity_is_their_number_whatever_the_text()
    {
        var settings = ExchangedModel.Settings.Model;
        var (data, _) = ExchangedModel.Write(Folder, fill: _ => { });
        var stage = new Perplexity(Settings(RunIn(data)));
        foreach (var length in new[] { 1, settings.Context - 1, settings.Context, settings.Context + 1, 3 * settings.Context + 5 })
        {
            var signals = stage.Read(Draft(new string('x', length)));
            Assert.InRange(signals[0], settings.Vocabulary - 0.001, settings.Vocabulary + 0.001);
            Assert.InRange(signals[1], Math.Log2(settings.Vocabulary) - 1e-5, Math.Log2(settings.Vocabulary) + 1e-5);
            Assert.Equal(length, signals[2]);
        }
        Assert.Equal(4, new Perplexity(Settings(RunIn(data)) with { Characters = 4 }).Read(Draft(Letters))[2]);
        Assert.Equal(1, stage.Read(Draft(""))[0]);
    }

    [Fact]
    public void A_perplexity_just_small_enough_passes_and_one_bit_more_does_not()
    {
        LettersModel.Write(Folder);
        var value = new Perplexity(Settings()).Read(Draft(Letters))[0];
        Assert.Null(Why(Settings() with { Most = value, Least = value }));
        Assert.Equal(string.Create(CultureInfo.InvariantCulture, $"its perplexity is {value:0.###}, and at most 7.5 are wanted"),
            Why(Settings() with { Most = 7.5 }));
        Assert.NotNull(Why(Settings() with { Most = Math.BitDecrement(value) }));
        Assert.NotNull(Why(Settings() with { Least = Math.BitIncrement(value) }));
    }

    [Fact]
    public async Task A_folder_in_Hugging_Face_s_form_says_the_same_as_the_run_that_it_was_exported_from()
    {
        var (data, fingerprint) = ExchangedModel.Write(Folder);
        var path = Path.Combine(Folder, "out");
        using var output = new StringWriter();
        Assert.Equal(ExitCodes.Done, await ElasticCommandLine.RunAsync(
            ["export", "--run", ExchangedModel.Run, "--out", path, "--data-dir", data], output, output));
        var (run, folder) = (new Perplexity(Settings(RunIn(data))), new Perplexity(Settings(path)));
        Assert.Equal(run.Read(Draft("Some text of some words.")), folder.Read(Draft("Some text of some words.")));
        Assert.Equal($"model {fingerprint}", run.Inputs[0]);
        Assert.Equal(run.Inputs[0], folder.Inputs[0]);
    }

    [Fact]
    public void A_run_without_a_checkpoint_is_known_for_a_run()
    {
        var run = Directory.CreateDirectory(Path.Combine(Folder, "runs", "new-00000000"));
        run.CreateSubdirectory("blobs");
        var refusal = Assert.Throws<ElasticException>(() => new Perplexity(Settings(run.FullName)).Read(Draft(Letters)));
        Assert.Contains("has no checkpoint: train until the first one", refusal.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_manifest_names_the_model_from_its_own_place_and_the_build_drops_what_is_not_predicted()
    {
        LettersModel.Write(Folder);
        var manifest = Path.Combine(Folder, "web.conf");
        await File.WriteAllTextAsync(manifest, $$"""
            sources = [ { name = web, paths = [web.jsonl] } ]
            stages = [ { stage = perplexity, model = runs/{{LettersModel.Name}}-00000000, most = 9 } ]
            """);
        await File.WriteAllLinesAsync(Path.Combine(Folder, "web.jsonl"),
            new[] { Letters, "something else" }.Select(text => JsonSerializer.Serialize(new { text })));
        using var output = new StringWriter();
        var data = Path.Combine(Folder, "data");
        var code = await ElasticCommandLine.RunAsync(
            ["corpus", "build", "--manifest", manifest, "--data-dir", data, "--set", "corpus.held-out=0"], output, output);
        Assert.True(code == ExitCodes.Done, output.ToString());
        var built = Assert.Single(Directory.GetDirectories(Path.Combine(data, "texts")));
        Assert.Equal([Letters], CorpusSources.Resolve([Path.Combine(built, "text")])
            .SelectMany(f => DocumentReader.Read(f, new ReadStatistics())).Select(d => d.Text));
        var sheet = await File.ReadAllTextAsync(Path.Combine(built, "datasheet.md"));
        Assert.Contains($"model {new Perplexity(Settings()).Inputs[0][6..]}", sheet, StringComparison.Ordinal);
        Assert.DoesNotContain(Folder, sheet, StringComparison.Ordinal);
    }

    [Fact]
    public void A_model_that_is_not_there_or_does_not_go_on_with_a_text_is_refused()
    {
        Assert.Contains($"perplexity.model = {Model}: there is no such folder; name one with a model or of a run",
            Assert.Throws<NotFoundException>(() => new Perplexity(Settings())).Message, StringComparison.Ordinal);
        var (data, _) = ExchangedModel.Write(Folder, ExchangedModel.Settings.Model with { Architecture = "bert", Vocabulary = 258 });
        Assert.Contains("it predicts hidden tokens from both sides, and does not continue a text", Assert.Throws<ElasticException>(
            () => new Perplexity(Settings(RunIn(data)))).Message, StringComparison.Ordinal);
        Assert.Contains("is the folder of a run, which has its own tokenizer: leave the other out", Assert.Throws<ElasticException>(
            () => new Perplexity(Settings(RunIn(data)) with { Tokenizer = "byte" })).Message, StringComparison.Ordinal);
        Assert.Contains("perplexity.model is empty: name the folder of a model or of a run", Assert.ThrowsAny<ElasticException>(
            () => BuildManifestFile.Parse(
                "sources = [ { name = a, paths = [a] } ]\nstages = [ { stage = perplexity } ]", "m.conf")).Message,
            StringComparison.Ordinal);
    }

    private PerplexitySettings Settings(string? model = null) =>
        SettingsRecord.DefaultsOf<PerplexitySettings>() with { Model = model ?? Model };

    private static string RunIn(string data) => Directory.GetDirectories(Path.Combine(data, "runs")).Single();

    private static string? Why(PerplexitySettings settings)
    {
        var stage = new Perplexity(settings);
        return stage.Refusal(stage.Read(Draft(Letters)));
    }

    private static Draft Draft(string text) => new(new DocumentFacts("source", "name", DocumentFormat.Text), text);
}
