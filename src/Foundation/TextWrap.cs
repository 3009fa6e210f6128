namespace Elastic.Foundation;

/// <summary>Wraps text for people to a number of columns.</summary>
public static class TextWrap
{
    /// <summary>Cuts a text between words into lines of at most <paramref name="width"/> characters, as far as its words allow.</summary>
    public static IEnumerable<string> Lines(string text, int width)
    {
        ArgumentNullException.ThrowIfNull(text);
        return Cut(text, width);
    }

    private static IEnumerable<string> Cut(string text, int width)
    {
        var line = "";
        foreach (var word in text.Split(' '))
        {
            if (line.Length > 0 && line.Length + 1 + word.Length > width)
            {
                yield return line;
                line = "";
            }

            line = line.Length == 0 ? word : $"{line} {word}";
        }

        yield return line;
    }
}
