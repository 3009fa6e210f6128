using System.Formats.Tar;
using Elastic.Foundation;

namespace Elastic.Corpus;

/// <summary>Reads .tar: its files in their order, each as its name says. Links lead nowhere.</summary>
internal static class TarFiles
{
    public static IEnumerable<Document> Read(SourceFile file, ReadStatistics statistics)
    {
        var licences = new Lazy<ArchiveLicences>(() => LicencesOf(file));
        var expansion = Expansion.Of(file);
        var names = new HashSet<ulong>();
        foreach (var (path, bytes) in Entries(file, statistics))
        {
            if (!names.Add(MemberNames.HashOf(path)))
                statistics.CountUnread(file, $"{OneLine.Of(path, 200)} is there more than once; each is read");
            foreach (var document in Members.ReadByName(file, path, () => bytes, () => licences.Value, expansion, statistics))
                yield return document;
        }
    }

    private static IEnumerable<(string Path, Stream Bytes)> Entries(SourceFile file, ReadStatistics statistics)
    {
        using var bytes = PackedFile.OpenToDamage(file, statistics);
        using var tar = new TarReader(bytes, leaveOpen: true);
        while (Next(tar, file, statistics) is { } entry)
        {
            if (entry.EntryType is TarEntryType.SymbolicLink or TarEntryType.HardLink)
                statistics.CountUnread(file, $"{OneLine.Of(entry.Name, 200)} is a link");
            else if (entry.DataStream is { } data)
                yield return (entry.Name, data);
        }
    }

    private static TarEntry? Next(TarReader tar, SourceFile file, ReadStatistics statistics)
    {
        try
        {
            return tar.GetNextEntry();
        }
        catch (Exception e) when (e is not (ElasticException or OutOfMemoryException or OperationCanceledException))
        {
            statistics.CountMalformed(file, 0, $"the archive ends or breaks here, and the rest of it is lost: {e.Message}");
            return null;
        }
    }

    private static ArchiveLicences LicencesOf(SourceFile file) =>
        new(Entries(file, new ReadStatistics()).Select(entry => (entry.Path, (Func<Stream>)(() => entry.Bytes))));
}
