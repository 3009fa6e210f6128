using System.Text;
using System.Text.Json.Nodes;
using Elastic.Corpus;
using Elastic.Foundation;
using Elastic.Host.Configuration;
using Elastic.Host.Pbm;
using Elastic.Messages.Settings;
using Elastic.Messages.Vectors;
using Elastic.Model.Exchange;
using Elastic.Model.Networks;
using Elastic.Model.Vectors;
using Elastic.Storage;
using Elastic.Testing;

namespace Elastic.Host.Tests.Configuration;

/// <summary>A folder of weights decides the model's shape; what a person wrote has to agree.</summary>
public sealed class ModelFolderLayerTests : TemporaryFolder
{
    private static readonly ModelSettings Model = TinySettings.Of("a").Model with { Layers = 2, Dropout = 0 };

    private string Place => Path.Combine(Folder, "model");

    [Fact]
    public void The_folder_beats_defaults_and_presets()
    {
        Write();
        var settings = Load().Training;
        Assert.Equal(Model.Signature, settings.Model.Signature);
        Assert.Equal((Place, "byte"), (settings.Model.Init, settings.Corpus.Tokenizer));
        Assert.Equal(Model.Signature, Load([Path.GetRelativePath(Environment.CurrentDirectory, Place)]).Training.Model.Signature);
        Assert.Equal(Place, Load([Path.GetRelativePath(Environment.CurrentDirectory, Place)]).Training.Model.Init);
        // What the folder does not decide stays the preset's, or a person's.
        Assert.Equal((0.25, 16), (Load(Place, "model.dropout=0.25").Training.Model.Dropout, settings.Batch.Sequences));
        // The preset's tokenizer has fewer tokens than the folder's vocabulary; the folder's is taken all the same.
        Assert.Equal("byte", Load([Place], configs: ["gpt2-124m"]).Training.Corpus.Tokenizer);
        // Its chat template is in the folder, and not in the tokenizer's name.
        Assert.Equal(Place, Load(Place, "corpus.chat-template=tokenizer").Training.Corpus.Tokenizer);
        Assert.Equal("byte", Load(Place, "corpus.chat-template=chatml").Training.Corpus.Tokenizer);
    }

    // The preset has GPT-2's. A run that an earlier version began so keeps it.
    [Fact]
    public void A_model_that_is_trained_without_dropout_is_fine_tuned_without()
    {
        Write();
        Assert.Equal(0.1, Load([Place], configs: ["fine-tune"]).Training.Model.Dropout);
        Directory.Delete(Place, recursive: true);
        Write(Model with { Architecture = "llama" });
        Assert.Equal(0, Load([Place], configs: ["fine-tune"]).Training.Model.Dropout);
        Assert.Equal(0.25, Load([Place], ["model.dropout=0.25"], ["fine-tune"]).Training.Model.Dropout);
        var begun = Load([Place], ["model.dropout=0.1"], ["fine-tune"]).Training;
        Assert.Equal(0.1, ConfigurationLoader.LoadFor(
            new RememberedRun(new("a-00000000"), begun, Digest.Of([])),
            new(["fine-tune"], []) { Options = [("--init", "model.init", Place)] }).Training.Model.Dropout);
    }

