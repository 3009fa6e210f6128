using Elastic.Foundation;

namespace Elastic.Pbm;

/// <summary>One command line, split into pbm's own options and a palette's words.</summary>
/// <param name="Address">Null where the command line names none.</param>
/// <param name="Words">The palette, the command and its arguments, as far as given.</param>
/// <param name="Certs">The folder of certificates that the command line names; null where it names none.</param>
internal sealed record CommandLine(Endpoint? Address, IReadOnlyList<string> Words, bool Json, bool Help, bool Version, string? Certs)
{
    public const string JsonOption = "--json", HelpOption = "--help", HelpLetter = "-h", VersionOption = "--version";
    public const string CertsOption = "--certs";

    /// <summary>Ends the options: the words after it are taken literally.</summary>
    public const string EndOfOptions = "--";

    /// <summary>Splits <paramref name="words"/>. Pbm's own options may stand anywhere before a <see cref="EndOfOptions"/>.</summary>
    public static CommandLine Parse(IReadOnlyList<string> words)
    {
        var own = words.TakeWhile(w => w != EndOfOptions).ToList();
        List<string> rest =
            [.. own.Where(w => w is not (JsonOption or HelpOption or HelpLetter or VersionOption)), .. words.Skip(own.Count)];
        string? certs = null;
        if (rest.IndexOf(CertsOption) is var at and >= 0 && at < own.Count)
        {
            certs = at + 1 < rest.Count && rest[at + 1] != EndOfOptions
                ? rest[at + 1]
                : throw PbmException.Usage($"{CertsOption} needs the folder of your certificates", "pbm --help");
            rest.RemoveRange(at, 2);
        }

        Endpoint? address = null;
        if (rest.Count > 0 && SeedAddress.IsMeant(rest[0]))
        {
            address = SeedAddress.Parse(rest[0]);
            rest.RemoveAt(0);
        }

        return new CommandLine(
            address, rest, own.Contains(JsonOption), own.Contains(HelpOption) || own.Contains(HelpLetter), own.Contains(VersionOption),
            certs);
    }
}
