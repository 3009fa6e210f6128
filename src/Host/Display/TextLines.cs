using Elastic.Corpus.Build;
using Elastic.Foundation;

namespace Elastic.Host.Display;

/// <summary>Describes what a build made of its sources, in words.</summary>
internal static class TextLines
{
    private const int KindsShown = 20;

    public static IEnumerable<string> Of(BuiltText text)
    {
        var report = text.Report;
        yield return $"text {report.Id[..12]}   {Amount(report.Kept)} kept of {Amount(report.Read)}";
        foreach (var (read, kept) in report.Read.Zip(report.Kept))
            yield return $"  source     {read.Name}: {Units.Count(kept.Documents, "document")} kept of {Units.Count(read.Documents)}, "
                + $"{Units.Bytes(kept.Bytes)} of {Units.Bytes(read.Bytes)}";
        foreach (var stage in report.Dropped.Where(d => d.Documents > 0))
            yield return $"  dropped    {stage.Name}: {Units.Count(stage.Documents, "document")}, {Units.Bytes(stage.Bytes)}";
        foreach (var large in report.LargeBuckets.Where(b => b.Buckets > 0))
            yield return $"  compared   {large.Stage}: of {Units.Many(large.Buckets, "bucket")}, the largest of "
                + $"{Units.Count(large.Largest, "document")}, each document only with the first {large.MostCompared}: "
                + $"{Units.Count(large.Pairs, "pair")} left out";
        foreach (var line in report.NotReachedByUrl())
            yield return $"  no URL     {line}";
        if (report.Malformed > 0)
            yield return $"  not read   {Units.Many(report.Malformed, "record")}: {Path.Combine(text.Folder, "rejects.txt")}";
        yield return $"  folder     {text.Folder}: datasheet.md, what was dropped and why, and the text, for --corpus {text.TextFolder}"
            + (Directory.Exists(text.FolderOf(Split.Validation)) ? $" --set corpus.validation={text.FolderOf(Split.Validation)}" : "");
    }

    /// <summary>What was kept by language and licence, and what is not trained on.</summary>
    public static IEnumerable<string> Details(BuiltText text)
    {
        var report = text.Report;
        foreach (var (name, shares) in new[]
        {
            ("language", report.Languages), ("licence", report.Licences), ("validation", report.Validation), ("test", report.Test),
        })
        {
            foreach (var share in shares.Where(s => s.Documents > 0).OrderByDescending(s => s.Bytes).Take(KindsShown))
                yield return $"  {name,-10} {OneLine.Of(share.Name, 80)}: {Units.Count(share.Documents, "document")}, "
                    + Units.Bytes(share.Bytes);
        }
        foreach (var stage in report.Stages)
            yield return $"  stage      {OneLine.Of(stage.ReplaceLineEndings("; "), 1000)}";
    }

    private static string Amount(IReadOnlyList<TextShare> shares) =>
        $"{Units.Count(shares.Sum(s => s.Documents), "document")}, {Units.Bytes(shares.Sum(s => s.Bytes))}";
}
