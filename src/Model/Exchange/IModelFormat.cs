using System.Text.Json;
using Elastic.Messages.Settings;

namespace Elastic.Model.Exchange;

/// <summary>
/// How Hugging Face's folders hold the models of one architecture: what its config.json means here and says of a model of ours, and how its
/// tensors are called. Names and transposes of an architecture's parameters are Hugging Face's, so tensors are copied as they are.
/// </summary>
internal interface IModelFormat
{
    /// <summary>model_type in config.json.</summary>
    string ModelType { get; }

    /// <summary>model.architecture in settings.</summary>
    string Architecture { get; }

    /// <summary>The class of Transformers that opens such a folder; "architectures" in config.json.</summary>
    string ClassName { get; }

    /// <summary>True for a model that is written in this format.</summary>
    bool Fits(ModelSettings model);

    /// <summary>
    /// The model.* keys that the config decides. What the arithmetic here does not do is a problem, which <paramref name="config"/> notes.
    /// </summary>
    IReadOnlyList<SettingText> Read(ModelConfig config);

    /// <summary>Writes the keys of a model's config that are the architecture's own.</summary>
    void Write(Utf8JsonWriter json, ModelSettings model);

    /// <summary>The architecture's name of the parameter that a tensor is; null for a tensor that holds no weights.</summary>
    string? ParameterOf(string tensor);

    /// <summary>
    /// True for a parameter that a folder may lack, together with all others of this kind: the head of an encoder. It is drawn then.
    /// </summary>
    bool MayLack(string parameter) => false;
}

/// <summary>The known formats.</summary>
internal static class ModelFormats
{
    /// <summary>A further architecture is a further line.</summary>
    public static IReadOnlyList<IModelFormat> All { get; } =
    [
        new Gpt2Format(), LlamaFormat.Llama, LlamaFormat.Qwen2, LlamaFormat.Qwen3, LlamaFormat.Mistral, new BertFormat(),
    ];
}
