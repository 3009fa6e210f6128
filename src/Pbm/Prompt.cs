namespace Elastic.Pbm;

/// <summary>Reads commands to the end of the input, each as it would stand behind "pbm". The input may be a script's pipe, too.</summary>
internal static class Prompt
{
    /// <param name="json">Runs every command as if it had --json.</param>
    /// <returns>The exit code of the last command.</returns>
    public static async Task<int> RunAsync(Session session, PbmConsole console, bool json, Interruption interruption)
    {
        var code = ExitCodes.Done;
        var editor = new LineEditor();
        var completion = new Completion(session);
        while (true)
        {
            if (await ReadLineAsync($"{session.Address}> ") is not { } text)
            {
                if (console.IsInteractive)
                    await console.Output.WriteLineAsync();
                return code;
            }

            try
            {
                if (PromptLine.IsEmpty(text))
                    continue;
                var line = PromptLine.Parse(text, session.Address);
                if (PromptLine.IsEnd(line))
                    return code;
                code = await interruption.RunAsync(cancel => session.RunAsync(line with { Json = line.Json || json }, cancel));
            }
            catch (PbmException e)
            {
                code = Session.Tell(e, console, json);
            }
        }

        async Task<string?> ReadLineAsync(string prompt)
        {
            if (console.Keyboard is { } keyboard)
                return LineReader.Read(prompt, editor, keyboard, console.Output, completion.Of);
            if (console.IsInteractive)
            {
                console.Output.Write(prompt);
                console.Output.Flush();
            }

            return await console.Lines.ReadAsync(CancellationToken.None);
        }
    }
}
