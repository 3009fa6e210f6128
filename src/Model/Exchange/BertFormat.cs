using System.Text.Json;
using System.Text.RegularExpressions;
using Elastic.Messages.Settings;

namespace Elastic.Model.Exchange;

/// <summary>
/// BERT's folders: masked language models, models that were also trained on the next sentence, and encoders without a head, as those of
/// sentence embeddings are. Keys and their defaults are those of Transformers' BertConfig.
/// </summary>
internal sealed partial class BertFormat() : ModelFormat("bert", "bert", "BertForMaskedLM")
{
    private const string Encoder = "bert.", Head = "cls.";

    private const double NormEpsilon = 1e-12;

    private const int Segments = 2;

    private static readonly LearnedPositionSizes Sizes = new(
        ("num_hidden_layers", 12), ("num_attention_heads", 12), ("hidden_size", 768), ("max_position_embeddings", 512), 30_522,
        "intermediate_size");

    /// <inheritdoc/>
    /// <remarks>mask_token_id is no key of BertConfig; an export has it, because a tokenizer may have no token that hides others.</remarks>
    public override IReadOnlyList<SettingText> Read(ModelConfig config)
    {
        ArgumentNullException.ThrowIfNull(config);
        config.Require("hidden_act", "gelu", "gelu");
        config.Require("position_embedding_type", "absolute", "absolute");
        config.Require("layer_norm_eps", NormEpsilon);
        config.Require("type_vocab_size", Segments);
        config.Require("is_decoder", false);
        config.Require("add_cross_attention", false);
        config.Require("tie_word_embeddings", true);
        return
        [
            .. Sizes.Read(config),
            .. config.Has("mask_token_id") ? [config.Whole("model.mask-token", "mask_token_id", 0)] : Array.Empty<SettingText>(),
        ];
    }

    /// <inheritdoc/>
    public override void Write(Utf8JsonWriter json, ModelSettings model)
    {
        ArgumentNullException.ThrowIfNull(json);
        ArgumentNullException.ThrowIfNull(model);
        json.WriteNumber("attention_probs_dropout_prob", model.Dropout);
        json.WriteString("hidden_act", "gelu");
        json.WriteNumber("hidden_dropout_prob", model.Dropout);
        json.WriteNumber("initializer_range", 0.02);
        json.WriteNumber("intermediate_size", model.FeedForward);
        json.WriteNumber("layer_norm_eps", NormEpsilon);
        json.WriteNumber("mask_token_id", model.Bert.MaskTokenOf(model.Vocabulary));
        Sizes.Write(json, model);
        json.WriteString("position_embedding_type", "absolute");
        json.WriteBoolean("tie_word_embeddings", true);
        json.WriteNumber("type_vocab_size", Segments);
    }

    /// <inheritdoc/>
    /// <remarks>
    /// BertModel writes names without "bert.". The first models call gains gamma and biases beta. The pooler and the head of the next
    /// sentence are no part of the network here; older versions wrote the numbers of positions as a buffer.
    /// </remarks>
    public override string? ParameterOf(string tensor)
    {
        ArgumentNullException.ThrowIfNull(tensor);
        if (PassedOver().IsMatch(tensor))
            return null;
        var name = NormWord().Replace(tensor, m => m.Value == ".LayerNorm.gamma" ? ".LayerNorm.weight" : ".LayerNorm.bias");
        return name.StartsWith(Encoder, StringComparison.Ordinal) || name.StartsWith(Head, StringComparison.Ordinal)
            ? name : Encoder + name;
    }

    /// <inheritdoc/>
    public override bool MayLack(string parameter)
    {
        ArgumentNullException.ThrowIfNull(parameter);
        return parameter.StartsWith(Head, StringComparison.Ordinal);
    }

    [GeneratedRegex(@"^(bert\.)?(pooler\.dense\.(weight|bias)|embeddings\.position_ids)$|^cls\.seq_relationship\.(weight|bias)$",
        RegexOptions.ExplicitCapture, 1000)]
    private static partial Regex PassedOver();

    [GeneratedRegex(@"\.LayerNorm\.(gamma|beta)$", RegexOptions.ExplicitCapture, 1000)]
    private static partial Regex NormWord();
}
