using System.Text.Json.Nodes;
using Elastic.Foundation;
using Elastic.Messages.Settings;
using Elastic.Messages.Vectors;
using Elastic.Model.Exchange;
using Elastic.Model.Networks;
using Elastic.Testing;

namespace Elastic.Model.Tests.Exchange;

/// <summary>Folders of Llama, Qwen2 and Qwen3.</summary>
public sealed class LlamaFormatTests : TemporaryFolder
{
    private static readonly IReadOnlyDictionary<string, byte[]> NoFiles = new Dictionary<string, byte[]>();

    private string Place => Path.Combine(Folder, "model");

    private string Config => Path.Combine(Place, "config.json");

    public static TheoryData<string, string> Kinds => new()
    {
        { "llama", "" }, { "llama", "linear" }, { "llama", "dynamic" }, { "llama", "yarn" }, { "llama", "llama3" },
        { "qwen2", "" }, { "qwen3", "" }, { "mistral", "" },
    };

    [Theory]
    [MemberData(nameof(Kinds))]
    public void A_model_that_is_written_is_read_as_what_it_was_bit_for_bit(string type, string scaling)
    {
        var model = Samples.Llama(2, 4, 2, 32, 16, 97, l => l with
        {
            AttentionBiases = type == "qwen2",
            HeadNorms = type == "qwen3",
            AttentionWindow = type == "mistral" ? 5 : 0,
            TiedEmbeddings = type == "qwen2",
            NormEpsilon = 1e-6,
            HeadSize = 8,
            FeedForward = 48,
            KeyHeads = 2,
            Rotary = l.Rotary with
            {
                Theta = 500_000,
                Scaling = scaling.Length == 0 ? RotaryScaling.None : Enum.Parse<RotaryScaling>(scaling, ignoreCase: true),
                Factor = scaling.Length == 0 ? 1 : 4,
                OriginalContext = scaling is "dynamic" or "yarn" or "llama3" ? 8 : 0,
                YarnBetas = scaling == "yarn" ? new NumberPair(16, 2) : l.Rotary.YarnBetas,
                YarnAttention = scaling == "yarn" ? 1.25 : null,
                Llama3Factors = scaling == "llama3" ? new NumberPair(1, 2) : l.Rotary.Llama3Factors,
            },
        });
        using var written = Samples.Initialized(model);
        ModelFolderWriter.Write(Place, written, model, ElementType.Float32, 96, NoFiles);
        Assert.Equal(type, JsonNode.Parse(File.ReadAllText(Config))!["model_type"]!.GetValue<string>());
        using var folder = ModelFolder.Open(Place);
        Assert.Equal(model.Signature, folder.Model.Signature);
        Assert.Equal(model.Llama, folder.Model.Llama);
        Assert.Equal((model.Context, model.Vocabulary), (folder.Model.Context, folder.Model.Vocabulary));
        using var read = folder.Load();
        Assert.Equal(Samples.Values(written.Parameters), Samples.Values(read.Parameters));
    }

    // What Transformers' classes have where a config says nothing; published configs of Llama 3.2 and Qwen3 say the rest.
    [Fact]
    public void A_published_config_means_what_its_model_is()
    {
        var model = Samples.Llama(1, 4, 2, 32, 16, 97);
        using var vectors = Samples.Initialized(model);
        ModelFolderWriter.Write(Place, vectors, model, ElementType.Float32, 96, NoFiles);
        ReferenceFolders.Edit(Config, ("head_dim", null), ("rope_scaling", null), ("rms_norm_eps", 1e-5), ("tie_word_embeddings", null));
        using var folder = ModelFolder.Open(Place);
        Assert.Equal((0, 8, 1e-5, false),
            (folder.Model.Llama.HeadSize, folder.Model.HeadSize, folder.Model.Llama.NormEpsilon, folder.Model.Llama.TiedEmbeddings));
    }

    [Fact]
    public void Rotary_positions_are_read_as_Transformers_5_writes_them_too()
    {
        var model = Samples.Llama(1, 4, 2, 32, 16, 97);
        using var vectors = Samples.Initialized(model);
        ModelFolderWriter.Write(Place, vectors, model, ElementType.Float32, 96, NoFiles);
        RotarySettings Rotary(JsonObject parameters)
        {
            ReferenceFolders.Edit(Config, ("rope_theta", null), ("rope_scaling", null), ("rope_parameters", parameters));
            using var folder = ModelFolder.Open(Place);
            return folder.Model.Llama.Rotary;
        }
        var plain = Rotary(new() { ["rope_type"] = "default", ["rope_theta"] = 500_000.0 });
        Assert.Equal((500_000, RotaryScaling.None), (plain.Theta, plain.Scaling));
        var linear = Rotary(new() { ["rope_type"] = "linear", ["rope_theta"] = 20_000.0, ["factor"] = 4.0 });
        Assert.Equal((20_000, RotaryScaling.Linear, 4), (linear.Theta, linear.Scaling, linear.Factor));
    }

