using System.Text;
using System.Text.Unicode;

namespace Elastic.Corpus;

/// <summary>
/// Reads .tsv: a pair a line, the prompt or source, one tab, and the answer or target. There are no names of columns, no quotation marks
/// and no escapes: a backslash is a backslash, and a text that holds a tab or a line's end needs .jsonl. Empty lines are passed over.
/// </summary>
internal static class TabSeparated
{
    public static IEnumerable<Document> Read(SourceFile file, ReadStatistics statistics)
    {
        using var bytes = PackedFile.OpenToDamage(file, statistics);
        var lines = new Utf8Lines(new Utf8Source(file, bytes), file, statistics);
        while (lines.TryRead(out var utf8))
        {
            var line = (Utf8.IsValid(utf8.Span) ? Encoding.UTF8.GetString(utf8.Span) : CountingUtf8.Decode(utf8.Span, file, statistics))
                .TrimEnd('\r');
            if (line.Length == 0)
                continue;
            var tab = line.IndexOf('\t', StringComparison.Ordinal);
            if (Problem(line, tab) is { } problem)
                statistics.CountMalformed(file, lines.Count, problem, utf8.Length);
            else
                yield return new Document(file.Name, $"{file.Name}:{lines.Count}", line[(tab + 1)..]) { Prompt = line[..tab] };
        }
    }

    private static string? Problem(string line, int tab) =>
        tab < 0 ? "there is no tab: a line is prompt<TAB>answer"
        : tab == line.Length - 1 ? "there is nothing behind the tab: the answer is empty"
        : line.AsSpan().Count('\t') is var tabs and > 1
            ? $"there are {tabs} tabs, where one parts the prompt from the answer: use .jsonl for texts with tabs"
        : null;
}
