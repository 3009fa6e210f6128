using System.Text.Json;
using Elastic.Foundation;

namespace Elastic.Model.Exchange;

/// <summary>
/// The tensors of a model's folder: those of <c>model.safetensors</c>, or of the shards that <c>model.safetensors.index.json</c> names.
/// </summary>
internal sealed class ModelTensors : IDisposable
{
    // Two hundred bytes for each tensor of the largest model that settings allow.
    private const int MostIndexBytes = 64 << 20;

    // More shards than any published model has; each takes an open file.
    private const int MostShards = 1024;

    private readonly List<SafetensorsFile> _files = [];
    private readonly Dictionary<string, (SafetensorsFile File, TensorEntry Tensor)> _byName = new(StringComparer.Ordinal);

    private ModelTensors() { }

    /// <summary>Where each tensor is, by its name in the files.</summary>
    public IReadOnlyDictionary<string, (SafetensorsFile File, TensorEntry Tensor)> All => _byName;

    /// <summary>Opens the files; reads their headers and no weights.</summary>
    /// <exception cref="ElasticException">There are none, or one of them is damaged; the message names it.</exception>
    public static ModelTensors Open(string folder)
    {
        var tensors = new ModelTensors();
        try
        {
            var (single, index) = (Path.Combine(folder, SafetensorsWriter.FileName), Path.Combine(folder, SafetensorsWriter.IndexName));
            if (File.Exists(single))
                tensors.Add(SafetensorsFile.Open(single), null);
            else if (File.Exists(index))
                tensors.AddShards(folder, index);
            else
                throw new ElasticException($"{folder} has no {SafetensorsWriter.FileName} and no {SafetensorsWriter.IndexName}: "
                    + "weights in other formats are not read; save the model with Transformers' save_pretrained, which writes one of "
                    + "these");
            return tensors;
        }
        catch
        {
            tensors.Dispose();
            throw;
        }
    }

    /// <inheritdoc/>
    public void Dispose() => _files.ForEach(f => f.Dispose());

    private void AddShards(string folder, string index)
    {
        var shardOf = ReadIndex(index);
        var shards = shardOf.Values.Distinct(StringComparer.Ordinal).ToList();
        if (shards.Count > MostShards)
            throw new ElasticException($"{index} names {shards.Count} files, and at most {MostShards} are opened");
        foreach (var shard in shards)
            Add(SafetensorsFile.Open(Path.Combine(folder, shard)), shardOf);
        var missing = shardOf.Keys.Where(name => !_byName.ContainsKey(name)).ToList();
        if (missing.Count > 0)
            throw new ElasticException($"{index} names tensors that their files do not have: {Some(missing)}; get the files again");
    }

    // The index says in which file a tensor is; a file must not have others, which two files could have both.
    private void Add(SafetensorsFile file, Dictionary<string, string>? shardOf)
    {
        _files.Add(file);
        foreach (var tensor in file.Tensors)
        {
            if (shardOf is not null && shardOf.GetValueOrDefault(tensor.Name) != Path.GetFileName(file.Path))
                throw new ElasticException($"{file.Path} has the tensor {OneLine.Of(tensor.Name, 80)}, "
                    + $"and {SafetensorsWriter.IndexName} does not say so: get the files again");
            _byName.Add(tensor.Name, (file, tensor));
        }
    }

    private static Dictionary<string, string> ReadIndex(string path)
    {
        try
        {
            using var json = JsonDocument.Parse(
                RegularFile.Read(path, MostIndexBytes), new() { MaxDepth = 8, AllowDuplicateProperties = false });
            if (json.RootElement.ValueKind != JsonValueKind.Object
                || !json.RootElement.TryGetProperty("weight_map", out var map) || map.ValueKind != JsonValueKind.Object)
                throw new ElasticException($"{path} has no weight_map: get it again");
            var shardOf = new Dictionary<string, string>(StringComparer.Ordinal);
            foreach (var entry in map.EnumerateObject())
            {
                // A path would read files outside of the folder.
                if (entry.Value.ValueKind != JsonValueKind.String || entry.Value.GetString() is not { } name || !IsPlainName(name))
                    throw new ElasticException($"{path} gives the tensor {OneLine.Of(entry.Name, 80)} "
                        + $"{OneLine.Of(entry.Value.GetRawText(), 80)}: only plain names of files in the same folder are read");
                shardOf[entry.Name] = name;
            }

            return shardOf.Count > 0 ? shardOf : throw new ElasticException($"{path} names no tensor: get it again");
        }
        catch (Exception e) when (e is JsonException or InvalidOperationException)
        {
            throw new ElasticException($"{path} is no JSON of an index ({OneLine.Of(e.Message)}): get it again", e);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new ElasticException($"{path} cannot be read ({e.Message.TrimEnd('.')}): mend that, or name another folder", e);
        }
    }

    private static bool IsPlainName(string name) => name.Length is > 0 and < 256 && name is not ("." or "..")
        && !name.Any(c => c is '/' or '\\' or ':' || char.IsControl(c));

    /// <summary>The first few of some names, for a message.</summary>
    public static string Some(IReadOnlyList<string> names, int most = 5) =>
        string.Join(", ", names.Take(most).Select(n => OneLine.Of(n, 80))) + (names.Count > most ? $" and {names.Count - most} more" : "");
}
