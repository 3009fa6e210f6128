using System.Text;
using System.Text.Json.Nodes;
using Elastic.Foundation;
using Elastic.Messages.Settings;
using Elastic.Messages.Vectors;
using Elastic.Model.Exchange;
using Elastic.Model.Networks;
using Elastic.Model.Optimization;
using Elastic.Model.Vectors;
using Elastic.Testing;

namespace Elastic.Model.Tests.Exchange;

/// <summary>Adapters as PEFT keeps them. The format is that of its documentation; PEFT itself is not asked.</summary>
public sealed class AdapterFolderTests : TemporaryFolder
{
    private static readonly ModelSettings Gpt2 = Samples.Tiny() with { Lora = ModelSettings.Defaults.Lora with { Rank = 4, Alpha = 12 } };

    private static readonly ModelSettings Llama = Samples.Llama(2, 4, 2, 32, 16, 97) with
    {
        Lora = Gpt2.Lora with { Targets = ["q_proj", "down_proj"], FreezesA = true },
    };

    private static readonly Digest Network = Digest.Of("the network"u8);

    private string Place => Path.Combine(Folder, "adapter");

    [Theory]
    [InlineData("gpt2")]
    [InlineData("llama")]
    public void What_was_written_comes_back_byte_for_byte_beside_its_model_and_is_written_alike_again(string kind)
    {
        var model = kind == "gpt2" ? Gpt2 : Llama;
        using var vectors = Trained(model);
        AdapterFolderWriter.Write(Place, vectors, model, ElementType.Float32, Network);

        using var folder = AdapterFolder.Open(Place);
        Assert.Equal(Network, folder.Network);
        using var network = Adapters.NetworkOf(vectors, model);
        var (back, its) = folder.Load(network, model.WithoutAdapters(), () => Network);
        using (back)
        {
            Assert.Equal((model.Lora.Rank, model.Lora.Scale), (its.Lora.Rank, its.Lora.Scale));
            foreach (var segment in vectors.Layout.Segments)           // a frozen A lies elsewhere
                Assert.Equal(Bytes(vectors, segment.Name), Bytes(back, segment.Name));
            using (var device = Samples.Device(vectors, model))
            using (var same = Samples.Device(back, its))
                Assert.Equal(device.Logits([1, 2, 3]), same.Logits([1, 2, 3]));

            AdapterFolderWriter.Write(Place + "2", back, its, ElementType.Float32, Network);
        }
        foreach (var file in (string[])[AdapterFolder.ConfigName, AdapterFolder.WeightsName])
            Assert.Equal(File.ReadAllBytes(Path.Combine(Place, file)), File.ReadAllBytes(Path.Combine(Place + "2", file)));
    }

    [Fact]
    public void Names_shapes_and_keys_are_those_that_PEFT_documents()
    {
        using var vectors = Samples.Initialized(Gpt2);
        AdapterFolderWriter.Write(Place, vectors, Gpt2, ElementType.BFloat16, Network);
        Assert.Equal([AdapterFolder.ConfigName, AdapterFolder.WeightsName],
            Directory.GetFiles(Place).Select(Path.GetFileName).Order(StringComparer.Ordinal));
        using (var file = SafetensorsFile.Open(Path.Combine(Place, AdapterFolder.WeightsName)))
        {
            Assert.Equal("pt", file.Texts["format"]);
            Assert.Equal(
                [.. from layer in Enumerable.Range(0, 2)
                    from factor in (string[])["A.weight [4, 32]", "B.weight [96, 4]"]
                    select $"base_model.model.transformer.h.{layer}.attn.c_attn.lora_{factor} BF16"],
                file.Tensors.Select(t => $"{t.Name} [{string.Join(", ", t.Shape)}] {t.Type}"));
        }
        var config = Config();
        Assert.Equal(
            ("LORA", 4, 12.0, "none", true, true, "CAUSAL_LM"),
            ((string?)config["peft_type"], (int)config["r"]!, (double)config["lora_alpha"]!, (string?)config["bias"],
                (bool)config["fan_in_fan_out"]!, (bool)config["inference_mode"]!, (string?)config["task_type"]));
        Assert.Equal(["c_attn"], config["target_modules"]!.AsArray().Select(t => (string?)t));
        Assert.Null(config["base_model_name_or_path"]);

        using var llama = Samples.Initialized(Llama);
        AdapterFolderWriter.Write(Place + "2", llama, Llama with { Init = Folder }, ElementType.Float32, Network);
        config = Config("2");
        Assert.False((bool)config["fan_in_fan_out"]!);                 // weights are stored (out, in)
        Assert.Equal(Folder, (string?)config["base_model_name_or_path"]);
        using var other = SafetensorsFile.Open(Path.Combine(Place + "2", AdapterFolder.WeightsName));
        Assert.Contains(other.Tensors, t => t.Name == "base_model.model.model.layers.1.mlp.down_proj.lora_B.weight");
        Assert.Equal(8, other.Tensors.Count);
    }

