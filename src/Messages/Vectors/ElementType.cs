namespace Elastic.Messages.Vectors;

/// <summary>What the elements of a stored vector are, little-endian.</summary>
public enum ElementType
{
    /// <summary>IEEE binary32.</summary>
    Float32,

    /// <summary>The upper half of a binary32.</summary>
    BFloat16,

    /// <summary>IEEE binary16.</summary>
    Float16,
}

/// <summary>Element types as words of a vector set.</summary>
public static class ElementTypes
{
    private static readonly Dictionary<string, ElementType> ByWord = new(StringComparer.Ordinal)
    {
        ["fp32"] = ElementType.Float32,
        ["bf16"] = ElementType.BFloat16,
        ["fp16"] = ElementType.Float16,
    };

    /// <summary>"fp32", "bf16" or "fp16".</summary>
    public static string Word(this ElementType type) => ByWord.Single(t => t.Value == type).Key;

    /// <summary>The type of that word; null where it is none.</summary>
    public static ElementType? Find(string word) => ByWord.TryGetValue(word, out var type) ? type : null;
}