    [Fact]
    public void A_theta_beside_rope_parameters_counts_where_these_have_none_and_two_that_differ_are_refused()
    {
        WriteModel(Samples.Llama(1, 4, 2, 32, 16, 97));
        double Theta(JsonNode? beside, JsonObject parameters)
        {
            ReferenceFolders.Edit(Config, ("rope_theta", beside), ("rope_scaling", null), ("rope_parameters", parameters));
            return Read().Llama.Rotary.Theta;
        }
        Assert.Equal(500_000, Theta(500_000.0, new() { ["rope_type"] = "default" }));
        Assert.Equal(500_000, Theta(500_000.0, new() { ["rope_type"] = "default", ["rope_theta"] = null }));
        Assert.Equal(500_000, Theta(500_000, new() { ["rope_type"] = "linear", ["factor"] = 2.0, ["rope_theta"] = 500_000.0 }));
        Assert.Equal(10_000, Theta(null, new() { ["rope_type"] = "default" }));
        var refusal = Assert.Throws<ElasticException>(
            () => Theta(500_000.0, new() { ["rope_type"] = "default", ["rope_theta"] = 20_000.0 })).Message;
        Assert.StartsWith("rope_theta = 20000", refusal, StringComparison.Ordinal);
        Assert.EndsWith(
            $"rope_theta in {Config} is 500000: keep the one that the weights were trained with", refusal, StringComparison.Ordinal);
    }

    // As Transformers has it: the quotient of two magnitudes where both keys are there and not 0, else the paper's.
    [Theory]
    [InlineData(1.0, 0.5, null)]
    [InlineData(0.707, 0.707, null)]
    [InlineData(1.0, 0.0, null)]
    [InlineData(0.0, 1.0, null)]
    [InlineData(0.5, null, null)]
    [InlineData(null, 0.5, null)]
    [InlineData(null, null, null)]
    [InlineData(1.0, 0.5, 1.25)]
    public void The_magnitude_of_yarn_is_what_its_config_says(double? mscale, double? allDimensions, double? attention)
    {
        const double Factor = 40;
        WriteModel(Samples.Llama(1, 4, 2, 32, 16, 97));
        ReferenceFolders.Edit(Config, ("rope_scaling", new JsonObject
        {
            ["rope_type"] = "yarn",
            ["factor"] = Factor,
            ["original_max_position_embeddings"] = 8,
            ["mscale"] = mscale,
            ["mscale_all_dim"] = allDimensions,
            ["attention_factor"] = attention,
            ["truncate"] = true,
        }));
        double Of(double m) => 0.1 * m * Math.Log(Factor) + 1;
        var expected = attention ?? (mscale > 0 && allDimensions > 0 ? Of(mscale.Value) / Of(allDimensions.Value) : Of(1));
        Assert.Equal(expected, RotaryFrequencies.Of(Read().Llama.Rotary, 8, 1).Magnitude, 1e-14);
    }

    [Fact]
    public void Yarn_whose_ends_are_not_whole_pairs_is_refused()
    {
        WriteModel(Samples.Llama(1, 4, 2, 32, 16, 97));
        // Transformers takes null for false here.
        foreach (var truncate in (JsonNode?[])[false, null])
        {
            ReferenceFolders.Edit(Config, ("rope_scaling", new JsonObject
            {
                ["rope_type"] = "yarn",
                ["factor"] = 4.0,
                ["original_max_position_embeddings"] = 8,
                ["truncate"] = truncate,
            }));
            Assert.StartsWith(
                $"truncate = {(truncate is null ? "null" : "false")} (rope_scaling in {Config}): the arithmetic here knows true only",
                Assert.Throws<ElasticException>(() => Read()).Message, StringComparison.Ordinal);
        }
    }

