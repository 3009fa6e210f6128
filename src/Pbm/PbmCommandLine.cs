using Elastic.Foundation;
using Elastic.Foundation.Certificates;

namespace Elastic.Pbm;

/// <summary>Runs pbm: one command, a script, or a prompt.</summary>
internal static class PbmCommandLine
{
    /// <summary>Never throws: everything that can go wrong becomes lines on standard error and an exit code.</summary>
    /// <param name="environment">The value of <see cref="SeedAddress.Variable"/>; null or empty for none.</param>
    public static Task<int> RunAsync(IReadOnlyList<string> words, string? environment, PbmConsole console, Interruption interruption) =>
        RunAsync(words, environment, console, interruption, PbmDeadlines.Default, null);

    /// <inheritdoc cref="RunAsync(IReadOnlyList{string}, string, PbmConsole, Interruption)"/>
    /// <param name="given">Connections of a test; null for those that the person's certificates make.</param>
    public static async Task<int> RunAsync(
        IReadOnlyList<string> words, string? environment, PbmConsole console, Interruption interruption, PbmDeadlines deadlines,
        Transport? given)
    {
        CommandLine line;
        Endpoint address;
        Credentials? credentials;
        try
        {
            line = CommandLine.Parse(words);
            address = line.Address
                ?? (string.IsNullOrEmpty(environment) ? SeedAddress.Default : SeedAddress.Parse(environment, $"{SeedAddress.Variable}="));
            credentials = given is null && line.TokenFile is null ? OwnCertificates.Find(line.Certs) : null;
        }
        catch (ElasticException e)
        {
            return Session.Tell(e, console, words.Contains(CommandLine.JsonOption));
        }

        using var own = credentials;
        if (line.Version)
        {
            console.WriteLine(SeedConnection.Version);
            return ExitCodes.Done;
        }

        if (credentials?.OpenKey is { } open)
            console.Error.WriteLine(TerminalText.Printable(open));
        await using var session = new Session(
            address, console, deadlines, given ?? (credentials is null ? Transport.Plain : TlsTransport.ForPbm(credentials)),
            () => credentials is null ? OwnToken.Read(line.TokenFile, address) : null);
        if (line is { Script: { } script, Help: false })
            return await Script.RunAsync(script, session, console, line.Json, interruption);
        return line.Words.Count > 0 || line.Help
            ? await interruption.RunAsync(cancel => session.RunAsync(line, cancel))
            : await Prompt.RunAsync(session, console, line.Json, interruption);
    }
}
