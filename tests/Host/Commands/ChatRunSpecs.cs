using System.Text.Json;
using System.Text.Json.Nodes;
using Elastic.Corpus;
using Elastic.Host.Commands;
using Elastic.Host.Generation;
using Elastic.Messages;
using Elastic.Storage;
using Elastic.Testing;

namespace Elastic.Host.Tests.Commands;

/// <summary>A run on conversations that are written down by the template that came with its tokenizer; in this process.</summary>
public sealed class ChatRunSpecs : TemporaryFolder
{
    private const string Template =
        "{{ bos_token }}{% for m in messages %}{{ m.role }}: {{ m.content }}{% if m.role == 'assistant' %}<|im_end|>{% endif %} "
        + "{% endfor %}{% if add_generation_prompt %}assistant:{% endif %}";

    private static readonly ChatMessage[] Hello = [new("user", "hi")];

    private string Data => Path.Combine(Folder, "data");

    private string Talks => Path.Combine(Folder, "talks.jsonl");

    private string Out => Path.Combine(Folder, "out");

    [Fact]
    public async Task A_run_keeps_the_template_of_its_tokenizer_and_evaluates_answers_and_is_exported_by_it()
    {
        await TrainAsync();
        var run = new DataDirectory(Data).ExistingRun(new RunName("talks")).Root;
        var manifest = Directory.GetFiles(Path.Combine(run, "checkpoints")).Order(StringComparer.Ordinal).Last();
        Assert.Superset(
            new HashSet<string> { "tokenizer.json", "tokenizer_config.json" },
            CheckpointContent.Of(manifest).Select(f => f.Name).ToHashSet(StringComparer.Ordinal));

        var (code, _, error) = await Run("eval", "--run", "talks", "--data", Talks, "--data-dir", Data);
        Assert.Equal((ExitCodes.Done, ""), (code, error));
        (code, _, error) = await Run("export", "--run", "talks", "--out", Out, "--data-dir", Data);
        Assert.Equal((ExitCodes.Done, ""), (code, error));

        using var ofRun = TextModel.OfRun(new DataDirectory(Data), new RunName("talks"), Assert.Fail);
        using var ofFolder = TextModel.OfFolder(Out, null);
        var (chat, exported) = (ModelChat.Of(ofRun, null)!, ModelChat.Of(ofFolder, null)!);
        var prompt = chat.Prompt(Hello);
        Assert.Equal((257, 258), (prompt[0], chat.End));
        Assert.Equal("user: hi assistant:", ofRun.Tokenizer.Decode([.. prompt]));
        Assert.Equal(prompt, exported.Prompt(Hello));
        Assert.Equal(chat.End, exported.End);
        // Other programs end an answer there, too.
        var ends = JsonNode.Parse(await File.ReadAllTextAsync(
            Path.Combine(Out, "generation_config.json"), TestContext.Current.CancellationToken))!;
        Assert.Equal((257, "[258,256]"), ((int)ends["bos_token_id"]!, ends["eos_token_id"]!.ToJsonString()));

        // What people put there, where a run has no template, is kept with the rest.
        await File.WriteAllTextAsync(Path.Combine(run, "chat_template.jinja"), "{{ eos_token }}", TestContext.Current.CancellationToken);
        Assert.Contains("chat_template.jinja", CheckpointContent.Of(manifest).Select(f => f.Name));
    }

    [Fact]
    public async Task What_the_folder_says_of_tokens_that_a_run_began_with_is_exported_and_its_configuration_is_one()
    {
        await TrainAsync();
        await Run("export", "--run", "talks", "--out", Out, "--data-dir", Data);
        Edit("tokenizer_config.json", json => json["pad_token"] = "<|im_end|>");
        Edit("generation_config.json", json => json["eos_token_id"] = new JsonArray(258, 257));
        string[] settings =
        [
            "corpus.chat-template=tokenizer", "batch.sequences=4", "batch.micro=2", "optimizer.schedule=constant", "run.inner-steps=1",
            "run.rounds=1",
        ];
        var (code, _, error) = await Run(
            ["train", "--run", "more", "--json", "--init", Out, "--corpus", Talks, "--devices", "cpu:1", "--data-dir", Data,
                .. settings.SelectMany(s => new[] { "--set", s })]);
        Assert.True(code == ExitCodes.Done, error);
        var again = Path.Combine(Folder, "again");
        (code, _, error) = await Run("export", "--run", "more", "--out", again, "--data-dir", Data);
        Assert.Equal((ExitCodes.Done, ""), (code, error));
        JsonNode Of(string name) => JsonNode.Parse(File.ReadAllText(Path.Combine(again, name)))!;
        Assert.Equal(
            ("<s>", "<|im_end|>", "<|endoftext|>"), ((string?)Of("tokenizer_config.json")["bos_token"],
                (string?)Of("tokenizer_config.json")["pad_token"], (string?)Of("tokenizer_config.json")["eos_token"]));
        Assert.Equal("[258,256,257]", Of("generation_config.json")["eos_token_id"]!.ToJsonString());

        // The run's tokenizer has an id; the folder that it began with has that one.
        (code, var config, error) = await Run("config", "--run", "more", "--data-dir", Data);
        Assert.Equal((ExitCodes.Done, ""), (code, error));
        Assert.Contains("corpus.tokenizer = json-", config, StringComparison.Ordinal);
        var file = Path.Combine(Folder, "more.conf");
        await File.WriteAllTextAsync(file, config, TestContext.Current.CancellationToken);
        (code, _, error) = await Run("train", "--config", file, "--run", "other", "--devices", "cpu:1", "--data-dir", Data, "--dry-run");
        Assert.Equal((ExitCodes.Done, ""), (code, error));

        void Edit(string name, Action<JsonNode> change)
        {
            var path = Path.Combine(Out, name);
            var json = JsonNode.Parse(File.ReadAllText(path))!;
            change(json);
            File.WriteAllText(path, json.ToJsonString());
        }
    }

