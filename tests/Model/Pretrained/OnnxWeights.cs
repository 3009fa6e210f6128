using System.Text;

namespace Elastic.Model.Tests.Pretrained;

/// <param name="Type">As safetensors names it.</param>
public sealed record OnnxTensor(string Type, IReadOnlyList<long> Shape, byte[] Bytes);

/// <summary>
/// The weights of a BERT in an ONNX file (a protobuf message; onnx.proto has the numbers of the fields), by PyTorch's names. A linear
/// layer's matrix has lost its name and is stored (in, out); the bias that is added to the product has kept its own.
/// </summary>
internal static class OnnxWeights
{
    private const int Graph = 7, Node = 1, Initializer = 5, NodeInput = 1, NodeOutput = 2, NodeType = 4;
    private const int TensorShape = 1, TensorType = 2, TensorName = 8, TensorData = 9, Float32 = 1, Int64 = 7;
    private const string Bias = ".bias", Weight = ".weight";

    public static IReadOnlyDictionary<string, OnnxTensor> Of(ReadOnlyMemory<byte> model)
    {
        var graph = Fields(model).Single(f => f.Number == Graph).Bytes;
        var stored = Fields(graph).Where(f => f.Number == Initializer).Select(f => Tensor(f.Bytes)).ToDictionary();
        var nodes = Fields(graph).Where(f => f.Number == Node).Select(f => NodeOf(f.Bytes)).ToList();
        var weights = stored.Where(t => t.Key.Contains('.', StringComparison.Ordinal)).ToDictionary();
        foreach (var product in nodes.Where(n => n.Type == "MatMul" && stored.ContainsKey(n.Inputs[^1])))
        {
            var sum = nodes.Single(n => n.Type == "Add" && n.Inputs.Contains(product.Output));
            var bias = sum.Inputs.Single(i => i.EndsWith(Bias, StringComparison.Ordinal));
            weights.Add(bias[..^Bias.Length] + Weight, Transposed(stored[product.Inputs[^1]]));
        }
        return weights;
    }

    private static OnnxTensor Transposed(OnnxTensor matrix)
    {
        var (rows, columns, bytes) = ((int)matrix.Shape[0], (int)matrix.Shape[1], new byte[matrix.Bytes.Length]);
        for (var i = 0; i < rows; i++)
            for (var j = 0; j < columns; j++)
                matrix.Bytes.AsSpan((i * columns + j) * sizeof(float), sizeof(float)).CopyTo(bytes.AsSpan((j * rows + i) * sizeof(float)));
        return new OnnxTensor(matrix.Type, [columns, rows], bytes);
    }

    private static KeyValuePair<string, OnnxTensor> Tensor(ReadOnlyMemory<byte> message)
    {
        var (shape, type, name, data) = (new List<long>(), 0L, "", ReadOnlyMemory<byte>.Empty);
        foreach (var (number, value, bytes) in Fields(message))
        {
            switch (number)
            {
                case TensorShape:
                    shape.Add(value);
                    break;
                case TensorType:
                    type = value;
                    break;
                case TensorName:
                    name = Encoding.UTF8.GetString(bytes.Span);
                    break;
                case TensorData:
                    data = bytes;
                    break;
            }
        }
        return new(name, new OnnxTensor(type switch { Float32 => "F32", Int64 => "I64", _ => $"{type}" }, shape, data.ToArray()));
    }

    private static (string Type, List<string> Inputs, string Output) NodeOf(ReadOnlyMemory<byte> message)
    {
        string Text(int number) => Encoding.UTF8.GetString(Fields(message).First(f => f.Number == number).Bytes.Span);
        var inputs = Fields(message).Where(f => f.Number == NodeInput).Select(f => Encoding.UTF8.GetString(f.Bytes.Span)).ToList();
        return (Text(NodeType), inputs, Text(NodeOutput));
    }

    // A key of (number, wire type), then a number of 7 bits a byte, or so many bytes; 1 and 5 are fixed widths.
    private static IEnumerable<(int Number, long Value, ReadOnlyMemory<byte> Bytes)> Fields(ReadOnlyMemory<byte> message)
    {
        for (var at = 0; at < message.Length;)
        {
            var key = Number(message.Span, ref at);
            var (value, length) = (key & 7) switch
            {
                0 => (Number(message.Span, ref at), 0),
                1 => (0L, 8),
                2 => (0L, (int)Number(message.Span, ref at)),
                5 => (0L, 4),
                _ => throw new InvalidDataException($"wire type {key & 7}"),
            };
            yield return ((int)(key >> 3), value, message.Slice(at, length));
            at += length;
        }
    }

    private static long Number(ReadOnlySpan<byte> bytes, ref int at)
    {
        var (value, shift) = (0L, 0);
        while (true)
        {
            var b = bytes[at++];
            value |= (long)(b & 127) << shift;
            if (b < 128)
                return value;
            shift += 7;
        }
    }
}
