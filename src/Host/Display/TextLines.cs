using Elastic.Corpus.Build;

namespace Elastic.Host.Display;

/// <summary>Describes what a build made of its sources, in words.</summary>
internal static class TextLines
{
    public static IEnumerable<string> Of(BuiltText text)
    {
        var report = text.Report;
        yield return $"text {report.Id[..12]}   {Amount(report.Kept)} kept of {Amount(report.Read)}";
        foreach (var (read, kept) in report.Read.Zip(report.Kept))
            yield return $"  source     {read.Name}: {Units.Count(kept.Documents, "document")} kept of {Units.Count(read.Documents)}, "
                + $"{Units.Bytes(kept.Bytes)} of {Units.Bytes(read.Bytes)}";
        foreach (var stage in report.Dropped.Where(d => d.Documents > 0))
            yield return $"  dropped    {stage.Name}: {Units.Count(stage.Documents, "document")}, {Units.Bytes(stage.Bytes)}";
        if (report.Malformed > 0)
            yield return $"  not read   {Units.Many(report.Malformed, "record")}: {Path.Combine(text.Folder, "rejects.txt")}";
        yield return $"  folder     {text.Folder}: datasheet.md, what was dropped and why, and the text, for --corpus {text.TextFolder}"
            + (text.ValidationFolder is { } heldOut ? $"; held out, for corpus.validation, {heldOut}" : "");
    }

    private static string Amount(IReadOnlyList<TextShare> shares) =>
        $"{Units.Count(shares.Sum(s => s.Documents), "document")}, {Units.Bytes(shares.Sum(s => s.Bytes))}";
}
