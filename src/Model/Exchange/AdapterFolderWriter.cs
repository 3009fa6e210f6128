using System.Text.Json;
using Elastic.Foundation;
using Elastic.Messages.Settings;
using Elastic.Messages.Vectors;
using Elastic.Model.Networks;
using Elastic.Model.Vectors;

namespace Elastic.Model.Exchange;

/// <summary>Writes an adapter as a folder that PEFT's <c>PeftModel.from_pretrained</c> opens beside its model.</summary>
public static class AdapterFolderWriter
{
    /// <summary>Writes adapter_config.json and the adapter's weights.</summary>
    /// <param name="folder">The folder to make: one that is not there, or is empty. It is complete or absent, whatever happens.</param>
    /// <param name="parameters">Parameters of a model of these settings, which have an adapter.</param>
    /// <param name="type">Type of the elements in the file; 16-bit types round to the nearest, ties to even.</param>
    /// <param name="network">The fingerprint of the frozen weights, by which whoever opens the folder here knows them.</param>
    /// <exception cref="ElasticException">The folder cannot be made; or a weight is more than <paramref name="type"/> holds.</exception>
    /// <exception cref="OperationCanceledException">It was ended; nothing stays.</exception>
    public static void Write(
        string folder, ReplicaVectors parameters, ModelSettings model, ElementType type, Digest network, CancellationToken cancel = default)
    {
        ArgumentNullException.ThrowIfNull(parameters);
        ArgumentNullException.ThrowIfNull(model);
        if (!model.Lora.IsUsed)
            throw new ElasticException($"a {model.Signature} has no adapter: all its weights were trained; export the model itself");
        if (!ModelFormats.All.Any(f => f.Fits(model.WithoutAdapters())))
            throw new ElasticException($"the adapter of a {model.Signature} cannot be exported: Transformers' classes that are known here "
                + $"are {string.Join(", ", ModelFormats.All.Select(f => f.ClassName))}");
        var written = AdapterFolder.ParametersOf(model).Select(p => new WrittenTensor(
            AdapterFolder.Prefix + p.Name, p.Shape,
            (first, into) =>
            {
                cancel.ThrowIfCancellationRequested();
                parameters.CopyTo(VectorSet.Parameters, parameters.Layout[p.Name].Offset + first, into);
            })).ToList();
        NewFolder.Make(folder, place =>
        {
            SafetensorsWriter.WriteFile(
                Path.Combine(place, AdapterFolder.WeightsName), written, type, (AdapterFolder.NetworkText, network.Hex));
            using var file = File.Create(Path.Combine(place, AdapterFolder.ConfigName));
            using var json = new Utf8JsonWriter(file, new() { Indented = true });
            Config(json, parameters.Layout, model);
        });
    }

    // Keys that PEFT has no need of to load an adapter have PEFT's defaults, so that other programs find them.
    private static void Config(Utf8JsonWriter json, FlatLayout layout, ModelSettings model)
    {
        var lora = model.Lora;
        json.WriteStartObject();
        // Where the model was when the run began; PEFT loads it from there where it is not given one.
        json.WriteString("base_model_name_or_path", model.Init is { } init && Directory.Exists(init) ? init : null);
        json.WriteString("bias", "none");
        // True for weights that are stored (in, out), as GPT-2's are.
        json.WriteBoolean("fan_in_fan_out", layout.Segments.All(s => s.Parameter.Adapter is not { IsOutIn: true }));
        json.WriteBoolean("inference_mode", true);
        json.WriteNumber("lora_alpha", lora.Alpha);
        json.WriteNumber("lora_dropout", 0.0);
        json.WriteNull("modules_to_save");
        json.WriteString("peft_type", "LORA");
        json.WriteNumber("r", lora.Rank);
        json.WriteNull("revision");
        json.WriteStartArray("target_modules");
        foreach (var target in lora.Targets.Count > 0 ? lora.Targets : Architectures.Open(model).AdapterTargets)
            json.WriteStringValue(target);
        json.WriteEndArray();
        json.WriteString("task_type", "CAUSAL_LM");
        json.WriteEndObject();
    }
}
