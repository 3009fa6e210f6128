using System.Buffers.Binary;
using System.Globalization;
using System.Text.Json;
using Elastic.Foundation;
using Elastic.Messages.Vectors;
using Microsoft.Win32.SafeHandles;

namespace Elastic.Model.Exchange;

/// <summary>A tensor that is to be written.</summary>
/// <param name="Shape">Row-major.</param>
/// <param name="Read">Copies elements from the first one given on.</param>
internal sealed record WrittenTensor(string Name, IReadOnlyList<long> Shape, ElementSource Read)
{
    /// <summary>Elements.</summary>
    public long Count { get; } = Shape.Aggregate(1L, (product, n) => product * n);
}

/// <summary>Copies the elements from <paramref name="first"/> on into <paramref name="into"/>.</summary>
internal delegate void ElementSource(long first, Span<float> into);

/// <summary>Writes safetensors files: one, or shards with the index that Hugging Face's libraries read.</summary>
internal static class SafetensorsWriter
{
    /// <summary>The name of a whole model's only file.</summary>
    public const string FileName = "model.safetensors";

    /// <summary>The name of the list of shards.</summary>
    public const string IndexName = FileName + ".index.json";

    /// <summary>A file gets no more bytes of tensors than this, as Transformers' save_pretrained has it: 5 GB.</summary>
    public const long ShardBytes = 5_000_000_000;

    private const int Piece = 1 << 20;

    /// <summary>Writes the tensors into <paramref name="folder"/>, in their order.</summary>
    /// <param name="shardBytes">The most bytes of a file's tensors; one that is larger has a file of its own.</param>
    /// <exception cref="ElasticException">An element is no finite number, or is none any more as <paramref name="type"/>.</exception>
    public static void Write(string folder, IReadOnlyList<WrittenTensor> tensors, ElementType type, long shardBytes = ShardBytes)
    {
        var shards = Shards(tensors, type, shardBytes);
        if (shards.Count == 1)
        {
            WriteFile(Path.Combine(folder, FileName), tensors, type);
            return;
        }

        var names = shards.Select((_, i) => string.Create(
            CultureInfo.InvariantCulture, $"model-{i + 1:D5}-of-{shards.Count:D5}.safetensors")).ToList();
        foreach (var (name, shard) in names.Zip(shards))
            WriteFile(Path.Combine(folder, name), shard, type);
        using var index = File.Create(Path.Combine(folder, IndexName));
        using var json = new Utf8JsonWriter(index, new() { Indented = true });
        json.WriteStartObject();
        json.WriteStartObject("metadata");
        json.WriteNumber("total_size", tensors.Sum(t => BytesOf(t, type)));
        json.WriteEndObject();
        json.WriteStartObject("weight_map");
        foreach (var (name, shard) in names.Zip(shards))
            foreach (var tensor in shard)
                json.WriteString(tensor.Name, name);
        json.WriteEndObject();
        json.WriteEndObject();
    }

    private static List<List<WrittenTensor>> Shards(IReadOnlyList<WrittenTensor> tensors, ElementType type, long shardBytes)
    {
        List<List<WrittenTensor>> shards = [[]];
        var bytes = 0L;
        foreach (var tensor in tensors)
        {
            if (shards[^1].Count > 0 && bytes + BytesOf(tensor, type) > shardBytes)
            {
                shards.Add([]);
                bytes = 0;
            }

            shards[^1].Add(tensor);
            bytes += BytesOf(tensor, type);
        }

        return shards;
    }

    /// <summary>Writes one file, with further texts in its metadata.</summary>
    /// <inheritdoc cref="Write" path="/exception"/>
    public static void WriteFile(
        string path, IReadOnlyList<WrittenTensor> tensors, ElementType type, params IReadOnlyList<(string Name, string Text)> texts)
    {
        var header = Header(tensors, type, texts);
        using var file = File.OpenHandle(path, FileMode.CreateNew, FileAccess.Write);
        RandomAccess.Write(file, header, 0);
        long at = header.Length;
        var (values, bytes) = (new float[Piece], new byte[Piece * TensorType.BytesOf(type)]);
        foreach (var tensor in tensors)
            at += WriteTensor(file, at, tensor, type, values, bytes);
        RandomAccess.FlushToDisk(file);
    }

    private static long WriteTensor(SafeFileHandle file, long at, WrittenTensor tensor, ElementType type, float[] values, byte[] bytes)
    {
        for (long first = 0; first < tensor.Count; first += Piece)
        {
            var piece = values.AsSpan(0, (int)Math.Min(Piece, tensor.Count - first));
            tensor.Read(first, piece);
            if (NarrowFloats.FirstNotFinite(type, piece) is var bad and >= 0)
                throw new ElasticException(string.Create(CultureInfo.InvariantCulture,
                    $"element {first + bad} of {tensor.Name} is {piece[bad]:R}, ") + (float.IsFinite(piece[bad])
                        ? $"which is more than {type.Word()} holds: export as fp32{(type == ElementType.Float16 ? " or bf16" : "")}"
                        : "no finite number"));
            var written = bytes.AsSpan(0, piece.Length * TensorType.BytesOf(type));
            NarrowFloats.Narrow(type, piece, written);
            RandomAccess.Write(file, written, at + first * TensorType.BytesOf(type));
        }

        return BytesOf(tensor, type);
    }

    // With its length before it, and filled up with spaces so that the data begin at a multiple of eight bytes.
    private static byte[] Header(
        IReadOnlyList<WrittenTensor> tensors, ElementType type, IReadOnlyList<(string Name, string Text)> texts)
    {
        using var header = new MemoryStream();
        header.SetLength(SafetensorsHeader.LengthBytes);
        header.Position = SafetensorsHeader.LengthBytes;
        using (var json = new Utf8JsonWriter(header))
        {
            json.WriteStartObject();
            json.WriteStartObject("__metadata__");
            json.WriteString("format", "pt");
            foreach (var (name, text) in texts)
                json.WriteString(name, text);
            json.WriteEndObject();
            long at = 0;
            foreach (var tensor in tensors)
            {
                json.WriteStartObject(tensor.Name);
                json.WriteString("dtype", TensorType.NameOf(type));
                json.WriteStartArray("shape");
                foreach (var axis in tensor.Shape)
                    json.WriteNumberValue(axis);
                json.WriteEndArray();
                json.WriteStartArray("data_offsets");
                json.WriteNumberValue(at);
                json.WriteNumberValue(at += BytesOf(tensor, type));
                json.WriteEndArray();
                json.WriteEndObject();
            }

            json.WriteEndObject();
        }

        while (header.Length % SafetensorsHeader.LengthBytes != 0)
            header.WriteByte((byte)' ');
        var bytes = header.ToArray();
        BinaryPrimitives.WriteUInt64LittleEndian(bytes, (ulong)(bytes.Length - SafetensorsHeader.LengthBytes));
        return bytes;
    }

    private static long BytesOf(WrittenTensor tensor, ElementType type) => tensor.Count * TensorType.BytesOf(type);
}
