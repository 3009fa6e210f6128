using System.Text;
using System.Text.RegularExpressions;
using Elastic.Foundation;
using Elastic.Messages.Settings;

namespace Elastic.Host.Tests.Configuration;

/// <summary>What is written for people about the settings, made of their table.</summary>
internal static class SettingsDocuments
{
    public const string ReferencePath = "hocon/reference.conf";
    public const string DocumentationPath = "docs/configuration.md";
    public const string Update = "UPDATE_DOCS=1 dotnet test -c Release tests/Host --filter SettingsDocuments";

    private const string Begin = "<!-- The tables below are written from src/Messages/Settings by: " + Update + " -->\n";
    private const string End = "\n<!-- The end of the tables. -->";
    private const int LineWidth = 116;

    /// <summary>hocon/reference.conf: every key with its default, commented.</summary>
    public static string Reference(SettingsSchema schema)
    {
        var text = new StringBuilder($"""
            # Every key of Elastic, its default, and why the default is what it is. For people: the program has the defaults from
            # src/Messages/Settings, and this file is written from there by
            #   {Update}
            #
            # Order of precedence, later beats earlier: the defaults, ELASTIC_DATA_DIR (for node.data-dir), each --config in turn, each
            # --set key=value in turn, then the options of their own (--run, --corpus, --devices, --data-dir). Seeds and workers take the
            # keys node.* only, with defaults of their own; docs/configuration.md has them.

            """);
        foreach (var block in schema.Settings.GroupBy(s => s.Block))
        {
            text.Append($"\n{block.Key} {{\n");
            text.AppendJoin("\n", block.Select(setting => string.Concat(
                [.. TextWrap.Lines(setting.Why, LineWidth).Select(line => $"  # {line}\n"),
                    $"  # Takes: {setting.Takes}\n  {setting.Key[(block.Key.Length + 1)..]} = {setting.ShownDefault}\n"])));
            text.Append("}\n");
        }

        return text.ToString();
    }

    /// <summary>docs/configuration.md with today's tables.</summary>
    public static string Documentation(string text, SettingsSchema schema)
    {
        var (begin, end) = (text.IndexOf(Begin, StringComparison.Ordinal), text.IndexOf(End, StringComparison.Ordinal));
        if (begin < 0 || end < begin)
            throw new InvalidDataException($"{DocumentationPath} lacks the lines between which its tables stand: {Begin}");
        return text[..(begin + Begin.Length)] + Tables(schema) + text[end..];
    }

    /// <summary>A table for each block.</summary>
    public static string Tables(SettingsSchema schema)
    {
        var text = new StringBuilder();
        foreach (var block in schema.Settings.GroupBy(s => s.Block))
        {
            text.Append($"\n## {block.Key}\n\n| key | default | takes | fixed | |\n|---|---|---|---|---|\n");
            foreach (var setting in block)
                text.Append(
                    $"| `{setting.Key}` | `{setting.ShownDefault}` | {setting.Takes} | " +
                    $"{(setting.PartOfAnswer ? "yes" : "")} | {Links(setting.Why)} |\n");
        }

        return text.ToString();
    }

    // "docs/cluster.md", read in docs/.
    private static string Links(string text) =>
        Regex.Replace(text, @"\bdocs/(?<page>\w+\.md)\b", "[${page}](${page})", RegexOptions.NonBacktracking);
}
