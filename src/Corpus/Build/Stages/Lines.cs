namespace Elastic.Corpus.Build.Stages;

/// <summary>Parts of texts that several rules count.</summary>
internal static class Lines
{
    /// <summary>The lines that are not blank, without white space around them.</summary>
    /// <exception cref="OperationCanceledException">The build is to stop.</exception>
    public static List<string> Of(Draft draft) =>
    [
        .. draft.Text.Split('\n', StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries).Watched(draft.Cancel),
    ];

    /// <summary>What blank lines separate, without white space around it.</summary>
    /// <inheritdoc cref="Of"/>
    public static List<string> Paragraphs(Draft draft)
    {
        var paragraphs = new List<string>();
        var open = new List<string>();
        foreach (var line in draft.Text.Split('\n', StringSplitOptions.TrimEntries).Append("").Watched(draft.Cancel))
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

    /// <summary>The words of a draft.</summary>
    /// <inheritdoc cref="Of"/>
    public static string[] Words(Draft draft)
    {
        draft.Cancel.ThrowIfCancellationRequested();
        return Words(draft.Text);
    }

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
