using Elastic.Foundation;
using Elastic.Messages.Pbm;

namespace Elastic.Pbm;

/// <summary>
/// Turns words into a call, by the server's catalogue alone: <c>-s value</c>, <c>--long value</c>, <c>--long=value</c>, flags,
/// and <c>--</c> at the end. Only <c>--long=--value</c> gives a value that begins like an option. The message for a word that does not fit
/// names the nearest word that does.
/// </summary>
/// <param name="catalogue">The server's.</param>
/// <param name="own">What pbm knows itself: it decides which arguments may name a file.</param>
internal sealed class CallParser(IReadOnlyList<PaletteHelp> catalogue, IReadOnlyList<PaletteHelp> own)
{
    /// <summary>Largest file that is sent along; a configuration is a few hundred lines.</summary>
    private const int MaxFileBytes = 128 * 1024;

    /// <summary>Finds the palette and the command with which <paramref name="words"/> begin.</summary>
    /// <returns>The command is null where only a palette is named.</returns>
    public (PaletteHelp Palette, CommandHelp? Command) Find(IReadOnlyList<string> words)
    {
        var palette = catalogue.FirstOrDefault(p => p.Name == words[0])
            ?? throw Unknown(words[0], "palette", catalogue.Select(p => p.Name), "pbm --help",
                words.Count > 1 && catalogue.Any(p => p.Name == words[1])
                    ? $"; an address needs a port: {words[0]}:{SeedAddress.Default.Port}"
                    : "");
        if (words.Count == 1)
            return (palette, null);
        var command = palette.Commands.FirstOrDefault(c => c.Name == words[1])
            ?? throw Unknown(words[1], $"command of {palette.Name}", palette.Commands.Select(c => c.Name), $"pbm {palette.Name} --help");
        return (palette, command);
    }

    /// <summary>Makes the call that <paramref name="words"/> ask for; reads the files of this machine that they name.</summary>
    /// <exception cref="PbmException">Names every problem, one per line.</exception>
    public PbmMessage.Call Parse(IReadOnlyList<string> words, bool json)
    {
        var (palette, command) = Find(words);
        if (command is null)
            throw PbmException.Usage(
                $"{palette.Name} needs a command: {string.Join(", ", palette.Commands.Select(c => c.Name))}", $"pbm {palette.Name} --help");

        var (values, problems) = (new List<CallValue>(), new List<string>());
        for (var i = 2; i < words.Count; i++)
        {
            var word = words[i];
            if (word == CommandLine.EndOfOptions)
            {
                problems.AddRange(words.Skip(i + 1).Select(w => $"{w}: {command.Name} takes no bare words; name the argument before it"));
                break;
            }

            var equals = word.StartsWith("--", StringComparison.Ordinal) ? word.IndexOf('=', StringComparison.Ordinal) : -1;
            var name = equals > 0 ? word[..equals] : word;
            if (command.Arguments.FirstOrDefault(a => IsName(a, name)) is not { } argument)
            {
                var names = command.Arguments.SelectMany(a => new[] { $"-{a.Short}", $"--{a.Long}" }).ToList();
                // "-fmeat" is -f with its value, as other programs take it.
                var glued = names.Find(n => n.Length == 2 && name.StartsWith(n, StringComparison.Ordinal));
                problems.Add(name.StartsWith('-') && names.Count > 0
                    ? $"{name} is no argument of {command.Name}: "
                        + (glued is null ? EditDistance.Suggest(name, names) : $"did you mean {glued}?")
                    : $"{word}: {command.Name} takes no bare words"
                        + (names.Count > 0 ? $"; its arguments are {string.Join(", ", names)}" : " and no arguments"));
            }
            else if (argument.Kind == ArgumentKind.Flag)
            {
                if (equals > 0)
                    problems.Add($"{name} takes no value");
                values.Add(new CallValue(argument.Long, ""));
            }
            else if (equals > 0)
            {
                values.Add(new CallValue(argument.Long, word[(equals + 1)..]));
            }
            else if (i + 1 < words.Count && !words[i + 1].StartsWith("--", StringComparison.Ordinal)
                && !command.Arguments.Any(a => IsName(a, words[i + 1])))
            {
                values.Add(new CallValue(argument.Long, words[++i]));
            }
            else
            {
                // What follows may be a misspelt argument, which is told next: a run called --dryrun would be started.
                var next = words.ElementAtOrDefault(i + 1) ?? CommandLine.EndOfOptions;
                var isMeant = next != CommandLine.EndOfOptions && !command.Arguments.Any(a => IsName(a, next.Split('=')[0]));
                problems.Add($"{name} needs a value: {name} {argument.ValueName}"
                    + (isMeant ? $", or --{argument.Long}={next} where that is the value" : ""));
            }
        }

        foreach (var argument in command.Arguments)
        {
            var count = values.Count(v => v.Argument == argument.Long);
            if (count > 1 && !argument.Repeatable)
                problems.Add($"-{argument.Short} can be given only once");
            if (count == 0 && argument.Required && problems.Count == 0)
                problems.Add($"-{argument.Short} {argument.ValueName} is missing. {argument.Description}");
        }

        var known = own.FirstOrDefault(p => p.Name == palette.Name)?.Commands.FirstOrDefault(c => c.Name == command.Name)?.Arguments ?? [];
        var read = values.Select(v => WithFile(
            v, command.Arguments.First(a => a.Long == v.Argument), known.FirstOrDefault(a => a.Long == v.Argument), problems)).ToArray();
        return problems.Count == 0
            ? new PbmMessage.Call(
                palette.Name, command.Name, read, json, $"{Environment.UserName}@{Environment.MachineName}", Guid.NewGuid().ToString("N"))
            : throw PbmException.Usage(string.Join('\n', problems), $"pbm {palette.Name} {command.Name} --help");
    }

