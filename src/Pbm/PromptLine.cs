using Elastic.Foundation;

namespace Elastic.Pbm;

/// <summary>A line of the prompt or of a script: a command as it would stand behind "pbm", "help", or "exit".</summary>
internal static class PromptLine
{
    /// <summary>True for a line of blanks, and for a comment, which begins with #.</summary>
    public static bool IsEmpty(string text) => text.AsSpan().TrimStart() is [] or ['#', ..];

    /// <summary>True for the line that ends a prompt and a script.</summary>
    public static bool IsEnd(CommandLine line) => line.Words is ["exit" or "quit"];

    /// <summary>Reads a line that is not empty.</summary>
    /// <param name="address">Address of the seed that all lines are for.</param>
    /// <exception cref="PbmException">A quote is left open, or an option belongs in pbm's own command line.</exception>
    public static CommandLine Parse(string text, Endpoint address)
    {
        var words = Words.Split(text);
        var line = CommandLine.Parse(words is ["help", .. var about] ? [.. about, CommandLine.HelpOption] : words);
        return line is { Address: null, Certs: null, TokenFile: null, Script: null } && (line.Words.Count > 0 || line.Help)
            ? line : throw PbmException.Usage($"{text.Trim()} is no command: all commands go to {address}", "help");
    }
}
