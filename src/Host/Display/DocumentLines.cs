using System.Globalization;
using System.IO.Hashing;
using System.Runtime.InteropServices;
using Elastic.Corpus.Build;
using Elastic.Foundation;

namespace Elastic.Host.Display;

/// <summary>Describes documents of a built text in words: where they come from, and what was decided about them.</summary>
internal static class DocumentLines
{
    private const int TextShown = 600, CopiesShown = 5, NameShown = 300;

    /// <summary>A document by its source, file and line.</summary>
    public static string Place(BuiltDocument row) =>
        $"document {row.Id}: {OneLine.Of($"{row.Source}/{row.Name}", NameShown)}"
        + (row.Line is { } line ? $", line {line.ToString(CultureInfo.InvariantCulture)}" : "")
        + (row.Url is { } url ? $", {OneLine.Of(url, NameShown)}" : "");

    /// <summary>Every decision about one document, and those that went for it.</summary>
    /// <exception cref="NotFoundException">There is no such document.</exception>
    public static IEnumerable<string> Of(BuiltText text, long id)
    {
        BuiltDocument? row = null;
        var (copies, count) = (new List<BuiltDocument>(), 0);
        foreach (var other in text.Rows())
        {
            row = other.Id == id ? other : row;
            if (other.Match != id)
                continue;
            count++;
            if (copies.Count < CopiesShown)
                copies.Add(other);
        }
        if (row is null)
            throw new NotFoundException($"the text {text.Report.Id[..12]} has no document {id}: it has 0 to "
                + $"{text.Report.Read.Sum(r => r.Documents) - 1}");
        return Described(text, row, copies, count);
    }

    /// <summary>Documents that were kept, drawn by a hash of the seed and their numbers.</summary>
    /// <exception cref="NotFoundException">There is no document of that source and language.</exception>
    public static IEnumerable<string> Random(BuiltText text, int count, ulong seed, string? source, string? language)
    {
        var drawn = new PriorityQueue<BuiltDocument, ulong>(Comparer<ulong>.Create((a, b) => b.CompareTo(a)));
        foreach (var row in text.Rows().Where(r => r.Dropped is null
            && (source is null || r.Source == source) && (language is null || r.Language == language)))
        {
            ReadOnlySpan<ulong> key = [seed, (ulong)row.Id];
            drawn.Enqueue(row, XxHash3.HashToUInt64(MemoryMarshal.AsBytes(key)));
            if (drawn.Count > count)
                drawn.Dequeue();
        }
        if (drawn.Count == 0)
            throw new NotFoundException($"the text {text.Report.Id[..12]} has kept no document"
                + (source is null ? "" : $" of the source {OneLine.Of(source, 80)}")
                + (language is null ? "" : $" in the language {OneLine.Of(language, 80)}")
                + $": it has {string.Join(", ", text.Report.Kept.Select(k => k.Name))} in "
                + string.Join(", ", text.Report.Languages.Select(l => l.Name)));
        var rows = drawn.UnorderedItems.Select(d => d.Element).OrderBy(r => r.Id).ToList();
        var ids = rows.Select(r => r.Id).ToHashSet();
        var texts = rows.Select(r => r.Split).Distinct().SelectMany(text.Records).Where(r => ids.Contains(r.Id))
            .GroupBy(r => r.Id, r => r.Text).ToDictionary(g => g.Key, Shown);
        foreach (var row in rows)
        {
            yield return Place(row);
            yield return $"  {texts.GetValueOrDefault(row.Id)}";
        }
    }

    private static IEnumerable<string> Described(BuiltText text, BuiltDocument row, List<BuiltDocument> copies, int count)
    {
        yield return Place(row);
        yield return $"  {Units.Bytes(row.Bytes)}, language {row.Language ?? "not known"}, licence {row.Licence ?? "not said"}"
            + (row.Cluster is { } cluster ? $", one of {cluster} that are alike" : "");
        foreach (var (i, stage) in text.Report.Stages.Index())
        {
            if (row.Dropped == BuiltDocument.TakenDown || (row.Stage is { } last && i > last))
                break;
            yield return $"  {Decision(row, i, stage.Split(' ')[0])}";
        }
        yield return row.Dropped is null ? $"  kept, for {row.Split.ToString().ToLowerInvariant()}"
            + (row.Cut is { } cut ? $", without {Units.Many(cut, "character")}, in {Units.Many(row.Pieces ?? 1, "piece")}" : "")
            : row.Stage is null ? $"  {row.Dropped}: {row.Why}" : $"  dropped by {row.Dropped}";
        if (row.Match is { } match && text.Rows().FirstOrDefault(r => r.Id == match) is { } other)
            yield return string.Create(CultureInfo.InvariantCulture, $"  like {Place(other)}, with a similarity of {row.Similarity:0.###}");
        foreach (var copy in copies)
            yield return string.Create(
                CultureInfo.InvariantCulture, $"  its like: {Place(copy)}, with a similarity of {copy.Similarity:0.###}");
        if (count > copies.Count)
            yield return $"  and {count - copies.Count} more";
        if (TextOf(text, row) is { Length: > 0 } words)
            yield return $"  {words}";
    }

    private static string Decision(BuiltDocument row, int stage, string name)
    {
        var signals = row.Signals.Where(s => s.Key.StartsWith(name + ".", StringComparison.Ordinal))
            .Select(s => string.Create(CultureInfo.InvariantCulture, $"{s.Key[(name.Length + 1)..]} {s.Value:0.###}")).ToList();
        var decision = row.Skipped?.Contains(stage) == true ? "does not apply"
            : row.Stage == stage ? $"drops it: {row.Why}" : "keeps it";
        return $"{name} {decision}" + (signals.Count > 0 ? $" ({string.Join(", ", signals)})" : "");
    }

    private static string TextOf(BuiltText text, BuiltDocument row) => Shown(
        (row.Dropped is null ? text.Records(row.Split) : text.DroppedRecords())
            .SkipWhile(r => r.Id < row.Id).TakeWhile(r => r.Id == row.Id).Select(r => r.Text));

    // The pieces of a document in one line.
    private static string Shown(IEnumerable<string> pieces) =>
        OneLine.Of(string.Join(" […] ", pieces).ReplaceLineEndings(" "), TextShown);
}