    [Fact]
    public void A_config_of_two_keys_means_what_PEFTs_defaults_mean()
    {
        var model = Gpt2 with { Lora = Gpt2.Lora with { Rank = 8 } };
        using var vectors = Trained(model);
        AdapterFolderWriter.Write(Place, vectors, model, ElementType.Float32, Network);
        Write("""{"peft_type": "LORA", "target_modules": ["c_attn"]}""");
        using var folder = AdapterFolder.Open(Place);
        Assert.Equal((8, 1.0), (folder.Lora.Rank, folder.Lora.Scale));
    }

    [Fact]
    public void An_adapter_of_another_model_is_refused_with_every_tensor_that_does_not_fit()
    {
        using var vectors = Samples.Initialized(Gpt2);
        AdapterFolderWriter.Write(Place, vectors, Gpt2, ElementType.Float32, Network);
        using var folder = AdapterFolder.Open(Place);

        // One layer more, of another width.
        var other = Samples.Model(3, 4, 64, 16, 97);
        using var network = Samples.Initialized(other);
        var refusal = Assert.Throws<ElasticException>(() => folder.Load(network, other, () => Network));
        string Of(int layer, string factor) => $"base_model.model.transformer.h.{layer}.attn.c_attn.lora_{factor}.weight";
        string[] listed =
        [
            .. from layer in Enumerable.Range(0, 2)
               from line in new[]
               {
                   Of(layer, "A") + " has the shape [4, 32], and beside this model's layer it is [4, 64]",
                   Of(layer, "B") + " has the shape [96, 4], and beside this model's layer it is [192, 4]",
               }
               select line,
            Of(2, "A") + " is missing: [4, 64]",
            Of(2, "B") + " is missing: [192, 4]",
        ];
        Assert.Equal(
            [
                $"the adapter in {Place} does not belong to this {other.Signature}: "
                    + "name the model beside which it was trained (6 problems)",
                .. listed,
            ],
            refusal.Message.Split('\n'));

        // The same shapes, other weights.
        using var same = Samples.Initialized(Gpt2.WithoutAdapters(), seed: 8);
        Assert.Contains($"it was trained beside the weights {Network.Short}, and the model's are {Digest.Of("other"u8).Short}",
            Assert.Throws<ElasticException>(() => folder.Load(same, Gpt2.WithoutAdapters(), () => Digest.Of("other"u8))).Message,
            StringComparison.Ordinal);
    }

    [Fact]
    public void What_is_no_adapter_and_what_is_not_computed_here_is_refused_with_every_reason()
    {
        Assert.Contains($"is no folder of an adapter: it has no {AdapterFolder.ConfigName}; name one that PEFT's save_pretrained or "
            + "elastic export --adapter wrote", Refusal(), StringComparison.Ordinal);
        Directory.CreateDirectory(Place);
        Write("""
            {"peft_type": "IA3", "bias": "all", "use_dora": true, "rank_pattern": {"c_attn": 2}, "modules_to_save": ["wte"], "r": 0.5,
             "target_modules": "all-linear"}
            """);
        var lines = Refusal().Split('\n');
        foreach (var key in (string[])["peft_type", "bias", "use_dora", "rank_pattern", "modules_to_save", "r", "target_modules"])
            Assert.Single(lines, l => l.StartsWith($"{key} = ", StringComparison.Ordinal));
        Assert.Equal(7, lines.Length);
        foreach (var numbers in (string[])["\"r\": 0", "\"r\": -1", "\"lora_alpha\": 0", "\"lora_alpha\": 1e999"])
        {
            Write("{\"peft_type\": \"LORA\", " + numbers + ", \"target_modules\": [\"c_attn\"]}");
            Assert.Contains("an adapter has a rank of at least 1 and an alpha above 0", Refusal(), StringComparison.Ordinal);
        }
        Write("""{"peft_type": "LORA", "target_modules": ["c_attn"]}""");
        Assert.Contains(AdapterFolder.WeightsName, Refusal(), StringComparison.Ordinal);

        using var all = Samples.Initialized(Gpt2.WithoutAdapters());
        Assert.Contains("has no adapter: all its weights were trained", Assert.Throws<ElasticException>(() =>
            AdapterFolderWriter.Write(Place + "2", all, Gpt2.WithoutAdapters(), ElementType.Float32, Network)).Message,
            StringComparison.Ordinal);
        Assert.False(Directory.Exists(Place + "2"));
    }

