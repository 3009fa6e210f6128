using System.Globalization;
using System.Text;

namespace Elastic.Corpus.Build;

/// <summary>A table of a datasheet.</summary>
/// <param name="Bars">
/// How much of the whole each row is, for a plot: the first number is drawn over the second; none for no plot.
/// </param>
internal sealed record DatasheetTable(
    string Title, IReadOnlyList<string> Head, IReadOnlyList<IReadOnlyList<string>> Rows, IReadOnlyList<(double Part, double Whole)> Bars);

/// <summary>
/// What a build was made of and what became of it, for people: without times and machines, so that it is part of the answer.
/// </summary>
internal static class Datasheet
{
    private const int RowsShown = 200;

    /// <summary>All tables that have a row.</summary>
    public static IReadOnlyList<DatasheetTable> Tables(BuildReport report, BuildManifest manifest) =>
        new[] { Sources(report, manifest), Splits(report), Stages(report), Buckets(report),
            Kinds("Languages", "language", report.Languages), Kinds("Licences", "licence", report.Licences) }
            .Where(t => t.Rows.Count > 0).ToList();

    /// <summary>The sentences about what could not be read.</summary>
    public static string Reading(BuildReport report) => string.Create(CultureInfo.InvariantCulture, $"""
        Without text: {report.Empty} documents. Bytes that were not in the encoding of their file: {report.InvalidUtf8Sequences}
        sequences. Records that could not be read: {report.Malformed} (at least {report.LostBytes} bytes); records that hold no text or
        were not wanted: {report.Unread}. rejects.txt names the first of each file.
        """);

    /// <summary>The sentence above an example.</summary>
    public static string Caption(BuiltDocument document) => document.Dropped is { } stage
        ? $"{stage} dropped {document.Source}/{document.Name}: {document.Why}"
        : $"kept of {document.Source}: {document.Name}";

    public static string Markdown(BuildReport report, BuildManifest manifest, IReadOnlyList<Example> examples)
    {
        var text = new StringBuilder();
        text.Append(CultureInfo.InvariantCulture, $"# Text {report.Id[..12]}\n\n");
        foreach (var table in Tables(report, manifest))
        {
            text.Append(CultureInfo.InvariantCulture, $"## {table.Title}\n\n");
            foreach (var row in table.Rows.Prepend([.. table.Head.Select(_ => "---")]).Prepend(table.Head))
                text.Append("| ").AppendJoin(" | ", row.Select(cell => Plain(cell).Replace("|", "\\|", StringComparison.Ordinal)))
                    .Append(" |\n");
            text.Append('\n');
        }
        text.Append("## Examples\n\n");
        foreach (var example in examples)
            text.Append(CultureInfo.InvariantCulture, $"{Plain(Caption(example.Document))}\n\n```\n{Fenced(example.Excerpt)}\n```\n\n");
        text.Append("## The stages\n\n");
        foreach (var stage in manifest.Stages)
            text.Append(CultureInfo.InvariantCulture, $"```\n{stage.Identity}\n```\n\n");
        return text.Append("## Reading\n\n").Append(Reading(report)).Append('\n').ToString();
    }

    private static DatasheetTable Sources(BuildReport report, BuildManifest manifest) => new(
        "Sources", ["source", "licence", "language", "documents read", "kept", "bytes read", "kept"],
        [
            .. manifest.Sources.Zip(report.Read, report.Kept).Select(row => new[]
            {
                row.First.Name, row.First.Licence ?? "not said", row.First.Language ?? "not said", Number(row.Second.Documents),
                Number(row.Third.Documents), Number(row.Second.Bytes), Number(row.Third.Bytes),
            }),
        ],
        [.. report.Kept.Zip(report.Read).Select(b => ((double)b.First.Bytes, (double)b.Second.Bytes))]);

    private static DatasheetTable Splits(BuildReport report)
    {
        var held = report.Validation.Zip(report.Test).Where(s => s.First.Documents + s.Second.Documents > 0).ToList();
        return new DatasheetTable(
            "Kept from training", ["source", "documents for validation", "for tests", "bytes for validation", "for tests"],
            [
                .. held.Select(s => new[]
                {
                    s.First.Name, Number(s.First.Documents), Number(s.Second.Documents), Number(s.First.Bytes), Number(s.Second.Bytes),
                }),
            ],
            []);
    }

    private static DatasheetTable Stages(BuildReport report)
    {
        var all = (double)report.Read.Sum(r => r.Bytes);
        return new DatasheetTable(
            "What was dropped, and by which stage", ["stage", "documents", "bytes"],
            [.. report.Dropped.Select(d => new[] { d.Name, Number(d.Documents), Number(d.Bytes) })],
            [.. report.Dropped.Select(d => ((double)d.Bytes, all))]);
    }

    private static DatasheetTable Buckets(BuildReport report) => new(
        "What was not compared, for the size of its bucket",
        ["stage", "compared with at most", "buckets with more", "documents of the largest", "pairs not compared"],
        [
            .. report.LargeBuckets.Select(b => new[]
            {
                b.Stage, Number(b.MostCompared), Number(b.Buckets), Number(b.Largest), Number(b.Pairs),
            }),
        ],
        []);

    private static DatasheetTable Kinds(string title, string kind, IReadOnlyList<TextShare> shares)
    {
        var all = (double)shares.Sum(s => s.Bytes);
        var shown = shares.OrderByDescending(s => s.Bytes).ThenBy(s => s.Name, StringComparer.Ordinal).Take(RowsShown).ToList();
        return new DatasheetTable(
            $"{title} of what was kept", [kind, "documents", "bytes"],
            [.. shown.Select(s => new[] { s.Name, Number(s.Documents), Number(s.Bytes) })],
            [.. shown.Select(s => ((double)s.Bytes, all))]);
    }

    private static string Number(long number) => number.ToString("N0", CultureInfo.InvariantCulture);

    // Names come from files: none of them ends a line or a table.
    private static string Plain(string cell) => cell.ReplaceLineEndings(" ");

    private static string Fenced(string text) => text.Replace("```", "'''", StringComparison.Ordinal);
}
