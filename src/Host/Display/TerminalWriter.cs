using System.Text;
using Elastic.Foundation;

namespace Elastic.Host.Display;

/// <summary>
/// Standard output or standard error where that is a terminal. All that a command writes goes through it: the terminal obeys no escape
/// sequence in a model's text or a file's name, and a terminal that was closed ends no run. Into a file or a pipe the bytes go unchanged.
/// </summary>
internal sealed class TerminalWriter(TextWriter terminal) : TextWriter
{
    public override Encoding Encoding => terminal.Encoding;

    /// <summary>A writer for a stream of this process.</summary>
    public static TextWriter For(TextWriter stream, bool isRedirected) => isRedirected ? stream : new TerminalWriter(stream);

    public override void Write(char value) => Write(value.ToString());

    public override void Write(char[] buffer, int index, int count) => Write(new string(buffer, index, count));

    public override void Write(string? value)
    {
        if (value is not null)
            Try(() => terminal.Write(string.Join('\n', value.ReplaceLineEndings("\n").Split('\n').Select(TerminalText.Printable))));
    }

    public override void WriteLine(string? value) => Write(value + "\n");

    public override void Flush() => Try(terminal.Flush);

    private static void Try(Action write)
    {
        try
        {
            write();
        }
        catch (IOException)
        {
            // The terminal was closed: nobody reads any more.
        }
    }
}
