namespace Elastic.Pbm;

/// <summary>Reads commands until there are no more, each as it would stand behind "pbm". A script may be piped in, too.</summary>
internal static class Prompt
{
    /// <param name="json">Every command as if it had --json.</param>
    /// <returns>The exit code of the last command.</returns>
    public static async Task<int> RunAsync(Session session, PbmConsole console, bool json, Interruption interruption)
    {
        var code = ExitCodes.Done;
        while (true)
        {
            if (console.IsInteractive)
            {
                await console.Output.WriteAsync($"{session.Address}> ");
                await console.Output.FlushAsync();
            }

            // Read on this thread, as a terminal wants it; there is nothing else to do meanwhile.
            if (console.Input.ReadLine() is not { } text)
            {
                if (console.IsInteractive)
                    await console.Output.WriteLineAsync();
                return code;
            }

            try
            {
                var words = Words.Split(text);
                if (words is ["exit" or "quit"])
                    return code;
                if (words.Length == 0)
                    continue;
                var line = CommandLine.Parse(words is ["help", .. var about] ? [.. about, CommandLine.HelpOption] : words);
                if (line.Address is not null || (line.Words.Count == 0 && !line.Help))
                    throw PbmException.Usage($"{text.Trim()} is no command: the prompt stays with {session.Address}", "help");
                code = await interruption.RunAsync(cancel => session.RunAsync(line with { Json = line.Json || json }, cancel));
            }
            catch (PbmException e)
            {
                code = Session.Tell(e, console);
            }
        }
    }
}
