using System.Buffers.Binary;
using System.Text.Json;
using Elastic.Foundation;

namespace Elastic.Model.Exchange;

/// <summary>A tensor of a safetensors file.</summary>
/// <param name="Type">Type of the tensor's elements, as the format names it: "F32", "BF16", "F16" …</param>
/// <param name="Shape">Row-major.</param>
/// <param name="Begin">Its first byte, counted from the end of the header.</param>
/// <param name="End">The byte after its last one.</param>
public sealed record TensorEntry(string Name, string Type, IReadOnlyList<long> Shape, long Begin, long End)
{
    /// <summary>Elements.</summary>
    public long Count => Shape.Aggregate(1L, (product, n) => product * n);
}

/// <summary>
/// The header of a safetensors file: eight bytes with its length (little-endian), then JSON, which gives each tensor its type, its shape
/// and its place in the data that follows; "__metadata__" holds texts. The tensors cover the data without holes and without overlapping.
/// What is read here comes from outside: everything is checked, and nothing is allocated on the word of the file but the header itself, of
/// at most <see cref="MostBytes"/>.
/// </summary>
internal static class SafetensorsHeader
{
    /// <summary>The format's own limit.</summary>
    public const int MostBytes = 100_000_000;

    /// <summary>Bytes before the header.</summary>
    public const int LengthBytes = 8;

    // The largest model that settings allow has 10,000 layers of a dozen tensors.
    private const int MostTensors = 200_000;
    private const int MostNameBytes = 1024, MostAxes = 8;

    // Other programs may write more; what Elastic reads of them is shorter, and the rest is passed over.
    private const int MostTexts = 64, MostTextBytes = 1024;

    private const string Metadata = "__metadata__";

    private static readonly JsonReaderOptions Json = new() { MaxDepth = 8 };

    /// <summary>The length of the header, from the first eight bytes of a file.</summary>
    /// <param name="fileBytes">Bytes of the whole file.</param>
    /// <exception cref="FormatException">It is no length of a header in such a file.</exception>
    public static int LengthOf(ReadOnlySpan<byte> start, long fileBytes)
    {
        if (start.Length < LengthBytes)
            throw new FormatException($"it has {fileBytes} bytes, and {LengthBytes} come before the header");
        var length = BinaryPrimitives.ReadUInt64LittleEndian(start);
        if (length > MostBytes)
            throw new FormatException($"it says that its header has {length} bytes, and at most {MostBytes} are read");
        return length <= (ulong)(fileBytes - LengthBytes)
            ? (int)length
            : throw new FormatException($"it says that its header has {length} bytes, and {fileBytes - LengthBytes} follow");
    }

    /// <summary>The tensors, in the order of their data.</summary>
    /// <param name="json">The header.</param>
    /// <param name="dataBytes">Bytes after the header.</param>
    /// <param name="texts">Gets the short texts of the metadata; null where nobody wants them.</param>
    /// <exception cref="FormatException">The header is none, or does not fit the data.</exception>
    public static IReadOnlyList<TensorEntry> Parse(ReadOnlySpan<byte> json, long dataBytes, Dictionary<string, string>? texts = null)
    {
        try
        {
            var tensors = Tensors(json, texts);
            tensors.Sort((a, b) => (a.Begin, a.End).CompareTo((b.Begin, b.End)));
            CheckCover(tensors, dataBytes);
            return tensors;
        }
        catch (Exception e) when (e is JsonException or InvalidOperationException)
        {
            // The reader throws the second for a text that is not UTF-8.
            throw new FormatException($"its header is not JSON of the format: {OneLine.Of(e.Message)}", e);
        }
    }

    private static List<TensorEntry> Tensors(ReadOnlySpan<byte> json, Dictionary<string, string>? texts)
    {
        var reader = new Utf8JsonReader(json, Json);
        var (tensors, names) = (new List<TensorEntry>(), new HashSet<string>(StringComparer.Ordinal));
        Expect(ref reader, JsonTokenType.StartObject, "its header is no JSON object");
        while (Next(ref reader) == JsonTokenType.PropertyName)
        {
            if (reader.ValueSpan.Length > MostNameBytes)
                throw new FormatException($"a tensor's name has {reader.ValueSpan.Length} bytes, and at most {MostNameBytes} are read");
            var name = reader.GetString()!;
            if (!names.Add(name))
                throw new FormatException($"it has two tensors called \"{Shown(name)}\"");
            if (name == Metadata)
                ReadMetadata(ref reader, texts);
            else if (tensors.Count == MostTensors)
                throw new FormatException($"it has more than {MostTensors} tensors");
            else
                tensors.Add(Tensor(ref reader, name));
        }

        // Only spaces may follow; anything else is an error of the reader's.
        while (reader.Read()) { }
        return tensors;
    }

