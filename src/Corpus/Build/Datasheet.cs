using System.Globalization;
using System.Text;

namespace Elastic.Corpus.Build;

/// <summary>
/// What a build was made of and what became of it, for people: Markdown without times and machines, so that it is part of the answer.
/// </summary>
internal static class Datasheet
{
    public static string Of(BuildReport report, BuildManifest manifest)
    {
        var text = new StringBuilder();
        text.Append(CultureInfo.InvariantCulture, $"# Text {report.Id[..12]}\n\n");
        Table(text, "Sources", ["source", "licence", "language", "documents read", "kept", "bytes read", "kept"],
            manifest.Sources.Zip(report.Read, report.Kept).Select(row => new[]
            {
                row.First.Name, row.First.Licence ?? "not said", row.First.Language ?? "not said", Number(row.Second.Documents),
                Number(row.Third.Documents), Number(row.Second.Bytes), Number(row.Third.Bytes),
            }));
        Table(text, "What was dropped, and by which stage", ["stage", "documents", "bytes"],
            report.Dropped.Select(d => new[] { d.Name, Number(d.Documents), Number(d.Bytes) }));
        text.Append("## The stages\n\n");
        foreach (var stage in manifest.Stages)
            text.Append(CultureInfo.InvariantCulture, $"```\n{stage.Identity}\n```\n\n");
        text.Append("## Reading\n\n").Append(CultureInfo.InvariantCulture, $"""
            Without text: {report.Empty} documents. Bytes that were not in the encoding of their file: {report.InvalidUtf8Sequences}
            sequences. Records that could not be read: {report.Malformed} (at least {report.LostBytes} bytes); records that hold no text or
            were not wanted: {report.Unread}. rejects.txt names the first of each file.

            """);
        return text.ToString();
    }

    private static string Number(long number) => number.ToString("N0", CultureInfo.InvariantCulture);

    private static void Table(StringBuilder text, string title, string[] head, IEnumerable<string[]> rows)
    {
        text.Append(CultureInfo.InvariantCulture, $"## {title}\n\n");
        foreach (var row in rows.Prepend([.. head.Select(_ => "---")]).Prepend(head))
            text.Append("| ").AppendJoin(" | ", row.Select(cell => cell.Replace("|", "\\|", StringComparison.Ordinal))).Append(" |\n");
        text.Append('\n');
    }
}