    /// <summary>
    /// The folder that the call's files go to; null where the command sends none. As with files that are read, pbm itself must know it.
    /// </summary>
    public string? NewFolderOf(PbmMessage.Call call) => own.FirstOrDefault(p => p.Name == call.Palette)?.Commands
        .FirstOrDefault(c => c.Name == call.Command)?.Arguments.FirstOrDefault(a => a.IsNewFolder) is { } argument
            ? call.Values.FirstOrDefault(v => v.Argument == argument.Long)?.Value : null;

    public static bool IsName(ArgumentHelp argument, string word) => word == $"-{argument.Short}" || word == $"--{argument.Long}";

    // The catalogue is the server's word, and a server may lie: it could call any argument a file, and be sent what a run is named like.
    // So a file is read only for an argument that pbm itself knows to take one.
    private static CallValue WithFile(CallValue value, ArgumentHelp argument, ArgumentHelp? known, List<string> problems)
    {
        string[] choices = [.. (argument.Choices ?? []).Union(known?.Choices ?? [])];
        if (argument.Kind != ArgumentKind.ChoiceOrFile || choices.Contains(value.Value))
            return value;
        if (known?.Kind != ArgumentKind.ChoiceOrFile)
        {
            problems.Add($"-{argument.Short} {value.Value}: the seed asks for a file there, and this pbm knows of none: "
                + "use the pbm that came with the seed");
            return value;
        }

        try
        {
            var file = new FileInfo(value.Value);
            if (file is { Exists: true, Length: <= MaxFileBytes })
                return value with { FileText = File.ReadAllText(file.FullName) };
            problems.Add($"-{argument.Short} {value.Value}: " + (file.Exists
                ? $"the file has {file.Length} bytes; at most {MaxFileBytes} are sent"
                : $"there is no such file here, and the server knows only {string.Join(", ", choices)}" +
                  (EditDistance.Nearest(value.Value, choices) is { } nearest ? $" (did you mean {nearest}?)" : "")));
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or ArgumentException)
        {
            problems.Add($"-{argument.Short} {value.Value} cannot be read: {e.Message}");
        }

        return value;
    }

    private static PbmException Unknown(string word, string what, IEnumerable<string> names, string see, string hint = "") =>
        PbmException.Usage($"{word} is no {what} here: {EditDistance.Suggest(word, names)}{hint}", see);
}