    // What A and B begin with says whether the weights beside them are the published ones.
    [Fact]
    public void An_adapter_whose_beginning_changed_the_weights_beside_it_is_refused_with_what_to_do()
    {
        using var vectors = Samples.Initialized(Gpt2);
        AdapterFolderWriter.Write(Place, vectors, Gpt2, ElementType.Float32, Network);
        string Of(string more) => """{"peft_type": "LORA", "target_modules": ["c_attn"], """ + more + "}";
        foreach (var plain in (string[])["null", "true", "false", "\"gaussian\"", "\"eva\"", "\"orthogonal\""])
        {
            Write(Of($"\"init_lora_weights\": {plain}"));
            AdapterFolder.Open(Place).Dispose();
        }
        foreach (var other in (string[])["\"pissa\"", "\"pissa_niter_16\"", "\"olora\"", "\"corda\"", "\"loftq\"", "\"lora_ga\"", "1"])
        {
            Write(Of($"\"init_lora_weights\": {other}"));
            Assert.StartsWith($"init_lora_weights = {other} (", Refusal(), StringComparison.Ordinal);
            Assert.Contains("path_initial_model_for_weight_conversion", Refusal(), StringComparison.Ordinal);
        }
    }

    [Fact]
    public void Kinds_of_LoRA_with_other_arithmetic_are_refused_by_their_keys_and_their_defaults_are_not()
    {
        using var vectors = Samples.Initialized(Gpt2);
        AdapterFolderWriter.Write(Place, vectors, Gpt2, ElementType.Float32, Network);
        Write("""
            {"peft_type": "LORA", "target_modules": ["c_attn"], "alora_invocation_tokens": null, "arrow_config": null, "use_qalora": false,
             "use_bdlora": null}
            """);
        AdapterFolder.Open(Place).Dispose();
        Write("""
            {"peft_type": "LORA", "target_modules": ["c_attn"], "alora_invocation_tokens": [5, 6], "arrow_config": {"top_k": 3},
             "use_qalora": true, "use_bdlora": {"nblocks": 2}}
            """);
        var lines = Refusal().Split('\n');
        foreach (var key in (string[])["alora_invocation_tokens", "arrow_config", "use_qalora", "use_bdlora"])
            Assert.Single(lines, l => l.StartsWith($"{key} = ", StringComparison.Ordinal));
        Assert.Equal(4, lines.Length);
    }

    private string Refusal() => Assert.Throws<ElasticException>(() => AdapterFolder.Open(Place)).Message;

    private void Write(string config) => File.WriteAllText(Path.Combine(Place, AdapterFolder.ConfigName), config, new UTF8Encoding(false));

    private JsonObject Config(string behind = "") =>
        JsonNode.Parse(File.ReadAllText(Path.Combine(Place + behind, AdapterFolder.ConfigName)))!.AsObject();

    private static ReplicaVectors Trained(ModelSettings model)
    {
        var vectors = Samples.Initialized(model);
        Samples.Train(
            Architectures.Open(model), Optimizers.Open(Samples.Optimizer()), vectors, 1,
            Enumerable.Range(0, 3).Select(i => Samples.MicroBatches(model, 2, 2, i)), rate: _ => 0.02);
        return vectors;
    }

    private static byte[] Bytes(ReplicaVectors vectors, string name) =>
        vectors.Bytes(VectorSet.Parameters, vectors.Layout[name].Offset, (int)vectors.Layout[name].Count).ToArray();
}
