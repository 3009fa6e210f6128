using System.Text.Json;
using System.Text.RegularExpressions;
using Elastic.Messages.Settings;

namespace Elastic.Model.Exchange;

/// <summary>GPT-2's folders. Keys and their defaults are those of Transformers' GPT2Config.</summary>
internal sealed partial class Gpt2Format() : ModelFormat("gpt2", "gpt2", "GPT2LMHeadModel")
{
    private const string Prefix = "transformer.", Head = "lm_head.weight";

    private const double NormEpsilon = 1e-5;

    private static readonly LearnedPositionSizes Sizes =
        new(("n_layer", 12), ("n_head", 12), ("n_embd", 768), ("n_positions", 1024), 50_257, "n_inner");

    /// <inheritdoc/>
    public override IReadOnlyList<SettingText> Read(ModelConfig config)
    {
        ArgumentNullException.ThrowIfNull(config);
        // Two names of one formula: x / 2 (1 + tanh(sqrt(2 / pi) (x + 0.044715 x^3))).
        config.Require("activation_function", "gelu_new", "gelu_new", "gelu_pytorch_tanh");
        config.Require("layer_norm_epsilon", NormEpsilon);
        config.Require("scale_attn_weights", true);
        config.Require("scale_attn_by_inverse_layer_idx", false);
        config.Require("add_cross_attention", false);
        config.Require("tie_word_embeddings", true);
        return [.. Sizes.Read(config)];
    }

    /// <inheritdoc/>
    public override void Write(Utf8JsonWriter json, ModelSettings model)
    {
        ArgumentNullException.ThrowIfNull(json);
        ArgumentNullException.ThrowIfNull(model);
        json.WriteString("activation_function", "gelu_new");
        foreach (var dropout in (string[])["attn_pdrop", "embd_pdrop", "resid_pdrop"])
            json.WriteNumber(dropout, model.Dropout);
        json.WriteNumber("initializer_range", 0.02);
        json.WriteNumber("layer_norm_epsilon", NormEpsilon);
        json.WriteNumber("n_ctx", model.Context);
        json.WriteNull("n_inner");
        Sizes.Write(json, model);
        json.WriteBoolean("scale_attn_by_inverse_layer_idx", false);
        json.WriteBoolean("scale_attn_weights", true);
        json.WriteBoolean("tie_word_embeddings", true);
    }

    /// <inheritdoc/>
    /// <remarks>
    /// GPT2Model writes names without "transformer.", GPT2LMHeadModel with it. Older versions wrote the attention's mask as buffers.
    /// </remarks>
    public override string? ParameterOf(string tensor)
    {
        ArgumentNullException.ThrowIfNull(tensor);
        return Mask().IsMatch(tensor) ? null
            : tensor == Head || tensor.StartsWith(Prefix, StringComparison.Ordinal) ? tensor : Prefix + tensor;
    }

    [GeneratedRegex(@"^(transformer\.)?h\.[0-9]+\.attn\.(masked_)?bias$", RegexOptions.ExplicitCapture, 1000)]
    private static partial Regex Mask();
}
