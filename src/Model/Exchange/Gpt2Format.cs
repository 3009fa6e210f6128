using System.Text.Json;
using System.Text.RegularExpressions;
using Elastic.Messages.Settings;

namespace Elastic.Model.Exchange;

/// <summary>GPT-2's folders. Keys and their defaults are those of Transformers' GPT2Config.</summary>
internal sealed partial class Gpt2Format : IModelFormat
{
    private const string Prefix = "transformer.", Head = "lm_head.weight";

    private const double NormEpsilon = 1e-5;

    /// <inheritdoc/>
    public string ModelType => "gpt2";

    /// <inheritdoc/>
    public string Architecture => "gpt2";

    /// <inheritdoc/>
    public string ClassName => "GPT2LMHeadModel";

    /// <inheritdoc/>
    public bool Fits(ModelSettings model)
    {
        ArgumentNullException.ThrowIfNull(model);
        return model.Architecture == Architecture;
    }

    /// <inheritdoc/>
    public IReadOnlyList<SettingText> Read(ModelConfig config)
    {
        ArgumentNullException.ThrowIfNull(config);
        // Two names of one formula: x / 2 (1 + tanh(sqrt(2 / pi) (x + 0.044715 x^3))).
        config.Require("activation_function", "gelu_new", "gelu_new", "gelu_pytorch_tanh");
        config.Require("layer_norm_epsilon", NormEpsilon);
        config.Require("scale_attn_weights", true);
        config.Require("scale_attn_by_inverse_layer_idx", false);
        config.Require("add_cross_attention", false);
        config.Require("tie_word_embeddings", true);
        var width = config.Whole("model.width", "n_embd", 768);
        config.RequireNullOr("n_inner", 4 * ModelConfig.Number(width));
        return
        [
            config.Whole("model.layers", "n_layer", 12), config.Whole("model.heads", "n_head", 12), width,
            config.Whole("model.context", "n_positions", 1024), config.Whole("model.vocabulary", "vocab_size", 50257),
        ];
    }

    /// <inheritdoc/>
    public void Write(Utf8JsonWriter json, ModelSettings model)
    {
        ArgumentNullException.ThrowIfNull(json);
        ArgumentNullException.ThrowIfNull(model);
        json.WriteString("activation_function", "gelu_new");
        foreach (var dropout in (string[])["attn_pdrop", "embd_pdrop", "resid_pdrop"])
            json.WriteNumber(dropout, model.Dropout);
        json.WriteNumber("initializer_range", 0.02);
        json.WriteNumber("layer_norm_epsilon", NormEpsilon);
        json.WriteNumber("n_ctx", model.Context);
        json.WriteNumber("n_embd", model.Width);
        json.WriteNumber("n_head", model.Heads);
        json.WriteNull("n_inner");
        json.WriteNumber("n_layer", model.Layers);
        json.WriteNumber("n_positions", model.Context);
        json.WriteBoolean("scale_attn_by_inverse_layer_idx", false);
        json.WriteBoolean("scale_attn_weights", true);
        json.WriteBoolean("tie_word_embeddings", true);
    }

    /// <inheritdoc/>
    /// <remarks>
    /// GPT2Model writes names without "transformer.", GPT2LMHeadModel with it. Older versions wrote the attention's mask as buffers.
    /// </remarks>
    public string? ParameterOf(string tensor)
    {
        ArgumentNullException.ThrowIfNull(tensor);
        return Mask().IsMatch(tensor) ? null
            : tensor == Head || tensor.StartsWith(Prefix, StringComparison.Ordinal) ? tensor : Prefix + tensor;
    }

    [GeneratedRegex(@"^(transformer\.)?h\.[0-9]+\.attn\.(masked_)?bias$", RegexOptions.ExplicitCapture, 1000)]
    private static partial Regex Mask();
}
