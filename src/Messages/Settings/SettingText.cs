namespace Elastic.Messages.Settings;

/// <summary>What one source says about one key.</summary>
/// <param name="Items">One text for a plain value, all elements for a list.</param>
/// <param name="IsList">Whether it was written as a list.</param>
/// <param name="Where">For people: "mine.conf, line 3", "--set".</param>
public sealed record SettingText(string Key, IReadOnlyList<string> Items, bool IsList, string Where)
{
    /// <summary>The value that is none.</summary>
    public const string Null = "null";

    /// <summary>Whether nobody wrote it: it is the default.</summary>
    public bool IsDefault { get; init; }

    /// <summary>As it was written, for messages.</summary>
    public string Text => IsList ? $"[{string.Join(", ", Items)}]" : Items[0];

    /// <summary><c>key = null</c> takes the value of an earlier source away.</summary>
    public bool IsNull => !IsList && Items[0] == Null;
}
