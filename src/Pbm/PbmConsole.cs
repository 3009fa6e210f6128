namespace Elastic.Pbm;

/// <summary>The input and the outputs of a person, or of a script.</summary>
/// <param name="IsInteractive">True where a person types: then pbm shows a prompt.</param>
internal sealed record PbmConsole(TextReader Input, TextWriter Output, TextWriter Error, bool IsInteractive)
{
    /// <summary>Writes a line from the server: the terminal must not obey escape sequences in it.</summary>
    public void WriteLine(string line)
    {
        Output.WriteLine(Printable(line));
        Output.Flush();
    }

    /// <summary>Writes an error, each of its lines marked as one.</summary>
    public void WriteError(string error)
    {
        foreach (var line in error.Split('\n', StringSplitOptions.RemoveEmptyEntries))
            Error.WriteLine($"error: {Printable(line)}");
    }

    private static string Printable(string line) => string.Concat(line.Select(c => char.IsControl(c) && c != '\t' ? '\uFFFD' : c));
}
