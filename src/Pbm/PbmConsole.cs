namespace Elastic.Pbm;

/// <summary>What a person, or a script, sees and types.</summary>
/// <param name="IsInteractive">True where a person types: then there is a prompt.</param>
internal sealed record PbmConsole(TextReader Input, TextWriter Output, TextWriter Error, bool IsInteractive)
{
    /// <summary>Writes a line that came from elsewhere: a terminal must not obey escape sequences in it.</summary>
    public void WriteLine(string line)
    {
        Output.WriteLine(Printable(line));
        Output.Flush();
    }

    /// <summary>Writes an error, each of its lines as one.</summary>
    public void WriteError(string error)
    {
        foreach (var line in error.Split('\n', StringSplitOptions.RemoveEmptyEntries))
            Error.WriteLine($"error: {Printable(line)}");
    }

    private static string Printable(string line) => string.Concat(line.Select(c => char.IsControl(c) && c != '\t' ? '\uFFFD' : c));
}
