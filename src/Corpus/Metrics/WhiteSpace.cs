namespace Elastic.Corpus;

/// <summary>
/// White space as Python's str has it, in which the metrics were defined: .NET's and the four separators U+001C to U+001F.
/// </summary>
internal static class WhiteSpace
{
    /// <summary>True for a character of white space.</summary>
    public static bool Is(char c) => char.IsWhiteSpace(c) || c is >= '\u001c' and <= '\u001f';

    /// <summary>The text without white space at its end.</summary>
    public static string TrimEnd(string text)
    {
        var end = text.Length;
        while (end > 0 && Is(text[end - 1]))
            end--;
        return text[..end];
    }

    /// <summary>What is between white space; nothing of it is empty.</summary>
    public static IReadOnlyList<string> Split(string text)
    {
        var (words, start) = (new List<string>(), -1);
        for (var i = 0; i <= text.Length; i++)
        {
            var isIn = i < text.Length && !Is(text[i]);
            if (isIn && start < 0)
                start = i;
            if (isIn || start < 0)
                continue;
            words.Add(text[start..i]);
            start = -1;
        }
        return words;
    }
}
