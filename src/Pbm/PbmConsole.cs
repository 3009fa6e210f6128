using System.Text.Json.Nodes;
using Elastic.Foundation;

namespace Elastic.Pbm;

/// <summary>The input and the outputs of a person, or of a script.</summary>
/// <param name="IsInteractive">True where a person types and reads: then pbm shows a prompt, and asks.</param>
/// <param name="Keyboard">The keys of a terminal on which a line can be edited; null for a script, and for a simple terminal.</param>
internal sealed record PbmConsole(
    TextReader Input, TextWriter Output, TextWriter Error, bool IsInteractive, IKeyboard? Keyboard = null)
{
    /// <summary>Reads <see cref="Input"/>.</summary>
    public InputLines Lines { get; } = new(Input);

    /// <summary>Writes a line from the server: the terminal must not obey escape sequences in it.</summary>
    public void WriteLine(string line)
    {
        Output.WriteLine(TerminalText.Printable(line));
        Output.Flush();
    }

    /// <summary>Writes an error, each of its lines marked as one.</summary>
    /// <param name="json">Whether a script reads the output: it gets the error as its last object.</param>
    public void WriteError(string error, int exitCode, bool json)
    {
        foreach (var line in error.Split('\n', StringSplitOptions.RemoveEmptyEntries))
            Error.WriteLine($"error: {TerminalText.Printable(line)}");
        if (json)
            WriteLine(new JsonObject { ["error"] = error, ["exitCode"] = exitCode }.ToJsonString());
    }
}
