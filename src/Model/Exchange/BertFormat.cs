using System.Text.Json;
using System.Text.RegularExpressions;
using Elastic.Messages.Settings;

namespace Elastic.Model.Exchange;

/// <summary>
/// BERT's folders: masked language models, models that were also trained on the next sentence, and encoders without a head, as those of
/// sentence embeddings are. Keys and their defaults are those of Transformers' BertConfig.
/// </summary>
internal sealed partial class BertFormat : IModelFormat
{
    private const string Encoder = "bert.", Head = "cls.";

    private const double NormEpsilon = 1e-12;

    private const int Segments = 2;

    /// <inheritdoc/>
    public string ModelType => "bert";

    /// <inheritdoc/>
    public string Architecture => "bert";

    /// <inheritdoc/>
    public string ClassName => "BertForMaskedLM";

    /// <inheritdoc/>
    public bool Fits(ModelSettings model)
    {
        ArgumentNullException.ThrowIfNull(model);
        return model.Architecture == Architecture;
    }

    /// <inheritdoc/>
    /// <remarks>mask_token_id is no key of BertConfig; an export has it, because a tokenizer may have no token that hides others.</remarks>
    public IReadOnlyList<SettingText> Read(ModelConfig config)
    {
        ArgumentNullException.ThrowIfNull(config);
        config.Require("hidden_act", "gelu", "gelu");
        config.Require("position_embedding_type", "absolute", "absolute");
        config.Require("layer_norm_eps", NormEpsilon);
        config.Require("type_vocab_size", Segments);
        config.Require("is_decoder", false);
        config.Require("add_cross_attention", false);
        config.Require("tie_word_embeddings", true);
        var width = config.Whole("model.width", "hidden_size", 768);
        config.RequireNullOr("intermediate_size", 4 * ModelConfig.Number(width));
        return
        [
            config.Whole("model.layers", "num_hidden_layers", 12), config.Whole("model.heads", "num_attention_heads", 12), width,
            config.Whole("model.context", "max_position_embeddings", 512), config.Whole("model.vocabulary", "vocab_size", 30_522),
            .. config.Has("mask_token_id") ? [config.Whole("model.mask-token", "mask_token_id", 0)] : Array.Empty<SettingText>(),
        ];
    }

    /// <inheritdoc/>
    public void Write(Utf8JsonWriter json, ModelSettings model)
    {
        ArgumentNullException.ThrowIfNull(json);
        ArgumentNullException.ThrowIfNull(model);
        json.WriteNumber("attention_probs_dropout_prob", model.Dropout);
        json.WriteString("hidden_act", "gelu");
        json.WriteNumber("hidden_dropout_prob", model.Dropout);
        json.WriteNumber("hidden_size", model.Width);
        json.WriteNumber("initializer_range", 0.02);
        json.WriteNumber("intermediate_size", model.FeedForward);
        json.WriteNumber("layer_norm_eps", NormEpsilon);
        json.WriteNumber("mask_token_id", model.Bert.MaskTokenOf(model.Vocabulary));
        json.WriteNumber("max_position_embeddings", model.Context);
        json.WriteNumber("num_attention_heads", model.Heads);
        json.WriteNumber("num_hidden_layers", model.Layers);
        json.WriteString("position_embedding_type", "absolute");
        json.WriteBoolean("tie_word_embeddings", true);
        json.WriteNumber("type_vocab_size", Segments);
    }

    /// <inheritdoc/>
    /// <remarks>
    /// BertModel writes names without "bert.". The first models call gains gamma and biases beta. The pooler and the head of the next
    /// sentence are no part of the network here; older versions wrote the numbers of positions as a buffer.
    /// </remarks>
    public string? ParameterOf(string tensor)
    {
        ArgumentNullException.ThrowIfNull(tensor);
        if (PassedOver().IsMatch(tensor))
            return null;
        var name = NormWord().Replace(tensor, m => m.Value == ".LayerNorm.gamma" ? ".LayerNorm.weight" : ".LayerNorm.bias");
        return name.StartsWith(Encoder, StringComparison.Ordinal) || name.StartsWith(Head, StringComparison.Ordinal)
            ? name : Encoder + name;
    }

    /// <inheritdoc/>
    public bool MayLack(string parameter)
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
