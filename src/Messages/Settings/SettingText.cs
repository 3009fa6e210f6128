namespace Elastic.Messages.Settings;

/// <summary>What one source says about one key.</summary>
/// <param name="Items">One text for a plain value, all elements for a list.</param>
/// <param name="IsList">Whether it was written as a list.</param>
/// <param name="Where">For people: "mine.conf, line 3", "--set".</param>
public sealed record SettingText(string Key, IReadOnlyList<string> Items, bool IsList, string Where)
{
    /// <summary>The text that stands for no value.</summary>
    public const string Null = "null";

    /// <summary>True for a default, which no source wrote.</summary>
    public bool IsDefault { get; init; }

    /// <summary>True for a default and for a value of Elastic's presets: nobody chose it for this run.</summary>
    public bool IsBuiltIn { get; init; }

    /// <summary>The value as it was written, for messages.</summary>
    public string Text => IsList ? $"[{string.Join(", ", Items)}]" : Items[0];

    /// <summary><c>key = null</c> removes the value of an earlier source.</summary>
    public bool IsNull => !IsList && Items[0] == Null;
}