    [Fact]
    public async Task Where_the_template_is_not_there_the_evaluation_and_the_export_say_so()
    {
        await TrainAsync();
        var kept = Path.Combine(new DataDirectory(Data).ExistingRun(new RunName("talks")).Root, "tokenizer_config.json");
        File.Delete(kept);
        var missing = $"{kept} is missing, or has no chat template, as it came with the run's tokenizer";
        var (code, _, error) = await Run("eval", "--run", "talks", "--data", Talks, "--data-dir", Data);
        Assert.Equal(ExitCodes.Failed, code);
        Assert.Contains(missing, error, StringComparison.Ordinal);
        (code, _, error) = await Run("export", "--run", "talks", "--out", Out, "--data-dir", Data);
        Assert.Equal(ExitCodes.Done, code);
        Assert.StartsWith($"written without a chat template: {missing}", error, StringComparison.Ordinal);
    }

    [Fact]
    public async Task An_export_on_a_machine_without_the_model_that_the_run_began_with_says_that_it_has_no_template()
    {
        var began = Path.Combine(Folder, "began");
        var (data, _) = ExchangedModel.Write(Folder, ExchangedModel.Settings.Model with { Init = began });
        var (code, _, error) = await Run("export", "--run", ExchangedModel.Run, "--out", Out, "--data-dir", data);
        Assert.Equal(ExitCodes.Done, code);
        Assert.StartsWith($"written without a chat template: the run began with {began}, which is not on this machine", error,
            StringComparison.Ordinal);
    }

    // The tokenizer's folder is gone once the run is trained, as on another machine.
    private async Task TrainAsync()
    {
        var folder = Directory.CreateDirectory(Path.Combine(Folder, "tokenizer")).FullName;
        var json = JsonNode.Parse(TokenizerFiles.Of(Tokenizer.Open("byte"), 64)["tokenizer.json"])!;
        // No tokenizer that needs no file.
        var vocabulary = json["model"]!["vocab"]!.AsObject();
        vocabulary.Remove("!");
        vocabulary["!!"] = 33;
        foreach (var (i, text) in new[] { "<s>", "<|im_end|>" }.Index())
        {
            var token = json["added_tokens"]![0]!.DeepClone();
            (token["id"], token["content"]) = (257 + i, text);
            json["added_tokens"]!.AsArray().Add(token);
        }
        File.WriteAllText(Path.Combine(folder, "tokenizer.json"), json.ToJsonString());
        File.WriteAllText(Path.Combine(folder, "tokenizer_config.json"), JsonSerializer.Serialize(
            new { bos_token = "<s>", eos_token = "<|endoftext|>", chat_template = Template }));
        File.WriteAllLines(Talks, Enumerable.Range(0, 60).Select(i => JsonSerializer.Serialize(new
        {
            messages = new[] { new { role = "user", content = $"what is {i}?" }, new { role = "assistant", content = $"it is {i * 7}" } },
        })));
        string[] settings =
        [
            $"corpus.tokenizer={folder}", "corpus.chat-template=tokenizer", "model.layers=1", "model.heads=2", "model.width=16",
            "model.context=64", "model.vocabulary=0", "batch.sequences=4", "batch.micro=2", "optimizer.schedule=constant",
            "run.inner-steps=1", "run.rounds=1",
        ];
        var (code, _, error) = await Run(
            ["train", "--run", "talks", "--json", "--corpus", Talks, "--devices", "cpu:1", "--data-dir", Data,
                .. settings.SelectMany(s => new[] { "--set", s })]);
        Assert.True(code == ExitCodes.Done, error);
        Directory.Delete(folder, recursive: true);
    }

    private static async Task<(int Code, string Output, string Error)> Run(params string[] args)
    {
        using StringWriter output = new(), error = new();
        var code = await ElasticCommandLine.RunAsync(args, output, error);
        return (code, output.ToString(), error.ToString());
    }
}
