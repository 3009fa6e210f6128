using Spectre.Console;

namespace Elastic.Host.Display;

/// <summary>Chooses the display: live for a person at a terminal, plain lines for everything else.</summary>
internal static class RunDisplays
{
    /// <param name="json">Keeps standard output free for the one JSON object.</param>
    /// <param name="plain">Shows plain lines even in a terminal.</param>
    public static IRunDisplay Choose(bool json, bool plain, TextWriter output, TextWriter error)
    {
        if (json)
            return new PlainDisplay(error, TimeProvider.System);
        var isTerminal = ReferenceEquals(output, Console.Out) && !Console.IsOutputRedirected
            && Environment.GetEnvironmentVariable("TERM") != "dumb";
        return isTerminal && !plain && AnsiConsole.Profile.Capabilities.Ansi
            ? new LiveDisplay(AnsiConsole.Console) : new PlainDisplay(output, TimeProvider.System);
    }
}
