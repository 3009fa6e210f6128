using Elastic.Foundation;

namespace Elastic.Pbm;

/// <summary>One command line, split into pbm's own options and a palette's words.</summary>
/// <param name="Address">Null where the command line names none.</param>
/// <param name="Words">The palette, the command and its arguments, as far as given.</param>
/// <param name="Certs">The folder of certificates that the command line names; null where it names none.</param>
/// <param name="TokenFile">The file of the seed's token that the command line names; null where it names none.</param>
/// <param name="Script">The file of commands that the command line names; null where it names none.</param>
internal sealed record CommandLine(
    Endpoint? Address, IReadOnlyList<string> Words, bool Json, bool Help, bool Version, string? Certs, string? TokenFile, string? Script)
{
    public const string JsonOption = "--json", HelpOption = "--help", HelpLetter = "-h", VersionOption = "--version";
    public const string CertsOption = "--certs", TokenFileOption = "--token-file", ScriptOption = "--script";

    /// <summary>Ends the options: the words after it are taken literally.</summary>
    public const string EndOfOptions = "--";

    /// <summary>Splits <paramref name="words"/>. Pbm's own options may stand anywhere before a <see cref="EndOfOptions"/>.</summary>
    public static CommandLine Parse(IReadOnlyList<string> words)
    {
        var own = words.TakeWhile(w => w != EndOfOptions).ToList();
        List<string> rest =
            [.. own.Where(w => w is not (JsonOption or HelpOption or HelpLetter or VersionOption)), .. words.Skip(own.Count)];
        var certs = Take(CertsOption, rest, "the folder of your certificates");
        var tokenFile = Take(TokenFileOption, rest, "the file of the seed's token");
        var script = Take(ScriptOption, rest, "a file of commands");
        if (certs is not null && tokenFile is not null)
            throw PbmException.Usage($"give {CertsOption} or {TokenFileOption}: a seed has certificates or a token", "pbm --help");

        Endpoint? address = null;
        if (rest.Count > 0 && SeedAddress.IsMeant(rest[0]))
        {
            address = SeedAddress.Parse(rest[0]);
            rest.RemoveAt(0);
        }

        var help = own.Contains(HelpOption) || own.Contains(HelpLetter);
        if (script is not null && rest.Count > 0 && !help)
            throw PbmException.Usage($"{ScriptOption} {script} gives the commands: leave out {string.Join(' ', rest)}", "pbm --help");
        return new CommandLine(address, rest, own.Contains(JsonOption), help, own.Contains(VersionOption), certs, tokenFile, script);
    }

    // Takes an option of pbm and its value out of the words before the end of the options.
    private static string? Take(string option, List<string> words, string what)
    {
        var end = words.IndexOf(EndOfOptions) is var found and >= 0 ? found : words.Count;
        if (words.IndexOf(option, 0, end) is var at && at < 0)
            return null;
        if (at + 1 >= end)
            throw PbmException.Usage($"{option} needs {what}", "pbm --help");
        var value = words[at + 1];
        // A variable of a script that was not set: the default in its place would be another cluster's.
        if (value.Length == 0)
            throw PbmException.Usage($"{option} is empty: give {what}, or leave it out", "pbm --help");
        if (value.StartsWith("--", StringComparison.Ordinal))
            throw PbmException.Usage(
                $"{option} needs {what}: {value} begins like an option; what has that name is ./{value}", "pbm --help");
        words.RemoveRange(at, 2);
        return value;
    }
}
