using Elastic.Foundation;
using Elastic.Messages.Pbm;
using Elastic.Messages.Settings;

namespace Elastic.Pbm;

/// <summary>What the last word of a line may become: palettes, commands, arguments, names of runs, keys of settings.</summary>
internal sealed class Completion(Session session)
{
    private static readonly string[] Own = ["help", "exit"];

    /// <summary>Where the last word of <paramref name="line"/> begins, and the words that begin like it.</summary>
    public (int From, IReadOnlyList<string> Words) Of(string line)
    {
        var from = line.LastIndexOf(' ') + 1;
        var (before, word) = (line[..from].Split(' ', StringSplitOptions.RemoveEmptyEntries), line[from..]);
        if (before is ["help", .. var about])
            before = about;
        return (from, [.. Words(before)
            // They are a server's words, and become part of what is typed: a terminal must have nothing to obey in them.
            .Where(w => w.StartsWith(word, StringComparison.Ordinal) && TerminalText.Printable(w) == w)
            .Distinct().Order(StringComparer.Ordinal)]);
    }

    private IEnumerable<string> Words(string[] before)
    {
        if (before.Length == 0)
            return session.Catalogue.Select(p => p.Name).Concat(Own);
        if (session.Catalogue.FirstOrDefault(p => p.Name == before[0]) is not { } palette)
            return [];
        if (before.Length == 1)
            return palette.Commands.Select(c => c.Name);
        if (palette.Commands.FirstOrDefault(c => c.Name == before[1]) is not { } command)
            return [];
        return command.Arguments.FirstOrDefault(a => a.Kind != ArgumentKind.Flag && CallParser.IsName(a, before[^1])) is { } argument
            ? Values(argument) : command.Arguments.Select(a => $"--{a.Long}");
    }

    private IEnumerable<string> Values(ArgumentHelp argument) => argument switch
    {
        { Names: { } names } => session.NamesAsync(names).GetAwaiter().GetResult(),
        { ValueName: "KEY=VALUE" } => SettingsSchema.All.Settings.Where(s => s.Block != "node").Select(s => $"{s.Key}="),
        _ => argument.Choices ?? [],
    };
}
