using System.CommandLine;
using System.CommandLine.Parsing;
using Elastic.Foundation;
using Elastic.Messages.Settings;

namespace Elastic.Host.Commands;

/// <summary>What is wrong with a command line: a sentence about each thing, with what was probably meant.</summary>
internal static class UsageProblems
{
    // What other programs call a setting.
    private static readonly Dictionary<string, string> OtherNames = new(StringComparer.OrdinalIgnoreCase)
    {
        ["lr"] = "optimizer.learning-rate",
        ["batch-size"] = "batch.sequences",
        ["wd"] = "optimizer.weight-decay",
    };

    /// <summary>All that is wrong; nothing where nothing is.</summary>
    public static IEnumerable<string> Of(ParseResult parsed) =>
        Swallowed(parsed).ToList() is { Count: > 0 } swallowed ? swallowed : Empty(parsed).Concat(Others(parsed));

    // An option that was taken for the value of the one before it: a run called --dry-run would be trained. What is wrong besides may come
    // of that alone. A file of such a name is written ./--name.
    private static IEnumerable<string> Swallowed(ParseResult parsed) =>
        from option in OfText(parsed)
        from value in parsed.GetResult(option)?.Tokens.Select(t => t.Value).Index() ?? []
        where value.Item.StartsWith("--", StringComparison.Ordinal)
        select NamesIn(parsed.CommandResult.Command).Contains(value.Item.Split('=')[0])
            ? $"{option.Name} needs a value: {value.Item} is an option"
            : About(
                value.Item, parsed.GetResult(option)!.Tokens.ElementAtOrDefault(value.Index + 1)?.Value, parsed.CommandResult.Command);

    // An empty text is a variable of a script that was not set: taken for no option, or for the current directory, it would give the
    // command another meaning. Not a validator: where a whole command line is wrong, none is asked.
    private static IEnumerable<string> Empty(ParseResult parsed) =>
        from option in OfText(parsed)
        where parsed.GetResult(option)?.Tokens.Any(t => t.Value.Length == 0) == true
        select $"{option.Name} is empty: give it a value{(option.Required ? "" : ", or leave it out")}";

    // Words for a model may be any.
    private static IEnumerable<Option> OfText(ParseResult parsed) => parsed.CommandResult.Command.Options.Where(
        option => (option.ValueType == typeof(string) || option.ValueType == typeof(string[]))
            && option.Name is not (CommonOptions.PromptName or CommonOptions.StopName));

    private static IEnumerable<string> Others(ParseResult parsed)
    {
        var command = parsed.CommandResult.Command;
        var unknown = parsed.UnmatchedTokens;
        if (unknown.Count == 0)
            return [.. Unreadable(parsed).Concat(parsed.Errors.Where(e => !IsUnreadable(e)).Select(
                e => Commands(command) is { Length: > 0 } commands && e.SymbolResult is CommandResult
                    ? $"{command.Name} needs a command: {commands}" : e.Message))];

        // The first word that is no command is a misspelt one; what follows it belongs to the command that was meant.
        if (!IsOption(unknown[0]))
            return [$"{unknown[0]} is no command or option here: {EditDistance.Suggest(unknown[0], NamesIn(command))}"];

        // Words behind an unknown option are its values. Missing options are not told: one of them may be misspelt.
        return unknown.Index().Where(t => IsOption(t.Item)).Select(t => About(t.Item, unknown.ElementAtOrDefault(t.Index + 1), command))
            .Concat(Unreadable(parsed))
            .Concat(parsed.Errors.Where(e => e.SymbolResult is OptionResult { Tokens.Count: > 0 } && !IsUnreadable(e))
                .Select(e => e.Message));
    }

    // The library tells the first of them only, or none where something else is wrong, too, and names a type of .NET.
    private static IEnumerable<string> Unreadable(ParseResult parsed) =>
        from option in parsed.CommandResult.Command.Options
        where FormOf(option.ValueType) is not null
        let result = parsed.GetResult(option)
        where result is not null
        from value in result.Tokens.Select(t => t.Value)
        where !IsReadable(option.ValueType, value)
        select $"{option.Name} {value}: use {FormOf(option.ValueType)}";

    private static bool IsUnreadable(ParseError e) => e.Message.StartsWith("Cannot parse argument", StringComparison.Ordinal)
        && (e.SymbolResult as OptionResult ?? e.SymbolResult?.Parent as OptionResult) is { } result
        && FormOf(result.Option.ValueType) is not null;

    private static bool IsReadable(Type type, string value) => Type.GetTypeCode(Nullable.GetUnderlyingType(type) ?? type) switch
    {
        TypeCode.Int32 => int.TryParse(value, out _),
        TypeCode.Int64 => long.TryParse(value, out _),
        TypeCode.UInt64 => ulong.TryParse(value, out _),
        TypeCode.Double => double.TryParse(value, out _),
        _ => bool.TryParse(value, out _),
    };

    // Null for types of which the library speaks as well: texts, and names of something.
    private static string? FormOf(Type type) => (Nullable.GetUnderlyingType(type) ?? type) is { IsEnum: false } plain
        ? Type.GetTypeCode(plain) switch
        {
            TypeCode.Int32 or TypeCode.Int64 or TypeCode.UInt64 => "a whole number",
            TypeCode.Double => "a number",
            TypeCode.Boolean => "true or false",
            _ => null,
        } : null;

    private static string About(string word, string? next, Command command)
    {
        var (option, value) = word.Split('=', 2) is [var name, var given] ? (name, given) : (word, next);
        if (value is null || IsOption(value))
            value = "VALUE";
        return TakesSettings(command) && SettingOf(option.TrimStart('-'), command) is { } key
            ? $"{option} is no option here, but a setting: --set {key}={value}"
            : $"{option} is no command or option here: {EditDistance.Suggest(option, NamesIn(command))}";
    }

    // The last word of a key exactly, since a misspelt option is likelier than a misspelt setting. Seeds and workers have those of a node.
    private static string? SettingOf(string name, Command command)
    {
        var schema = (command as TeachingCommand)?.Schema ?? SettingsSchema.All;
        return OtherNames.GetValueOrDefault(name) is { } other && schema.Find(other) is not null ? other
            : schema.Settings.FirstOrDefault(s => s.Key == name || s.Key.EndsWith($".{name}", StringComparison.Ordinal))?.Key;
    }

    private static bool TakesSettings(Command command) => command.Options.Any(o => o.Name == CommonOptions.SetName);

    private static bool IsOption(string word) => word.StartsWith('-');

    private static string Commands(Command command) => string.Join(", ", command.Subcommands.Select(c => c.Name));

    // Options of the commands above may be given below, too: --help.
    private static List<string> NamesIn(Command command) =>
        [.. command.Subcommands.Select(c => c.Name), .. command.Options.Select(o => o.Name), .. Above(command).Distinct()];

    private static IEnumerable<string> Above(Command command) => command.Parents.OfType<Command>().SelectMany(
        parent => parent.Options.Where(o => o.Recursive).Select(o => o.Name).Concat(Above(parent)));
}
