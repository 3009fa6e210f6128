using Elastic.Corpus;
using Elastic.Corpus.Build;
using Elastic.Foundation;

namespace Elastic.Host.Commands;

/// <summary>
/// Texts and corpora of a data directory that hold documents which a manifest takes down. Where they are deleted, a note stays in their
/// place, so that an audit can say what it cannot prove any more.
/// </summary>
internal static class TakenDownTexts
{
    private const int ShownIds = 12, ShownNames = 20, NameShown = 300;

    // A folder that has one of them is complete.
    private static readonly string[] Last = [CorpusManifest.FileName, BuiltText.FileName];

    /// <summary>
    /// Says what nothing was taken down for; looks through all texts, and deletes what holds such documents or says what to do about it.
    /// </summary>
    /// <param name="built">The text that was built with them.</param>
    /// <param name="cancel">Ends the search: looked at with each document.</param>
    /// <returns>A sentence for each.</returns>
    public static IEnumerable<string> Report(
        DataDirectory data, BuiltText built, TakeDowns takeDowns, bool purge, CancellationToken cancel)
    {
        if (takeDowns.IsEmpty)
            yield break;
        var unmatched = takeDowns.Unmatched(built.Rows(cancel));
        foreach (var line in unmatched.Take(ShownNames))
            yield return $"nothing was found to {OneLine.Of(line, NameShown)}: write it as \"elastic corpus show --document ID\" says it, "
                + "or leave it where the sources do not hold it any more";
        if (unmatched.Count > ShownNames)
            yield return $"nor to {unmatched.Count - ShownNames} more";
        if (purge)
            DeleteRests(data);
        foreach (var text in BuiltTexts.All(data).ToList())
        {
            var held = text.Rows(cancel).Count(
                r => r.Dropped != BuiltDocument.TakenDown && takeDowns.Cover(r.Source, r.Name, r.Url, r.Licence));
            if (held == 0)
                continue;
            var corpora = CorporaOf(data, text).ToList();
            var documents = Display.Units.Many(held, "document");
            var names = string.Concat(corpora.Select(c => $", and the corpus {Path.GetFileName(c)[..ShownIds]} that was made of it"));
            if (!purge)
            {
                yield return $"the text {text.Report.Id[..ShownIds]}{names} still hold {documents} that the manifest takes down: the same "
                    + "command with --purge deletes them";
                continue;
            }

            foreach (var folder in corpora.Append(text.Folder))
                Delete(folder, $"it held {documents} that the manifest of a later build takes down");
            yield return $"deleted: the text {text.Report.Id[..ShownIds]}{names}, which held {documents} that the manifest takes down";
        }
    }

    /// <summary>Why the text or corpus of that id is gone; null where nothing is known of it.</summary>
    public static string? Find(DataDirectory data, string id) =>
        FoldersOf(data)
            .SelectMany(folder => Directory.EnumerateFiles(folder, "*" + CorpusManifest.TakenDownSuffix))
            .Where(path => Path.GetFileName(path).StartsWith(id, StringComparison.Ordinal))
            .Select(path => CorpusManifest.WhyTakenDown(path[..^CorpusManifest.TakenDownSuffix.Length])).FirstOrDefault();

    private static IEnumerable<string> FoldersOf(DataDirectory data) => data.AllCorpora.Prepend(data.Texts).Where(Directory.Exists);

    private static IEnumerable<string> CorporaOf(DataDirectory data, BuiltText text) =>
        data.AllCorpora.SelectMany(Directory.EnumerateDirectories).Where(c => CorpusTexts.IsMadeOf(c, text));

    private static void DeleteRests(DataDirectory data)
    {
        foreach (var folder in FoldersOf(data)
            .SelectMany(f => Directory.GetFiles(f, "*" + CorpusManifest.TakenDownSuffix))
            .Select(note => note[..^CorpusManifest.TakenDownSuffix.Length])
            .Where(f => Directory.Exists(f) && !Last.Any(last => File.Exists(Path.Combine(f, last)))))
            Directory.Delete(folder, recursive: true);
    }

    // The note comes first: after an interruption the same command deletes the rest.
    private static void Delete(string folder, string why)
    {
        DurableFile.WriteDurably(folder + CorpusManifest.TakenDownSuffix, System.Text.Encoding.UTF8.GetBytes(why + "\n"));
        // The file that makes it complete goes first. Another name of the folder may have brought it here before.
        if (Directory.Exists(folder))
        {
            foreach (var last in Last)
                File.Delete(Path.Combine(folder, last));
            Directory.Delete(folder, recursive: true);
        }
        CorpusTexts.Forget(folder);
    }
}
