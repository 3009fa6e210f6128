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

    public static IEnumerable<string> Of(ParseResult parsed)
    {
        var command = parsed.CommandResult.Command;
        var unknown = parsed.UnmatchedTokens;
        if (unknown.Count == 0)
            return parsed.Errors.Select(e => Commands(command) is { Length: > 0 } commands && e.SymbolResult is CommandResult
                ? $"{command.Name} needs a command: {commands}" : Said(e));

        // The first word that is no command is a misspelt one; what follows it belongs to the command that was meant.
        if (!IsOption(unknown[0]))
            return [$"{unknown[0]} is no command or option here: {EditDistance.Suggest(unknown[0], NamesIn(command))}"];

        // Words behind an unknown option are its values. Missing options are not told: one of them may be misspelt.
        return unknown.Index().Where(t => IsOption(t.Item)).Select(t => About(t.Item, unknown.ElementAtOrDefault(t.Index + 1), command))
            .Concat(parsed.Errors.Where(e => e.SymbolResult is OptionResult { Tokens.Count: > 0 }).Select(Said));
    }

    // The library names a type of .NET where a value has another form.
    private static string Said(ParseError e)
    {
        var result = e.SymbolResult as OptionResult ?? e.SymbolResult?.Parent as OptionResult;
        return result is { Tokens: [.., var value] } && e.Message.StartsWith("Cannot parse argument", StringComparison.Ordinal)
            ? $"{result.Option.Name} {value.Value}: use {FormOf(result.Option.ValueType)}" : e.Message;
    }

    private static string FormOf(Type type) => Type.GetTypeCode(Nullable.GetUnderlyingType(type) ?? type) switch
    {
        TypeCode.Int32 or TypeCode.Int64 or TypeCode.UInt64 => "a whole number",
        TypeCode.Double or TypeCode.Single => "a number",
        TypeCode.Boolean => "true or false",
        _ => "another form, see the help",
    };

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

    private static List<string> NamesIn(Command command) =>
        [.. command.Subcommands.Select(c => c.Name), .. command.Options.Select(o => o.Name)];
}
