using Elastic.Foundation;

namespace Elastic.Pbm;

/// <summary>
/// Commands from a file, a line each, as at the prompt. All lines are looked at before the first command is given, so that a misspelt one
/// does nothing; the first command that fails ends the script.
/// </summary>
internal static class Script
{
    // A thousand commands with long settings have a tenth of it.
    private const int MaxBytes = 1024 * 1024;

    /// <summary>Reads the script, checks it, and gives its commands.</summary>
    /// <param name="json">Gives every command as if it had --json.</param>
    /// <returns>The exit code of the command that failed; 0 where none did.</returns>
    public static async Task<int> RunAsync(string file, Session session, PbmConsole console, bool json, Interruption interruption)
    {
        IReadOnlyList<(int Number, CommandLine Line)> lines;
        try
        {
            lines = Read(file, session.Address);
        }
        catch (PbmException e)
        {
            return Session.Tell(e, console, json);
        }

        var wrong = await interruption.RunAsync(
            cancel => session.CheckAsync([.. lines.Select(l => ($"{file}:{l.Number}", l.Line))], json, cancel));
        if (wrong != ExitCodes.Done)
            return wrong;
        foreach (var (number, line) in lines)
        {
            var code = await interruption.RunAsync(
                cancel => session.RunAsync(line with { Json = line.Json || json }, cancel, isScript: true));
            if (code == ExitCodes.Done)
                continue;
            if (number != lines[^1].Number)
                console.Error.WriteLine($"{file}:{number} ended with {code}: the commands after it were not given");
            return code;
        }

        return ExitCodes.Done;
    }

    // Each command with the number of its line, up to "exit".
    private static List<(int Number, CommandLine Line)> Read(string file, Endpoint address)
    {
        var (lines, problems) = (new List<(int Number, CommandLine Line)>(), new List<string>());
        foreach (var (number, text) in TextOf(file).Split('\n').Select((text, at) => (at + 1, text)))
        {
            if (PromptLine.IsEmpty(text))
                continue;
            try
            {
                var line = PromptLine.Parse(text, address);
                if (PromptLine.IsEnd(line))
                    break;
                lines.Add((number, line));
            }
            catch (PbmException e)
            {
                problems.Add($"{file}:{number}: {e.Message}");
            }
        }

        return problems.Count == 0 ? lines : throw PbmException.Usage(string.Join('\n', problems), "pbm --help");
    }

    // Also of a pipe, whose length nobody knows before.
    private static string TextOf(string file)
    {
        try
        {
            using var stream = File.OpenRead(file);
            var bytes = new byte[MaxBytes + 1];
            var count = stream.ReadAtLeast(bytes, bytes.Length, throwOnEndOfStream: false);
            if (count > MaxBytes)
                throw PbmException.Usage($"{CommandLine.ScriptOption} {file} has more than {MaxBytes} bytes: is it one?", "pbm --help");
            using var reader = new StreamReader(new MemoryStream(bytes, 0, count));
            return reader.ReadToEnd();
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or ArgumentException)
        {
            throw PbmException.Usage($"{CommandLine.ScriptOption} {file} cannot be read: {e.Message}", "pbm --help");
        }
    }
}