    private static void ReadMetadata(ref Utf8JsonReader reader, Dictionary<string, string>? texts)
    {
        Expect(ref reader, JsonTokenType.StartObject, $"its {Metadata} is no JSON object");
        while (Next(ref reader) == JsonTokenType.PropertyName)
        {
            var name = texts is not null && reader.ValueSpan.Length <= MostNameBytes ? reader.GetString() : null;
            Expect(ref reader, JsonTokenType.String, $"its {Metadata} holds something else than texts");
            if (name is not null && texts!.Count < MostTexts && reader.ValueSpan.Length <= MostTextBytes)
                texts[name] = reader.GetString()!;
        }
    }

    private static TensorEntry Tensor(ref Utf8JsonReader reader, string name)
    {
        string? type = null;
        List<long>? shape = null, offsets = null;
        var shown = Shown(name);
        Expect(ref reader, JsonTokenType.StartObject, $"the tensor \"{shown}\" is no JSON object");
        while (Next(ref reader) == JsonTokenType.PropertyName)
        {
            if (reader.ValueTextEquals("dtype"u8) && type is null)
            {
                Expect(ref reader, JsonTokenType.String, $"the dtype of \"{shown}\" is no text");
                type = reader.GetString()!;
            }
            else if (reader.ValueTextEquals("shape"u8) && shape is null)
            {
                shape = Numbers(ref reader, MostAxes, $"the shape of \"{shown}\"");
            }
            else if (reader.ValueTextEquals("data_offsets"u8) && offsets is null)
            {
                offsets = Numbers(ref reader, 2, $"the data_offsets of \"{shown}\"");
            }
            else
            {
                throw new FormatException(
                    $"the tensor \"{shown}\" says \"{Shown(reader.GetString()!)}\" twice, or the format has no such key");
            }
        }

        if (type is null || shape is null || offsets is not [var begin, var end])
            throw new FormatException($"the tensor \"{shown}\" lacks its dtype, its shape or its two data_offsets");
        CheckExtent(shown, type, shape, begin, end);
        return new TensorEntry(name, type, shape, begin, end);
    }

    private static List<long> Numbers(ref Utf8JsonReader reader, int most, string what)
    {
        Expect(ref reader, JsonTokenType.StartArray, $"{what} is no list");
        var numbers = new List<long>();
        while (Next(ref reader) != JsonTokenType.EndArray)
        {
            if (reader.TokenType != JsonTokenType.Number || !reader.TryGetInt64(out var number) || number < 0)
                throw new FormatException($"{what} holds something else than whole numbers from 0 to {long.MaxValue}");
            if (numbers.Count == most)
                throw new FormatException($"{what} has more than {most} numbers");
            numbers.Add(number);
        }

        return numbers;
    }

    private static void CheckExtent(string shown, string type, List<long> shape, long begin, long end)
    {
        if (TensorType.BytesOf(type) is not { } bytes)
            throw new FormatException($"the tensor \"{shown}\" has the dtype \"{Shown(type)}\", which the format does not have");
        Int128 needed = bytes;
        foreach (var axis in shape)
            if ((needed *= axis) > long.MaxValue)
                throw new FormatException($"the shape [{string.Join(", ", shape)}] of \"{shown}\" has more elements than can be counted");
        if (end < begin || end - begin != needed)
            throw new FormatException($"the tensor \"{shown}\" of {type} and shape [{string.Join(", ", shape)}] takes {needed} bytes, "
                + $"and its data_offsets are [{begin}, {end}]");
    }

    private static void CheckCover(List<TensorEntry> tensors, long dataBytes)
    {
        var at = 0L;
        foreach (var tensor in tensors)
        {
            if (tensor.Begin < at)
                throw new FormatException($"the tensor \"{Shown(tensor.Name)}\" begins at byte {tensor.Begin}, inside of another one");
            if (tensor.Begin > at)
                throw new FormatException($"no tensor has the bytes from {at} to {tensor.Begin}");
            at = tensor.End;
        }

        if (at != dataBytes)
            throw new FormatException($"its tensors take {at} bytes, and {dataBytes} follow the header");
    }

    // Where the text ends in the middle, the reader throws.
    private static JsonTokenType Next(ref Utf8JsonReader reader)
    {
        _ = reader.Read();
        return reader.TokenType;
    }

    private static void Expect(ref Utf8JsonReader reader, JsonTokenType type, string otherwise)
    {
        if (Next(ref reader) != type)
            throw new FormatException(otherwise);
    }

    private static string Shown(string name) => OneLine.Of(name, 80);
}
