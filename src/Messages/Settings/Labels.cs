namespace Elastic.Messages.Settings;

/// <summary>Words of people's own, by which runs say which nodes they need: "big", "zone=b".</summary>
public static class Labels
{
    private const string One = "[A-Za-z0-9][A-Za-z0-9_.=/-]{0,30}";

    /// <summary>A text of one or several of them.</summary>
    public const string Pattern = One + "(?:," + One + "){0,7}";

    /// <summary>What a text of labels must be, in words.</summary>
    public const string Use = "at most 8 labels with commas between them, each of up to 31 letters, digits and _ . = / -";

    /// <summary>The labels of such a text; null for none.</summary>
    public static string[] Of(string? text) => text is null ? [] : [.. text.Split(',').Distinct()];
}
