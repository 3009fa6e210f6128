using System.Globalization;
using System.Net;
using System.Text;

namespace Elastic.Corpus.Build;

/// <summary>The datasheet as a page that needs nothing else: its plots are SVG in it, and it has no script.</summary>
internal static class DatasheetPage
{
    private const int BarHeight = 18, LabelWidth = 220, BarWidth = 480, NumberWidth = 120;

    public static string Of(BuildReport report, BuildManifest manifest, IReadOnlyList<Example> examples)
    {
        var page = new StringBuilder();
        page.Append(CultureInfo.InvariantCulture, $$"""
            <!DOCTYPE html>
            <html lang="en">
            <head>
            <meta charset="utf-8">
            <title>Text {{report.Id[..12]}}</title>
            <style>
            body { font-family: sans-serif; max-width: 60em; margin: 2em auto; }
            table { border-collapse: collapse; margin-bottom: 1em; }
            th, td { border-bottom: 1px solid #ccc; padding: 0.2em 0.8em; text-align: left; }
            pre { background: #f4f4f4; padding: 0.5em; white-space: pre-wrap; }
            </style>
            </head>
            <body>
            <h1>Text {{report.Id[..12]}}</h1>

            """);
        foreach (var table in Datasheet.Tables(report, manifest))
        {
            page.Append(CultureInfo.InvariantCulture, $"<h2>{Safe(table.Title)}</h2>\n");
            if (table.Bars.Count > 0)
                Plot(page, table);
            page.Append("<table>\n");
            Row(page, "th", table.Head);
            foreach (var row in table.Rows)
                Row(page, "td", row);
            page.Append("</table>\n");
        }
        page.Append("<h2>Examples</h2>\n");
        foreach (var example in examples)
            page.Append(CultureInfo.InvariantCulture,
                $"<p>{Safe(Datasheet.Caption(example.Document))}</p>\n<pre>{Safe(example.Excerpt)}</pre>\n");
        page.Append("<h2>The stages</h2>\n");
        foreach (var stage in manifest.Stages)
            page.Append(CultureInfo.InvariantCulture, $"<pre>{Safe(stage.Identity)}</pre>\n");
        return page.Append(CultureInfo.InvariantCulture, $"<h2>Reading</h2>\n<p>{Safe(Datasheet.Reading(report))}</p>\n</body>\n</html>\n")
            .ToString();
    }

    // A bar for each row: its whole in grey, its part over it, and the part in words.
    private static void Plot(StringBuilder page, DatasheetTable table)
    {
        var longest = Math.Max(1, table.Bars.Max(b => b.Whole));
        page.Append(CultureInfo.InvariantCulture,
            $"<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{LabelWidth + BarWidth + NumberWidth}\" ")
            .Append(CultureInfo.InvariantCulture, $"height=\"{(BarHeight + 4) * table.Bars.Count}\" font-size=\"12\">\n");
        foreach (var (i, (part, whole)) in table.Bars.Index())
        {
            var y = i * (BarHeight + 4);
            page.Append(CultureInfo.InvariantCulture,
                $"<text x=\"{LabelWidth - 8}\" y=\"{y + 13}\" text-anchor=\"end\">{Safe(Examples.Excerpt(table.Rows[i][0], 30))}</text>\n");
            Bar(page, y, whole / longest, "#ddd");
            Bar(page, y, part / longest, "#36c");
            page.Append(CultureInfo.InvariantCulture,
                $"<text x=\"{LabelWidth + BarWidth + 8}\" y=\"{y + 13}\">{(whole > 0 ? 100 * part / whole : 0):0.#} %</text>\n");
        }
        page.Append("</svg>\n");
    }

    private static void Bar(StringBuilder page, int y, double share, string colour) => page.Append(CultureInfo.InvariantCulture,
        $"<rect x=\"{LabelWidth}\" y=\"{y}\" width=\"{share * BarWidth:0.#}\" height=\"{BarHeight}\" fill=\"{colour}\"/>\n");

    private static void Row(StringBuilder page, string cell, IEnumerable<string> cells) => page.Append("<tr>")
        .AppendJoin("", cells.Select(text => $"<{cell}>{Safe(text)}</{cell}>")).Append("</tr>\n");

    private static string Safe(string text) => WebUtility.HtmlEncode(text);
}