    // Transformers stretches dynamic positions from max_position_embeddings and passes over original_max_position_embeddings.
    [Fact]
    public void Dynamic_positions_are_stretched_from_max_position_embeddings_by_every_reader_of_a_folder()
    {
        WriteModel(Samples.Llama(1, 4, 2, 32, 16, 97, l => l with
        {
            Rotary = l.Rotary with { Scaling = RotaryScaling.Dynamic, Factor = 4, OriginalContext = 8 },
        }));
        var json = JsonNode.Parse(File.ReadAllText(Config))!;
        Assert.Equal(8, (int)json["max_position_embeddings"]!);
        Assert.Equal(["rope_type", "factor"], json["rope_scaling"]!.AsObject().Select(k => k.Key));
        Assert.Equal((16, 8), (Read().Context, Read().Llama.Rotary.OriginalContext));
        // A folder of another program says no more than this.
        ReferenceFolders.Edit(Config, ("elastic_context", null));
        Assert.Equal((8, 8), (Read().Context, Read().Llama.Rotary.OriginalContext));

        JsonObject Scaling(int original) =>
            new() { ["type"] = "dynamic", ["factor"] = 4.0, ["original_max_position_embeddings"] = original };
        ReferenceFolders.Edit(Config, ("rope_scaling", Scaling(8)));
        Assert.Equal((8, 8), (Read().Context, Read().Llama.Rotary.OriginalContext));
        ReferenceFolders.Edit(Config, ("rope_scaling", Scaling(4)));
        Assert.Contains(
            $"original_max_position_embeddings = 4 (rope_scaling in {Config}): Transformers stretches dynamic positions from "
                + "max_position_embeddings = 8 and passes over this number",
            Assert.Throws<ElasticException>(() => Read()).Message, StringComparison.Ordinal);
    }

    // As MistralConfig has it: 4096 where the key is absent, and all tokens where it is null, as in Mistral 7B v0.2.
    [Fact]
    public void A_window_of_Mistral_is_what_its_config_says()
    {
        var model = Samples.Llama(1, 4, 2, 32, 16, 97, l => l with { AttentionWindow = 5 });
        using var vectors = Samples.Initialized(model);
        ModelFolderWriter.Write(Place, vectors, model, ElementType.Float32, 96, NoFiles);
        int Window()
        {
            using var folder = ModelFolder.Open(Place);
            return folder.Model.Llama.AttentionWindow;
        }
        Assert.Equal(5, Window());
        ReferenceFolders.Edit(Config, ("sliding_window", null));
        Assert.Equal(4096, Window());
        File.WriteAllText(Config, File.ReadAllText(Config).Replace("{", "{\"sliding_window\":null,", StringComparison.Ordinal));
        Assert.Equal(0, Window());
        ReferenceFolders.Edit(Config, ("sliding_window", "wide"));
        Assert.Contains("sliding_window = \"wide\"", Assert.Throws<ElasticException>(() => _ = Window()).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void What_this_arithmetic_does_not_do_is_refused_by_its_key()
    {
        var model = Samples.Llama(1, 4, 2, 32, 16, 97);
        using var vectors = Samples.Initialized(model);
        ModelFolderWriter.Write(Place, vectors, model, ElementType.Float32, 96, NoFiles);
        ReferenceFolders.Edit(Config,
            ("hidden_act", "gelu"), ("mlp_bias", true), ("attention_bias", true), ("use_sliding_window", true),
            ("rope_parameters", new JsonObject { ["rope_type"] = "longrope" }),
            ("rope_scaling", new JsonObject { ["rope_type"] = "linear" }),
            ("rms_norm_eps", "small"), ("tie_word_embeddings", 1));
        var lines = Assert.Throws<ElasticException>(() => ModelFolder.Open(Place)).Message.Split('\n');
        foreach (var key in new[] { "hidden_act", "mlp_bias", "attention_bias", "use_sliding_window", "rope_scaling", "rope_type",
            "rms_norm_eps", "tie_word_embeddings" })
            Assert.Contains(lines, l => l.StartsWith($"{key} = ", StringComparison.Ordinal));
    }

    [Fact]
    public void A_model_that_no_class_of_Transformers_has_is_not_written()
    {
        var model = Samples.Llama(1, 4, 2, 32, 16, 97, l => l with { AttentionBiases = true, HeadNorms = true });
        using var vectors = Samples.Initialized(model);
        Assert.Contains(
            "cannot be exported: Transformers' classes that are known here are GPT2LMHeadModel, LlamaForCausalLM",
            Assert.Throws<ElasticException>(
                () => ModelFolderWriter.Write(Place, vectors, model, ElementType.Float32, 96, NoFiles)).Message,
            StringComparison.Ordinal);
    }

    private void WriteModel(ModelSettings model)
    {
        using var vectors = Samples.Initialized(model);
        ModelFolderWriter.Write(Place, vectors, model, ElementType.Float32, 96, NoFiles);
    }

    private ModelSettings Read()
    {
        using var folder = ModelFolder.Open(Place);
        return folder.Model;
    }
}
