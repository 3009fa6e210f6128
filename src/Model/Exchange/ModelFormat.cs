using System.Text.Json;
using Elastic.Messages.Settings;

namespace Elastic.Model.Exchange;

/// <summary>
/// How Hugging Face's folders hold the models of one architecture: what its config.json means here and says of a model of ours, and how its
/// tensors are called. Names and transposes of an architecture's parameters are Hugging Face's, so tensors are copied as they are.
/// </summary>
/// <param name="modelType">model_type in config.json.</param>
/// <param name="architecture">model.architecture in settings.</param>
/// <param name="className">The class of Transformers that opens such a folder; "architectures" in config.json.</param>
internal abstract class ModelFormat(string modelType, string architecture, string className)
{
    /// <summary>model_type in config.json.</summary>
    public string ModelType => modelType;

    /// <summary>model.architecture in settings.</summary>
    public string Architecture => architecture;

    /// <summary>The class of Transformers that opens such a folder.</summary>
    public string ClassName => className;

    /// <summary>True for a model that is written in this format.</summary>
    public virtual bool Fits(ModelSettings model)
    {
        ArgumentNullException.ThrowIfNull(model);
        return model.Architecture == Architecture;
    }

    /// <summary>
    /// The model.* keys that the config decides. What the arithmetic here does not do is a problem, which <paramref name="config"/> notes.
    /// </summary>
    public abstract IReadOnlyList<SettingText> Read(ModelConfig config);

    /// <summary>Writes the keys of a model's config that are the architecture's own.</summary>
    public abstract void Write(Utf8JsonWriter json, ModelSettings model);

    /// <summary>The architecture's name of the parameter that a tensor is; null for a tensor that holds no weights.</summary>
    public abstract string? ParameterOf(string tensor);

    /// <summary>
    /// True for a parameter that a folder may lack, together with all others of this kind: the head of an encoder. It is drawn then.
    /// </summary>
    public virtual bool MayLack(string parameter) => false;
}

/// <summary>
/// The sizes of networks with learned positions and blocks of four widths (Radford et al. 2019; Devlin et al. 2019): what the keys of their
/// config.json are called, and what a config without a key has.
/// </summary>
internal sealed record LearnedPositionSizes(
    (string Key, int Absent) Layers, (string Key, int Absent) Heads, (string Key, int Absent) Width, (string Key, int Absent) Context,
    int Vocabulary, string FeedForward)
{
    /// <summary>The settings that they decide; a feed-forward network of another width is a problem of the config.</summary>
    public IEnumerable<SettingText> Read(ModelConfig config)
    {
        ArgumentNullException.ThrowIfNull(config);
        var width = config.Whole("model.width", Width.Key, Width.Absent);
        config.RequireNullOr(FeedForward, 4 * ModelConfig.Number(width));
        return
        [
            config.Whole("model.layers", Layers.Key, Layers.Absent), config.Whole("model.heads", Heads.Key, Heads.Absent), width,
            config.Whole("model.context", Context.Key, Context.Absent), config.Whole("model.vocabulary", "vocab_size", Vocabulary),
        ];
    }

    /// <summary>Writes the keys of what differs between models; the vocabulary is in every config.</summary>
    public void Write(Utf8JsonWriter json, ModelSettings model)
    {
        json.WriteNumber(Width.Key, model.Width);
        json.WriteNumber(Context.Key, model.Context);
        json.WriteNumber(Heads.Key, model.Heads);
        json.WriteNumber(Layers.Key, model.Layers);
    }
}

/// <summary>The known formats.</summary>
internal static class ModelFormats
{
    /// <summary>A further architecture is a further line.</summary>
    public static IReadOnlyList<ModelFormat> All { get; } =
    [
        new Gpt2Format(), LlamaFormat.Llama, LlamaFormat.Qwen2, LlamaFormat.Qwen3, LlamaFormat.Mistral, new BertFormat(),
    ];
}
