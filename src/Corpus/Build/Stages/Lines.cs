namespace Elastic.Corpus.Build.Stages;

/// <summary>Parts of texts that several rules count.</summary>
internal static class Lines
{
    /// <summary>The lines that are not blank, without white space around them.</summary>
    public static List<string> Of(string text) =>
        [.. text.Split('\n', StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries)];

    /// <summary>What blank lines separate, without white space around it.</summary>
    public static List<string> Paragraphs(string text)
    {
        var paragraphs = new List<string>();
        var open = new List<string>();
        foreach (var line in text.Split('\n', StringSplitOptions.TrimEntries).Append(""))
        {
            if (line.Length > 0)
                open.Add(line);
            else if (open.Count > 0)
            {
                paragraphs.Add(string.Join('\n', open));
                open.Clear();
            }
        }
        return paragraphs;
    }

    /// <summary>What stands between white space.</summary>
    public static string[] Words(string text) => text.Split((char[]?)null, StringSplitOptions.RemoveEmptyEntries);

    /// <summary>How many of the parts are the same as an earlier one, and their characters.</summary>
    public static (int Parts, long Characters) Repeated(IEnumerable<string> parts)
    {
        var (seen, repeated, characters) = (new HashSet<string>(StringComparer.Ordinal), 0, 0L);
        foreach (var part in parts.Where(part => !seen.Add(part)))
        {
            repeated++;
            characters += part.Length;
        }
        return (repeated, characters);
    }
}
