using System.CommandLine;
using System.Globalization;
using System.Reflection;
using System.Text.RegularExpressions;
using Elastic.Host.Commands;
using Elastic.Host.Pbm;
using Elastic.Host.Tests.Pbm;
using Elastic.Messages.Pbm;
using Elastic.Pbm;
using Elastic.Testing;

namespace Elastic.Host.Tests.Commands;

/// <summary>docs/operations.md has every command of elastic and of pbm, each with an example that is understood, and no other.</summary>
public sealed partial class OperationsPageTests
{
    private const string Page = "docs/operations.md";

    private static readonly string Text = File.ReadAllText(Checkout.PathOf(Page));

    private static IReadOnlyList<PaletteHelp> Palettes =>
        [.. ControlPalettes.Of(new FakeCluster(), TimeProvider.System).Select(p => p.Help)];

    // "### `elastic corpus build`", and all up to the next heading.
    private static List<(string Command, string Text)> Sections =>
        [.. Section().Matches(Text).Select(m => (m.Groups["command"].Value, m.Groups["text"].Value))];

    [Fact]
    public void The_page_has_a_section_for_every_command_and_none_for_another()
    {
        var (there, wanted) = (Sections.Select(s => s.Command).ToList(), CommandsOf(ElasticCommandLine.Build()).Concat(
            Palettes.SelectMany(p => p.Commands.Select(c => $"pbm {p.Name} {c.Name}"))).ToList());
        Assert.True(wanted.Except(there).ToList() is [],
            $"{Page} lacks a section (\"### `pbm run list`\", a sentence that says when one needs it, an example with its output) for: "
            + string.Join(", ", wanted.Except(there)));
        Assert.True(there.Except(wanted).ToList() is [], $"{Page} has no command to show for: {string.Join(", ", there.Except(wanted))}");
        Assert.Equal(there.Distinct().Count(), there.Count);
    }

    [Fact]
    public void Every_section_says_when_one_needs_the_command_and_shows_what_it_prints()
    {
        foreach (var (command, text) in Sections)
        {
            Assert.True(Sentence().IsMatch(text), $"{Page}, {command}: a sentence is missing that says when one needs it");
            var lines = Example().Match(text).Groups["lines"].Value.Split('\n', StringSplitOptions.RemoveEmptyEntries);
            Assert.True(lines.Any(l => l.StartsWith($"$ {command}", StringComparison.Ordinal)), $"{Page}, {command}: no example");
            Assert.True(lines.Any(l => !l.StartsWith("$ ", StringComparison.Ordinal)), $"{Page}, {command}: its example prints nothing");
        }
    }

    [Fact]
    public void Every_example_is_understood()
    {
        var parser = new CallParser(Palettes, OwnCatalogue.Palettes);
        foreach (var line in Typed().Matches(Text).Select(m => m.Groups["line"].Value))
        {
            var words = Words.Split(line);
            if (words[0] == "elastic")
                Assert.True(ElasticCommandLine.Build().Parse([.. words.Skip(1)]).Errors is [], $"{Page}: {line}");
            else
                parser.Parse(Elastic.Pbm.CommandLine.Parse([.. words.Skip(1)]).Words, json: false);
        }
    }

    [Fact]
    public void The_exit_codes_on_the_pages_and_in_the_help_are_those_of_the_program()
    {
        var codes = typeof(ExitCodes).GetFields(BindingFlags.Public | BindingFlags.Static)
            .Select(f => (int)f.GetValue(null)!).Order().ToList();
        foreach (var page in new[] { Page, "docs/pbm.md" })
        {
            var table = File.ReadAllText(Checkout.PathOf(page)).Split("| exit code |")[1].Split("\n\n")[0];
            Assert.Equal(codes, Code().Matches(table).Select(m => int.Parse(m.Groups["code"].Value, CultureInfo.InvariantCulture)));
        }

        var help = HelpText.OfPbm().Last();
        Assert.StartsWith("Exit codes: ", help, StringComparison.Ordinal);
        Assert.Equal(codes, Number().Matches(help).Select(m => int.Parse(m.Value, CultureInfo.InvariantCulture)));
    }

    private static IEnumerable<string> CommandsOf(Command command, string before = "elastic") => command.Subcommands.SelectMany(c =>
        c.Subcommands.Count > 0 ? CommandsOf(c, $"{before} {c.Name}") : [$"{before} {c.Name}"]);

    [GeneratedRegex(@"^### `(?<command>[^`]+)`\n(?<text>.*?)(?=^#|\z)",
        RegexOptions.ExplicitCapture | RegexOptions.Multiline | RegexOptions.Singleline, 10_000)]
    private static partial Regex Section();

    [GeneratedRegex(@"^\n[A-Z`].*\.\n", RegexOptions.ExplicitCapture | RegexOptions.Singleline, 10_000)]
    private static partial Regex Sentence();

    [GeneratedRegex(@"```\n(?<lines>.*?)```", RegexOptions.ExplicitCapture | RegexOptions.Singleline, 10_000)]
    private static partial Regex Example();

    [GeneratedRegex(@"^\$ (?<line>(elastic|pbm) .*)$", RegexOptions.ExplicitCapture | RegexOptions.Multiline, 10_000)]
    private static partial Regex Typed();

    [GeneratedRegex(@"^\| (?<code>\d+) \|", RegexOptions.ExplicitCapture | RegexOptions.Multiline, 10_000)]
    private static partial Regex Code();

    [GeneratedRegex(@"\d+", RegexOptions.ExplicitCapture, 10_000)]
    private static partial Regex Number();
}
