using Elastic.Host.Configuration;
using Elastic.Messages.Settings;
using Elastic.Storage;
using System.CommandLine;
using System.Text.Json.Nodes;

namespace Elastic.Host.Commands;

/// <summary><c>elastic config</c>: every setting as a command line gives it, and where its value comes from.</summary>
internal static class ConfigCommand
{
    public static Command Build()
    {
        var (options, json) = (new TrainOptions(), CommandOutput.Option());
        var command = new TeachingCommand("config",
            "Shows every setting that elastic train would use with the same options, and where its value comes from: a default, a preset, "
            + "a file with its line, an option, the run of that name which it would go on with. The output is itself a configuration.",
            """
            elastic config                                           the preset "tiny"
            elastic config --config gpt2-124m --set run.epochs=3     before a long run
            elastic config --config mine.conf > whole.conf           all of it in one file
            elastic config --run books                               what elastic train --run books goes on with
            """)
        { json };
        foreach (var option in options.All)
            command.Add(option);
        command.SetAction(async (parsed, cancel) =>
        {
            var request = options.Read(parsed);
            var run = await TrainCommand.FindAsync(request, cancel);
            ConfigurationLoader.LoadFor(run, request);
            var (output, values) = (CommandOutput.Of(parsed, json), ConfigurationLoader.Effective(run, request, []));
            output.Say(Lines(values));
            output.Result(new JsonObject(SettingsSchema.All.Settings.Select(s => KeyValuePair.Create(s.Key, (JsonNode?)new JsonObject
            {
                ["value"] = Shown(s, values.GetValueOrDefault(s.Key)),
                ["from"] = values.GetValueOrDefault(s.Key)?.Where,
            }))));
            return ExitCodes.Done;
        });
        return command;
    }

    /// <summary>A line for each key of the table, in its order; HOCON, with the origin as a comment.</summary>
    public static IEnumerable<string> Lines(IReadOnlyDictionary<string, SettingText> values)
    {
        var rows = SettingsSchema.All.Settings.Select(s => (
            Line: $"{s.Key} = {Shown(s, values.GetValueOrDefault(s.Key))}",
            Where: values.TryGetValue(s.Key, out var value) ? value.Where : "not set")).ToList();
        var column = rows.Max(r => Math.Min(r.Line.Length, WidestLine)) + 1;
        return rows.Select(r => $"{r.Line.PadRight(column)} # {r.Where}");
    }

    // A path may be long: its comment then stands where it ends.
    private const int WidestLine = 60;

    // Of the database without its password: what is shown is copied into issues and chats.
    private static string Shown(Setting setting, SettingText? value) => value is null ? SettingText.Null
        : setting.Key == "node.database" ? Quoted(DatabaseAddress.WithoutPassword(value.Items[0]))
        : setting.Kind.IsList ? $"[{string.Join(", ", value.Items.Select(Quoted))}]" : Quoted(value.Items[0]);

    // HOCON reads ':' and '#' in a text without quotes as its own.
    private static string Quoted(string text) => text.Length > 0 && text != SettingText.Null
        && text.All(c => char.IsAsciiLetterOrDigit(c) || c is '-' or '_' or '.') ? text
        : $"\"{text.Replace("\\", "\\\\", StringComparison.Ordinal).Replace("\"", "\\\"", StringComparison.Ordinal)}\"";
}