    [Fact]
    public void The_same_holds_for_a_run_that_pbm_starts()
    {
        Write();
        var settings = new RequestedRun([], [], "a", [$"model.init={Place}"]).Load(null).Training;
        Assert.Equal(Model.Signature, settings.Model.Signature);
        var refusal = Assert.Throws<SettingsException>(
            () => new RequestedRun([], [], "a", [$"model.init={Place}", "model.width=64"]).Load(null));
        Assert.Contains(
            "model.width = 64 (--set): the weights of model.init are of a model with 16", refusal.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void A_key_that_contradicts_the_folder_is_refused_with_both_values_and_one_that_agrees_is_not()
    {
        Write();
        var lines = Assert.Throws<SettingsException>(() => Load(Place, "model.layers=3", "corpus.tokenizer=gpt2")).Message.Split('\n');
        Assert.Equal(
            [
                $"model.layers = 3 (--set): the weights of model.init are of a model with 2 (n_layer in {Place}/config.json); "
                    + "leave the key out, or name other weights",
                $"corpus.tokenizer = gpt2 (--set): the weights of model.init are of a model with byte (the tokenizer in {Place}); "
                    + "leave the key out, or name other weights",
            ], lines);
        Assert.Equal(
            Model.Signature, Load(Place, "model.layers=2", "model.vocabulary=0", "corpus.tokenizer=byte").Training.Model.Signature);
    }

    [Fact]
    public void A_folder_that_is_no_model_is_a_problem_of_the_command_line_told_with_the_others()
    {
        Directory.CreateDirectory(Place);
        var lines = Assert.Throws<SettingsException>(() => Load(Place, "run.rounds=0")).Message.Split('\n');
        Assert.Equal(2, lines.Length);
        Assert.Contains(lines, l => l.StartsWith($"{Place} is no folder of a model: it has no config.json", StringComparison.Ordinal));

        Write();
        File.WriteAllText(Path.Combine(Place, "tokenizer.json"), "{}");
        Assert.Contains("tokenizer.json", Assert.Throws<SettingsException>(() => Load(Place)).Message, StringComparison.Ordinal);
        Assert.Equal("gpt2", Load(Place, "corpus.tokenizer=gpt2").Training.Corpus.Tokenizer);
    }

    [Fact]
    public void Of_a_tokenizer_with_more_tokens_than_its_model_a_person_says_which_one_it_was()
    {
        Write();
        Assert.Equal("byte", Load().Training.Corpus.Tokenizer);
        var file = Path.Combine(Place, "tokenizer.json");
        var json = JsonNode.Parse(File.ReadAllText(file))!;
        json["added_tokens"]!.AsArray().Add(new JsonObject { ["id"] = 257, ["content"] = "[PAD]", ["special"] = true });
        File.WriteAllText(file, json.ToJsonString());
        Assert.Equal(
            $"the tokenizer in {Place} has 258 tokens, and its model 257: say which one the model was trained with, e.g. --set "
                + "corpus.tokenizer=gpt2", Assert.Throws<SettingsException>(() => Load()).Message);
        Assert.Equal("byte", Load(Place, "corpus.tokenizer=byte").Training.Corpus.Tokenizer);
    }

    [Fact]
    public void A_tokenizer_that_needs_no_file_may_be_written_where_the_folder_only_adds_tokens_to_it()
    {
        Write(Model with { Vocabulary = 258 });
        // The folder's path is no other tokenizer than the one that its files are.
        foreach (var path in (string[])[Place, Place + "/", Path.GetRelativePath(Environment.CurrentDirectory, Place)])
            Assert.Equal("byte", Load(Place, $"corpus.tokenizer={path}").Training.Corpus.Tokenizer);

        var file = Path.Combine(Place, "tokenizer.json");
        var json = JsonNode.Parse(File.ReadAllText(file))!;
        json["added_tokens"]!.AsArray().Add(new JsonObject { ["id"] = 257, ["content"] = "<think>", ["special"] = false });
        File.WriteAllText(file, json.ToJsonString());
        Assert.Equal(Place, Load().Training.Corpus.Tokenizer);
        // A run that began with the folder has its tokenizer's id, and elastic config says so of that run.
        var id = TokenizerFiles.Recognize(Place)!.Id;
        Assert.StartsWith("json-", id, StringComparison.Ordinal);
        Assert.Equal(Place, Load(Place, $"corpus.tokenizer={id}").Training.Corpus.Tokenizer);
        Assert.Contains("corpus.tokenizer = json-0", Assert.Throws<SettingsException>(
            () => Load(Place, $"corpus.tokenizer=json-{new string('0', 32)}-258")).Message, StringComparison.Ordinal);
        Assert.Equal("byte", Load(Place, "corpus.tokenizer=byte").Training.Corpus.Tokenizer);
        Assert.Contains($"corpus.tokenizer = gpt2 (--set): the weights of model.init are of a model with {Place}",
            Assert.Throws<SettingsException>(() => Load(Place, "corpus.tokenizer=gpt2")).Message, StringComparison.Ordinal);

        // Another text for one of its numbers.
        var vocabulary = json["model"]!["vocab"]!.AsObject();
        vocabulary.Remove("!");
        vocabulary["!!"] = 33;
        File.WriteAllText(file, json.ToJsonString());
        Assert.Contains($"corpus.tokenizer = byte (--set): the weights of model.init are of a model with {Place}",
            Assert.Throws<SettingsException>(() => Load(Place, "corpus.tokenizer=byte")).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void A_digest_that_is_none_or_stands_alone_is_refused()
    {
        Write();
        Assert.Contains("model.init-digest = \"abc\": use 64 lower-case hex digits",
            Assert.Throws<SettingsException>(() => Load(Place, "model.init-digest=abc")).Message, StringComparison.Ordinal);
        Assert.Contains("model.init-digest is set and model.init is not",
            Assert.Throws<SettingsException>(() => ConfigurationLoader.Load(new([], [$"model.init-digest={new string('a', 64)}"]))).Message,
            StringComparison.Ordinal);
    }

    [Fact]
    public void A_BERT_says_which_token_hides_others_or_its_tokenizer_does_or_a_person_has_to()
    {
        Write(Model with { Architecture = "bert", Vocabulary = 257, Bert = new BertSettings { MaskToken = 5, ClassToken = null } });
        Assert.Equal(("bert", 5), (Load().Training.Model.Architecture, Load().Training.Model.Bert.MaskToken));
        var config = Path.Combine(Place, "config.json");
        var edited = JsonNode.Parse(File.ReadAllText(config))!.AsObject();
        edited.Remove("mask_token_id");
        File.WriteAllText(config, edited.ToJsonString());
        Assert.Contains($"{Place} does not say which token hides others", Assert.Throws<SettingsException>(() => Load()).Message,
            StringComparison.Ordinal);
        Assert.Equal(7, Load(Place, "model.mask-token=7").Training.Model.Bert.MaskToken);
        File.Delete(Path.Combine(Place, "tokenizer.json"));
        File.Delete(Path.Combine(Place, "vocab.json"));
        File.Delete(Path.Combine(Place, "tokenizer_config.json"));
        File.WriteAllLines(Path.Combine(Place, "vocab.txt"), ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "a"]);
        Assert.Equal((4, Place), (Load().Training.Model.Bert.MaskToken, Load().Training.Corpus.Tokenizer));
        // The same folder, written in another way, is no other tokenizer.
        var relative = Path.GetRelativePath(Environment.CurrentDirectory, Place);
        Assert.Equal(Place, Load(Place, $"corpus.tokenizer={relative}/").Training.Corpus.Tokenizer);
        Assert.Contains("model.mask-token = 7 (--set): the weights of model.init are of a model with 4 (the tokenizer in",
            Assert.Throws<SettingsException>(() => Load(Place, "model.mask-token=7")).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void An_encoder_without_its_head_is_noticed()
    {
        Write(Model with { Architecture = "bert", Vocabulary = 257, Bert = new BertSettings { MaskToken = 5, ClassToken = null } });
        Assert.Empty(StartingPoint.Notices(Load().Training.Model));
        // The head's tensors are the last ones of the file.
        var path = Path.Combine(Place, "model.safetensors");
        var whole = File.ReadAllBytes(path);
        var length = (int)BitConverter.ToInt64(whole);
        var tensors = JsonNode.Parse(whole.AsSpan(8, length))!.AsObject();
        var head = tensors.Where(t => t.Key.StartsWith("cls.", StringComparison.Ordinal)).ToDictionary();
        var end = head.Values.Min(t => (int)t!["data_offsets"]![0]!);
        foreach (var name in head.Keys)
            tensors.Remove(name);
        var header = Encoding.UTF8.GetBytes(tensors.ToJsonString());
        File.WriteAllBytes(path, [.. BitConverter.GetBytes((long)header.Length), .. header, .. whole.AsSpan(8 + length, end)]);
        var notice = Assert.Single(StartingPoint.Notices(Load().Training.Model));
        Assert.StartsWith(
            $"{Place} holds an encoder without its head: cls.predictions.transform.dense.weight, ", notice, StringComparison.Ordinal);
        var pinned = StartingPoint.Pin(Load().Training.Model);
        using var weights = StartingPoint.Open(pinned, seed: 3);
        using var fresh = new ReplicaVectors(Architectures.LayoutOf(pinned));
        Initialization.Fill(fresh, 0);
        var drawn = fresh.Layout["cls.predictions.transform.dense.weight"];
        var read = new float[drawn.Count];
        weights.Read(drawn.Offset, read);
        Assert.Equal(fresh.Floats(VectorSet.Parameters, drawn.Offset, (int)drawn.Count).ToArray(), read);
    }

    [Fact]
    public void An_adapters_folder_decides_the_adapter_and_the_folder_of_its_model_the_rest()
    {
        Write();
        var adapter = WriteAdapter(Place);
        var model = Load(adapter).Training.Model;
        Assert.Equal(Model.WithoutAdapters().Signature, model.WithoutAdapters().Signature);
        Assert.Equal((adapter, Place, 4, 12.0), (model.Init, model.InitBase, model.Lora.Rank, model.Lora.Alpha));
        Assert.Equal(["c_attn"], model.Lora.Targets);
        Assert.Equal("byte", Load(adapter).Training.Corpus.Tokenizer);
        // What agrees with it, and what it does not decide.
        string[] agreeing =
            ["model.lora-rank=4", "model.lora-targets=[c_attn]", "model.lora-freeze-a=true", $"model.init-base={Place}"];
        Assert.True(Load(adapter, agreeing).Training.Model.Lora.FreezesA);
        Assert.Equal(
            [
                $"model.layers = 3 (--set): the weights of model.init are of a model with 2 (n_layer in {Place}/config.json); "
                    + "leave the key out, or name other weights",
                $"model.lora-rank = 8 (--set): the weights of model.init are of a model with 4 (r in {adapter}/adapter_config.json); "
                    + "leave the key out, or name other weights",
                $"model.lora-targets = [c_proj] (--set): the weights of model.init are of a model with [c_attn] "
                    + $"(target_modules in {adapter}/adapter_config.json); leave the key out, or name other weights",
            ],
            Assert.Throws<SettingsException>(
                () => Load(adapter, "model.lora-rank=8", "model.lora-targets=[c_proj]", "model.layers=3")).Message.Split('\n'));
    }

    [Fact]
    public void Where_the_model_of_an_adapter_is_not_there_it_has_to_be_named_and_it_alone()
    {
        Write();
        var adapter = WriteAdapter(Place + "-gone");
        Assert.Equal(
            $"{adapter} is an adapter, and \"{Place}-gone\", beside which it was trained, is no folder here: name that model's folder with "
                + "--init-base DIR (model.init-base)",
            Assert.Throws<SettingsException>(() => Load(adapter)).Message);
        Assert.Equal(Place, Load(adapter, $"model.init-base={Place}").Training.Model.InitBase);
        Assert.Contains($"{Folder} is no folder of a model", Assert.Throws<SettingsException>(
            () => Load(adapter, $"model.init-base={Folder}")).Message, StringComparison.Ordinal);
        Assert.Contains($"{Place} is a whole model and no adapter beside another one", Assert.Throws<SettingsException>(
            () => Load(Place, $"model.init-base={Place}")).Message, StringComparison.Ordinal);
        Assert.Contains("model.init-base is set and model.init is not", Assert.Throws<SettingsException>(
            () => ConfigurationLoader.Load(new([], [$"model.init-base={Place}"]))).Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void An_adapter_and_its_model_are_pinned_piece_by_piece_to_what_loading_both_finds(bool freezesA)
    {
        Write();
        using var network = ModelFolder.Open(Place);
        var adapter = WriteAdapter(Place, network.Fingerprint());
        var pinned = StartingPoint.Pin(Load(adapter, $"model.lora-freeze-a={(freezesA ? "true" : "false")}").Training.Model);
        using var loaded = network.Load();
        using var its = AdapterFolder.Open(adapter);
        using var vectors = its.Load(loaded, pinned, network.Fingerprint).Vectors;
        Assert.Equal(pinned.InitDigest, vectors.FingerprintOf().Hex);
        // Which refuses weights of another digest.
        StartingPoint.Open(pinned, seed: 3).Dispose();
        Assert.Equal(freezesA, pinned.Lora.FreezesA);
    }

    [Fact]
    public void An_adapter_that_was_trained_beside_other_weights_is_not_pinned()
    {
        Write();
        var model = Load(WriteAdapter(Place)).Training.Model;
        Assert.Contains(
            $"it was trained beside the weights {Digest.Of("the network"u8).Short}, and the model's are ",
            Assert.Throws<ElasticException>(() => StartingPoint.Pin(model)).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Weights_that_are_not_there_are_told_before_a_corpus_is_built_unless_the_run_has_read_them()
    {
        var models = new StoredModels(Folder);
        var none = Model with { Init = Path.Combine(Folder, "nope"), InitDigest = null, Vocabulary = 0 };
        Assert.Equal(
            $"model.init = {none.Init}: there is no such folder or file: name a Hugging Face folder, or the round-NNNNNN.json of a run's "
            + "checkpoints folder", Assert.Throws<NotFoundException>(() => StartingPoint.Check(none, null, models)).Message);
        Assert.Throws<NotFoundException>(() => StartingPoint.Check(none, none with { Init = Folder }, models));
        StartingPoint.Check(none, none, models);
    }

    // Exported by a run whose model was at a place.
    private string WriteAdapter(string place, Digest? network = null)
    {
        var adapted = Model with { Lora = Model.Lora with { Rank = 4, Alpha = 12 } };
        using var vectors = new ReplicaVectors(Architectures.LayoutOf(adapted));
        Initialization.Fill(vectors, 8);
        var folder = Path.Combine(Folder, "adapter");
        AdapterFolderWriter.Write(
            folder, vectors, adapted with { Init = Place }, ElementType.Float32, network ?? Digest.Of("the network"u8));
        var config = Path.Combine(folder, AdapterFolder.ConfigName);
        File.WriteAllText(config, File.ReadAllText(config).Replace($"\"{Place}\"", $"\"{place}\"", StringComparison.Ordinal));
        return folder;
    }

    [Fact]
    public void A_path_of_weights_is_the_same_however_it_is_given_and_one_from_another_machine_has_to_be_whole()
    {
        var full = Path.GetFullPath("round-000005.json");
        Assert.Equal(full, ConfigurationLoader.Load(new([], ["model.init=round-000005.json"])).Training.Model.Init);
        Assert.Equal(full, Load("round-000005.json").Training.Model.Init);
        Assert.Equal("s3://bucket/gpt2", Load("s3://bucket/gpt2").Training.Model.Init);
        Assert.Equal(full, new RequestedRun([], [], "a", [$"model.init={full}"]).Load(null).Training.Model.Init);
        Assert.Equal(
            "model.init = round-000005.json (--set): the seed and the workers read it on their machines, so give its full path there, or "
                + "s3://BUCKET/PREFIX",
            Assert.Throws<SettingsException>(
                () => new RequestedRun([], [], "a", ["model.init=round-000005.json"]).Load(null)).Message);

        // A run that was begun with a relative one goes on with it.
        var settings = ConfigurationLoader.Load(new([], [])).Training;
        var begun = new RememberedRun(
            new("a-00000000"), settings with { Model = settings.Model with { Init = "round-000005.json" } }, Digest.Of([]));
        foreach (var sets in (string[][])[[], ["model.init=round-000005.json"]])
        {
            Assert.Equal("round-000005.json", ConfigurationLoader.LoadFor(begun, new([], sets)).Training.Model.Init);
            Assert.Equal("round-000005.json", new RequestedRun([], [], "a", sets).Load(begun).Training.Model.Init);
        }
    }

    private static ElasticSettings Load(string init, params string[] sets) => Load([init], sets);

    private static ElasticSettings Load(IEnumerable<string> init, string[]? sets = null, string[]? configs = null) =>
        ConfigurationLoader.Load(
            new(configs ?? [], sets ?? []) { Options = [.. init.Select(i => ("--init", "model.init", (string?)i))] });

    private ElasticSettings Load() => Load(Place);

    private void Write() => Write(Model);

    private void Write(ModelSettings model)
    {
        if (Directory.Exists(Place))
            Directory.Delete(Place);
        using var vectors = new ReplicaVectors(Architectures.LayoutOf(model));
        Initialization.Fill(vectors, 7);
        ModelFolderWriter.Write(Place, vectors, model, ElementType.Float32, 256, TokenizerFiles.Of(Tokenizer.Open("byte"), model.Context));
    }
}
