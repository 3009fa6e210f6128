using System.Globalization;
using System.Text.Json;
using Elastic.Messages.Settings;
using Elastic.Model.Networks;

namespace Elastic.Model.Exchange;

/// <summary>
/// Folders of the Llama kind. Keys are those of Transformers' LlamaConfig; Qwen2's (biases of queries, keys and values) and Qwen3's (norms
/// of each head) differ in what they have no keys for, and Mistral's has a window.
/// </summary>
internal sealed class LlamaFormat(string modelType, string className, bool hasBiases, bool hasNorms, int headSize, int feedForward)
    : ModelFormat(modelType, "llama", className)
{
    /// <summary>What Qwen3Config has where head_dim is absent.</summary>
    private const int Divided = 0;

    // Elastic's own key, which Transformers passes over: model.context of a model with dynamic positions, for which
    // max_position_embeddings is the original context.
    private const string ContextKey = "elastic_context";

    // Whose model_type has a window.
    private const string WindowType = "mistral";

    /// <summary>Llama's.</summary>
    public static LlamaFormat Llama { get; } = new("llama", "LlamaForCausalLM", false, false, Divided, 11_008);

    /// <summary>Qwen2's.</summary>
    public static LlamaFormat Qwen2 { get; } = new("qwen2", "Qwen2ForCausalLM", true, false, Divided, 22_016);

    /// <summary>Qwen3's.</summary>
    public static LlamaFormat Qwen3 { get; } = new("qwen3", "Qwen3ForCausalLM", false, true, 128, 22_016);

    /// <summary>Mistral's; one without a window is of Llama's kind.</summary>
    public static LlamaFormat Mistral { get; } = new(WindowType, "MistralForCausalLM", false, false, Divided, 14_336);

    /// <inheritdoc/>
    public override bool Fits(ModelSettings model)
    {
        ArgumentNullException.ThrowIfNull(model);
        return base.Fits(model) && model.Llama.AttentionBiases == hasBiases && model.Llama.HeadNorms == hasNorms
            && model.Llama.AttentionWindow > 0 == HasWindow;
    }

    /// <inheritdoc/>
    public override IReadOnlyList<SettingText> Read(ModelConfig config)
    {
        ArgumentNullException.ThrowIfNull(config);
        config.Require("hidden_act", "silu", "silu");
        config.Require("mlp_bias", false);
        // Llama's biases are of the output, too; Qwen2 has no such key.
        config.Require("attention_bias", false);
        config.Require("use_sliding_window", false);
        // Transformers 5 has theta and scaling in one object; before, the one stood beside the other.
        var rotary = config.Part("rope_parameters");
        if (rotary is not null)
            config.RequireNull("rope_scaling");
        var scaling = rotary ?? config.Part("rope_scaling");
        var heads = config.Whole("model.heads", "num_attention_heads", 32);
        var positions = config.Whole(
            "model.context", "max_position_embeddings", ModelType switch { "llama" => 2048, WindowType => 131_072, _ => 32_768 });
        return
        [
            config.Whole("model.width", "hidden_size", 4096), heads,
            KindOf(scaling) == "dynamic" && config.Has(ContextKey) ? config.Whole("model.context", ContextKey, 0) : positions,
            config.Whole("model.layers", "num_hidden_layers", 32), config.Whole("model.vocabulary", "vocab_size", 32_000),
            config.WholeOrNull(
                "model.key-heads", "num_key_value_heads", HasWindow ? 8 : ModelConfig.Number(heads), ModelConfig.Number(heads)),
            .. HasWindow ? [config.WholeOrNull("model.attention-window", "sliding_window", 4096, 0)] : Array.Empty<SettingText>(),
            config.WholeOrNull("model.head-size", "head_dim", headSize, Divided),
            config.Whole("model.feed-forward", "intermediate_size", feedForward),
            config.Real("model.norm-epsilon", "rms_norm_eps", 1e-6), ThetaOf(config, scaling),
            config.Flag("model.tied-embeddings", "tie_word_embeddings", false),
            config.Given("model.attention-biases", hasBiases ? "true" : "false"),
            config.Given("model.head-norms", hasNorms ? "true" : "false"),
            .. scaling is null ? [] : ScalingOf(scaling, positions),
        ];
    }

    /// <inheritdoc/>
    public override void Write(Utf8JsonWriter json, ModelSettings model)
    {
        ArgumentNullException.ThrowIfNull(json);
        ArgumentNullException.ThrowIfNull(model);
        var llama = model.Llama;
        json.WriteNumber("attention_dropout", model.Dropout);
        if (ModelType is not ("qwen2" or WindowType))
            json.WriteBoolean("attention_bias", false);
        if (HasWindow)
            json.WriteNumber("sliding_window", llama.AttentionWindow);
        json.WriteNumber("head_dim", model.HeadSize);
        json.WriteString("hidden_act", "silu");
        json.WriteNumber("hidden_size", model.Width);
        json.WriteNumber("initializer_range", 0.02);
        json.WriteNumber("intermediate_size", model.FeedForward);
        var positions = llama.Rotary.Scaling == RotaryScaling.Dynamic ? llama.Rotary.OriginalContext : model.Context;
        json.WriteNumber("max_position_embeddings", positions);
        if (positions != model.Context)
            json.WriteNumber(ContextKey, model.Context);
        json.WriteNumber("num_attention_heads", model.Heads);
        json.WriteNumber("num_hidden_layers", model.Layers);
        json.WriteNumber("num_key_value_heads", model.KeyHeads);
        json.WriteNumber("rms_norm_eps", llama.NormEpsilon);
        json.WriteNumber("rope_theta", llama.Rotary.Theta);
        Write(json, llama.Rotary);
        json.WriteBoolean("tie_word_embeddings", llama.TiedEmbeddings);
    }

    /// <inheritdoc/>
    /// <remarks>Older versions wrote the frequencies of rotary positions as buffers.</remarks>
    public override string? ParameterOf(string tensor)
    {
        ArgumentNullException.ThrowIfNull(tensor);
        return tensor.EndsWith(".rotary_emb.inv_freq", StringComparison.Ordinal) ? null : tensor;
    }

    private bool HasWindow => ModelType == WindowType;

    private static string KindKey(ModelConfig scaling) => scaling.Has("rope_type") ? "rope_type" : "type";

    private static string? KindOf(ModelConfig? scaling) => scaling?.Word(KindKey(scaling));

    // The object's own, else the one beside it, as Transformers takes it.
    private static SettingText ThetaOf(ModelConfig config, ModelConfig? scaling)
    {
        const string Setting = "model.rope-theta", Key = "rope_theta";
        if (scaling?.Has(Key) != true)
            return config.Real(Setting, Key, 10_000);
        var theta = scaling.Real(Setting, Key, 10_000);
        if (config.Has(Key) && config.Real(Setting, Key, 10_000) is var beside && beside.Text != theta.Text)
            scaling.Note(Key, $"{beside.Where} is {beside.Text}: keep the one that the weights were trained with");
        return theta;
    }

    private static IEnumerable<SettingText> ScalingOf(ModelConfig scaling, SettingText positions)
    {
        var (key, kind) = (KindKey(scaling), KindOf(scaling));
        if (kind == "default")
            return [];
        scaling.Require(key, "", "linear", "dynamic", "yarn", "llama3");
        var factor = scaling.Real("model.rope-factor", "factor", 1);
        var original = scaling.Whole(
            "model.rope-original-context", "original_max_position_embeddings", ModelConfig.Number(positions));
        if (kind == "dynamic" && original.Text != positions.Text)
            scaling.Note(
                "original_max_position_embeddings",
                $"Transformers stretches dynamic positions from max_position_embeddings = {positions.Text} and passes over this number: "
                    + "make both the context that the weights were trained with first");
        if (kind == "yarn")
            scaling.Require("truncate", true);
        return (SettingText[])
        [
            scaling.Given("model.rope-scaling", kind ?? "none"), factor,
            .. kind switch
            {
                "dynamic" => [original],
                "yarn" =>
                [
                    original, scaling.Pair("model.rope-yarn-betas", ("beta_fast", 32), ("beta_slow", 1)),
                    .. AttentionOf(scaling, factor),
                ],
                "llama3" =>
                    [original, scaling.Pair("model.rope-llama3-factors", ("low_freq_factor", 1), ("high_freq_factor", 4))],
                _ => Array.Empty<SettingText>(),
            },
        ];
    }

    // Nothing for the paper's magnitude, which is 0.1 ln(factor) + 1.
    private static IEnumerable<SettingText> AttentionOf(ModelConfig scaling, SettingText factor)
    {
        const string Setting = "model.rope-yarn-attention";
        if (scaling.Has("attention_factor"))
            return [scaling.Real(Setting, "attention_factor", 1)];
        if (!scaling.Has("mscale") || !scaling.Has("mscale_all_dim"))
            return [];
        var (part, all) = (scaling.Real(Setting, "mscale", 0), scaling.Real(Setting, "mscale_all_dim", 0));
        var (m, n) = (ModelConfig.RealOf(part), ModelConfig.RealOf(all));
        if (m == 0 || n == 0)
            return [];
        double Magnitude(double scale) => RotaryFrequencies.YarnMagnitude(ModelConfig.RealOf(factor), scale);
        return [part with { Items = [(Magnitude(m) / Magnitude(n)).ToString("R", CultureInfo.InvariantCulture)] }];
    }

    private static void Write(Utf8JsonWriter json, RotarySettings rotary)
    {
        if (rotary.Scaling == RotaryScaling.None)
        {
            json.WriteNull("rope_scaling");
            return;
        }
        json.WriteStartObject("rope_scaling");
        json.WriteString("rope_type", rotary.Scaling.ToString().ToLowerInvariant());
        json.WriteNumber("factor", rotary.Factor);
        if (rotary.OriginalContext > 0 && rotary.Scaling != RotaryScaling.Dynamic)
            json.WriteNumber("original_max_position_embeddings", rotary.OriginalContext);
        if (rotary.Scaling == RotaryScaling.Yarn)
        {
            json.WriteNumber("beta_fast", rotary.YarnBetas.First);
            json.WriteNumber("beta_slow", rotary.YarnBetas.Second);
            if (rotary.YarnAttention is { } attention)
                json.WriteNumber("attention_factor", attention);
        }
        if (rotary.Scaling == RotaryScaling.Llama3)
        {
            json.WriteNumber("low_freq_factor", rotary.Llama3Factors.First);
            json.WriteNumber("high_freq_factor", rotary.Llama3Factors.Second);
        }
        json.WriteEndObject();
    }
}
