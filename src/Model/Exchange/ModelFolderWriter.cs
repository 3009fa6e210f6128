using System.Text.Json;
using Elastic.Foundation;
using Elastic.Messages.Settings;
using Elastic.Messages.Vectors;
using Elastic.Model.Networks;
using Elastic.Model.Vectors;

namespace Elastic.Model.Exchange;

/// <summary>
/// Writes a model as a folder that Transformers opens, with <c>AutoModelForCausalLM.from_pretrained</c> or <c>AutoModelForMaskedLM</c>'s.
/// </summary>
public static class ModelFolderWriter
{
    /// <summary>Writes config.json, the weights, and generation_config.json for a model that goes on with a text.</summary>
    /// <param name="folder">The folder to make: one that is not there, or is empty. It is complete or absent, whatever happens.</param>
    /// <param name="parameters">Parameters of a model of these settings. Tied parameters and padded rows are not written.</param>
    /// <param name="type">Type of the elements in the files; 16-bit types round to the nearest, ties to even.</param>
    /// <param name="endOfText">The token that ends a document.</param>
    /// <param name="others">Further files by name: the tokenizer's.</param>
    /// <param name="beginning">The token that begins a text; null for the one that ends the text before it.</param>
    /// <param name="endOfAnswer">The token that ends an answer besides the end of text; null for none.</param>
    /// <param name="otherEnds">Further tokens with which generated text ends; null for none.</param>
    /// <remarks>Adapters are added to the weights beside which they were trained.</remarks>
    /// <exception cref="ElasticException">The folder cannot be made; or a weight is more than <paramref name="type"/> holds.</exception>
    /// <exception cref="OperationCanceledException">It was ended; nothing stays.</exception>
    public static void Write(
        string folder, ReplicaVectors parameters, ModelSettings model, ElementType type, int endOfText,
        IReadOnlyDictionary<string, byte[]> others, int? beginning = null, int? endOfAnswer = null,
        IReadOnlyList<int>? otherEnds = null, CancellationToken cancel = default) =>
        Write(folder, parameters, model, type, endOfText, others, SafetensorsWriter.ShardBytes, beginning, endOfAnswer, otherEnds, cancel);

    internal static void Write(
        string folder, ReplicaVectors parameters, ModelSettings model, ElementType type, int endOfText,
        IReadOnlyDictionary<string, byte[]> others, long shardBytes, int? beginning = null, int? endOfAnswer = null,
        IReadOnlyList<int>? otherEnds = null, CancellationToken cancel = default)
    {
        ArgumentNullException.ThrowIfNull(parameters);
        ArgumentNullException.ThrowIfNull(model);
        ArgumentNullException.ThrowIfNull(others);
        var format = ModelFormats.All.FirstOrDefault(f => f.Fits(model)) ?? throw new ElasticException(
            $"a {model.Signature} cannot be exported: Transformers' classes that are known here are "
            + string.Join(", ", ModelFormats.All.Select(f => f.ClassName)));
        using var merged = model.Lora.IsUsed ? Adapters.Merge(parameters, model) : null;
        NewFolder.Make(folder, place =>
        {
            var network = Architectures.Open(model.WithoutAdapters());
            SafetensorsWriter.Write(place, [.. Tensors(merged ?? parameters, network, cancel)], type, shardBytes);
            File.WriteAllBytes(Path.Combine(place, ModelConfig.FileName), Config(format, model, type, beginning ?? endOfText, endOfText));
            if (!model.IsMasked)
                File.WriteAllBytes(
                    Path.Combine(place, "generation_config.json"),
                    Json(json => WriteEnds(json, beginning ?? endOfText, [endOfAnswer ?? endOfText, endOfText, .. otherEnds ?? []])));
            foreach (var (name, bytes) in others)
                File.WriteAllBytes(Path.Combine(place, name), bytes);
        });
    }

    // In the order in which the architecture declares them, so that a layer's tensors lie together.
    private static IEnumerable<WrittenTensor> Tensors(
        ReplicaVectors parameters, IArchitecture architecture, CancellationToken cancel) =>
        architecture.Parameters.Where(p => p.TiedTo is null).Select(p => new WrittenTensor(p.Name, p.Shape, (first, into) =>
        {
            cancel.ThrowIfCancellationRequested();
            parameters.CopyTo(VectorSet.Parameters, parameters.Layout[p.Name].Offset + first, into);
        }));

    private static byte[] Config(ModelFormat format, ModelSettings model, ElementType type, int beginning, int endOfText) => Json(json =>
    {
        json.WriteStartArray("architectures");
        json.WriteStringValue(format.ClassName);
        json.WriteEndArray();
        json.WriteString("model_type", format.ModelType);
        format.Write(json, model);
        json.WriteNumber("vocab_size", model.Vocabulary);
        WriteEnds(json, beginning, [endOfText]);
        json.WriteString("torch_dtype", type switch
        {
            ElementType.Float32 => "float32",
            ElementType.BFloat16 => "bfloat16",
            _ => "float16",
        });
    });

    // What generates stops at any token of a list; the model's config names one, as tokenizer_config.json does.
    private static void WriteEnds(Utf8JsonWriter json, int beginning, IEnumerable<int> ends)
    {
        json.WriteNumber("bos_token_id", beginning);
        int[] all = [.. ends.Distinct()];
        if (all is [var only])
        {
            json.WriteNumber("eos_token_id", only);
            return;
        }
        json.WriteStartArray("eos_token_id");
        foreach (var end in all)
            json.WriteNumberValue(end);
        json.WriteEndArray();
    }

    private static byte[] Json(Action<Utf8JsonWriter> write)
    {
        using var bytes = new MemoryStream();
        using (var json = new Utf8JsonWriter(bytes, new() { Indented = true }))
        {
            json.WriteStartObject();
            write(json);
            json.WriteEndObject();
        }

        return bytes.ToArray();
    }
}
