using Elastic.Foundation;
using Elastic.Messages.Pbm;

namespace Elastic.Pbm;

/// <summary>The lines of the help. All but pbm's own come from the server's catalogue.</summary>
internal static class HelpText
{
    private const int Width = 100;

    /// <summary>The help that needs no server.</summary>
    public static IEnumerable<string> OfPbm() =>
    [
        "pbm controls the runs of an Elastic cluster.",
        "",
        "Usage:",
        "  pbm [HOST:PORT] [PALETTE COMMAND [-s VALUE]...] [--json]",
        "  pbm [HOST:PORT]                    a prompt: the same commands without \"pbm\", and help and exit;",
        "                                     Tab completes, arrows find earlier lines, Ctrl-C clears",
        "  pbm [HOST:PORT] --script FILE      the commands of a file, a line each, until one fails",
        "  pbm [HOST:PORT] PALETTE --help     the commands of a palette",
        "  pbm [HOST:PORT] PALETTE COMMAND --help",
        "",
        "HOST:PORT is where a seed listens: the address and port that elastic seed prints.",
        $"Default: the environment variable {SeedAddress.Variable}, else {SeedAddress.Default}.",
        "",
        "Options:",
        .. Rows(
        [
            ("--json", "Each line of output is one JSON object, for scripts; an error is one with \"error\" and \"exitCode\"."),
            ("--script FILE", "Gives the commands of a file: a line each, as at the prompt; # begins a comment. All lines are checked "
                + "before the first command is given, and the first one that fails ends the script with its exit code."),
            ("--certs DIR", "Your certificates, where the cluster has some (elastic certs). "
                + $"Default: {OwnCertificates.Variable}, else certs in the data directory of this machine."),
            ("--token-file FILE", "The seed's token, where the cluster has no certificates. "
                + $"Default: {OwnToken.Variable}, else {PbmToken.FileName} in the data directory of this machine."),
            ("-h, --help", "Explains pbm, a palette or a command."),
            ("--version", "The version of pbm."),
        ]),
        "",
        "Exit codes: 0 done, 1 failed, 2 wrong usage, 3 not found, 4 unreachable, 130 Ctrl-C, 141 unread.",
    ];

    /// <param name="owner">Whose palettes they are: an address, or pbm itself.</param>
    public static IEnumerable<string> OfPalettes(string owner, IReadOnlyList<PaletteHelp> palettes) =>
    [
        "",
        $"Palettes of {owner}:",
        .. Rows([.. palettes.Select(p => (p.Name, $"{p.Description}: {string.Join(", ", p.Commands.Select(c => c.Name))}"))]),
    ];

    public static IEnumerable<string> Of(PaletteHelp palette) =>
    [
        $"pbm {palette.Name} {palette.Description}.",
        "",
        "Commands:",
        .. Rows([.. palette.Commands.Select(c => (c.Name, c.Description))]),
    ];

    public static IEnumerable<string> Of(PaletteHelp palette, CommandHelp command)
    {
        foreach (var line in TextWrap.Lines(command.Description, Width))
            yield return line;
        yield return "";
        yield return "Usage:";
        yield return $"  {string.Join(' ', [$"pbm {palette.Name} {command.Name}", .. command.Arguments.Select(Usage)])}";
        if (command.Arguments.Length > 0)
        {
            yield return "";
            yield return "Arguments:";
            foreach (var line in Rows(
                [.. command.Arguments.Select(a => ($"-{a.Short}, --{a.Long} {a.ValueName}".TrimEnd(), a.Description))]))
                yield return line;
        }

        if (command.Examples.Length == 0)
            yield break;
        yield return "";
        yield return "Examples:";
        foreach (var line in command.Examples.Split('\n'))
            yield return $"  {line}".TrimEnd();
    }

    private static string Usage(ArgumentHelp argument)
    {
        var text = $"-{argument.Short} {argument.ValueName}".TrimEnd();
        return (argument.Required ? text : $"[{text}]") + (argument.Repeatable ? "..." : "");
    }

    private static IEnumerable<string> Rows(IReadOnlyList<(string Name, string Text)> rows)
    {
        var width = rows.Max(r => r.Name.Length) + 3;
        foreach (var (name, text) in rows)
        {
            var first = true;
            foreach (var line in TextWrap.Lines(text, Width - 2 - width))
            {
                yield return $"  {(first ? name : "").PadRight(width)}{line}";
                first = false;
            }
        }
    }
}
