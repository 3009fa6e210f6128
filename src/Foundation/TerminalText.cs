namespace Elastic.Foundation;

/// <summary>
/// Text that a terminal only shows. A model's text, a file's name and what a server sends may hold escape sequences, which a terminal
/// obeys: they move the cursor, rename the window or answer as if somebody had typed.
/// </summary>
public static class TerminalText
{
    /// <summary>
    /// The line with U+FFFD in place of each control character but tabs, and of each that changes the direction of writing: such text shows
    /// other words than it holds (Boucher and Anderson 2021, "Trojan Source").
    /// </summary>
    public static string Printable(string line)
    {
        ArgumentNullException.ThrowIfNull(line);
        return line.Any(IsObeyed) ? string.Concat(line.Select(c => IsObeyed(c) ? '\uFFFD' : c)) : line;
    }

    /// <summary>True for what a terminal does not show but obeys.</summary>
    internal static bool IsObeyed(char c) => char.IsControl(c)
        ? c != '\t'
        : c is '\u061C' or '\u200E' or '\u200F' or (>= '\u2028' and <= '\u202E') or (>= '\u2066' and <= '\u206F');
}
