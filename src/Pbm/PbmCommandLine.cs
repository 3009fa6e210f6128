using Elastic.Foundation;

namespace Elastic.Pbm;

/// <summary>Runs pbm: one command, or a prompt for many.</summary>
internal static class PbmCommandLine
{
    /// <summary>Never throws: everything that can go wrong becomes lines on standard error and an exit code.</summary>
    /// <param name="environment">The value of <see cref="SeedAddress.Variable"/>; null or empty for none.</param>
    public static Task<int> RunAsync(IReadOnlyList<string> words, string? environment, PbmConsole console, Interruption interruption) =>
        RunAsync(words, environment, console, interruption, PbmDeadlines.Default, Transport.Plain);

    /// <inheritdoc cref="RunAsync(IReadOnlyList{string}, string, PbmConsole, Interruption)"/>
    public static async Task<int> RunAsync(
        IReadOnlyList<string> words, string? environment, PbmConsole console, Interruption interruption, PbmDeadlines deadlines,
        Transport transport)
    {
        CommandLine line;
        Endpoint address;
        try
        {
            line = CommandLine.Parse(words);
            address = line.Address
                ?? (string.IsNullOrEmpty(environment) ? SeedAddress.Default : SeedAddress.Parse(environment, $"{SeedAddress.Variable}="));
        }
        catch (PbmException e)
        {
            return Session.Tell(e, console, words.Contains(CommandLine.JsonOption));
        }

        if (line.Version)
        {
            console.WriteLine(SeedConnection.Version);
            return ExitCodes.Done;
        }

        await using var session = new Session(address, console, deadlines, transport);
        return line.Words.Count > 0 || line.Help
            ? await interruption.RunAsync(cancel => session.RunAsync(line, cancel))
            : await Prompt.RunAsync(session, console, line.Json, interruption);
    }
}
