using System.CommandLine;
using System.CommandLine.Help;
using System.CommandLine.Invocation;
using Elastic.Messages.Settings;

namespace Elastic.Host.Commands;

/// <summary>A command whose help ends with examples: they teach faster than a list of options.</summary>
internal sealed class TeachingCommand(
    string name, string description, string examples, IEnumerable<string>? settings = null, SettingsSchema? schema = null)
    : Command(name, description)
{
    /// <summary>The keys that <c>--set</c> takes, one line per setting; empty for a command that takes none.</summary>
    public IEnumerable<string> Settings { get; } = settings ?? [];

    /// <summary>The settings that <c>--set</c> takes.</summary>
    public SettingsSchema Schema { get; } = schema ?? SettingsSchema.All;

    /// <summary>Command lines, one per line, each with an explanation.</summary>
    public string Examples { get; } = examples;

    /// <summary>Makes <c>--help</c> of every command below <paramref name="root"/> show its examples.</summary>
    public static void Teach(RootCommand root, string examples)
    {
        foreach (var option in root.Options.OfType<HelpOption>())
            option.Action = new HelpWithExamples((SynchronousCommandLineAction)option.Action!, examples);
    }

    private sealed class HelpWithExamples(SynchronousCommandLineAction help, string rootExamples) : SynchronousCommandLineAction
    {
        // A request for help gets no error for a missing option.
        public override bool ClearsParseErrors => true;

        public override int Invoke(ParseResult parseResult)
        {
            var result = help.Invoke(parseResult);
            var examples = parseResult.CommandResult.Command switch
            {
                TeachingCommand teaching => teaching.Examples,
                RootCommand => rootExamples,
                _ => null,
            };
            if (examples is null)
                return result;
            Write(
                "Settings and their defaults, for --set KEY=VALUE; presets change some (docs/configuration.md has the reasons):",
                (parseResult.CommandResult.Command as TeachingCommand)?.Settings ?? []);
            Write("Examples:", examples.Split('\n'));
            return result;

            void Write(string title, IEnumerable<string> lines)
            {
                if (!lines.Any())
                    return;
                var output = parseResult.InvocationConfiguration.Output;
                output.WriteLine(title);
                foreach (var line in lines)
                    output.WriteLine($"  {line}".TrimEnd());
                output.WriteLine();
            }
        }
    }
}
