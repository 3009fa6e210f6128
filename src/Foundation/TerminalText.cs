namespace Elastic.Foundation;

/// <summary>
/// Text that a terminal only shows. A model's text, a file's name and what a server sends may hold escape sequences, which a terminal
/// obeys: they move the cursor, rename the window or answer as if somebody had typed.
/// </summary>
public static class TerminalText
{
    /// <summary>The same with U+FFFD in place of each control character but tabs.</summary>
    public static string Printable(string line)
    {
        ArgumentNullException.ThrowIfNull(line);
        return line.Any(IsObeyed) ? string.Concat(line.Select(c => IsObeyed(c) ? '\uFFFD' : c)) : line;
    }

    private static bool IsObeyed(char c) => char.IsControl(c) && c != '\t';
}
