namespace Elastic.Foundation;

/// <summary>Shows text that came from a file in a message: whatever it is, the message stays one line that a person can read.</summary>
public static class OneLine
{
    /// <summary>The text with control characters replaced, cut after <paramref name="longest"/> characters.</summary>
    public static string Of(string text, int longest = 300)
    {
        ArgumentNullException.ThrowIfNull(text);
        return string.Concat(text.Take(longest).Select(c => c == '\t' || TerminalText.IsObeyed(c) ? '\uFFFD' : c))
            + (text.Length > longest ? "…" : "");
    }
}
