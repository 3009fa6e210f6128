using Spectre.Console;

namespace Elastic.Host.Display;

/// <summary>Chooses the display: live for a person at a terminal, plain lines for everything else.</summary>
internal static class RunDisplays
{
    /// <summary>Chooses a display for this process's output.</summary>
    /// <param name="json">Keeps standard output free for the one JSON object.</param>
    /// <param name="plain">Shows plain lines even in a terminal.</param>
    public static IRunDisplay Choose(bool json, bool plain, TextWriter output, TextWriter error)
    {
        if (json)
            return new PlainDisplay(error, TimeProvider.System);
        return output is TerminalWriter && !plain && TakesEscapeSequences(AnsiConsole.Console)
            ? new LiveDisplay(AnsiConsole.Console, Terminal.Of(Console.Out)) : new PlainDisplay(output, TimeProvider.System);
    }

    /// <summary>Whether a terminal redraws lines. NO_COLOR only asks for no colours, and the console leaves them out then.</summary>
    public static bool TakesEscapeSequences(IAnsiConsole console) =>
        console.Profile.Capabilities.Ansi && Environment.GetEnvironmentVariable("TERM") is { Length: > 0 } and not "dumb";
}
