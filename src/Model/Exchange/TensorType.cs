using Elastic.Messages.Vectors;

namespace Elastic.Model.Exchange;

/// <summary>The types of elements that a safetensors header may name, and the three of them that weights can have here.</summary>
internal static class TensorType
{
    private static readonly Dictionary<string, int> Bytes = new(StringComparer.Ordinal)
    {
        ["BOOL"] = 1,
        ["U8"] = 1,
        ["I8"] = 1,
        ["F8_E4M3"] = 1,
        ["F8_E5M2"] = 1,
        ["U16"] = 2,
        ["I16"] = 2,
        ["F16"] = 2,
        ["BF16"] = 2,
        ["U32"] = 4,
        ["I32"] = 4,
        ["F32"] = 4,
        ["U64"] = 8,
        ["I64"] = 8,
        ["F64"] = 8,
    };

    /// <summary>Bytes of an element; null for a type that the format does not have.</summary>
    public static int? BytesOf(string name) => Bytes.TryGetValue(name, out var bytes) ? bytes : null;

    /// <summary>The type as weights are read and written; null for one that is neither of F32, BF16 and F16.</summary>
    public static ElementType? Find(string name) => name switch
    {
        "F32" => ElementType.Float32,
        "BF16" => ElementType.BFloat16,
        "F16" => ElementType.Float16,
        _ => null,
    };

    /// <summary>The name in a header.</summary>
    public static string NameOf(ElementType type) => type switch
    {
        ElementType.Float32 => "F32",
        ElementType.BFloat16 => "BF16",
        _ => "F16",
    };

    /// <summary>Bytes of an element.</summary>
    public static int BytesOf(ElementType type) => type == ElementType.Float32 ? 4 : 2;
}
