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
        foreach (var (path, length, bytes) in Entries(file, statistics))
        {
            if (!names.Add(MemberNames.HashOf(path)))
                statistics.CountUnread(file, $"{OneLine.Of(path, 200)} is there more than once; each is read");
            foreach (var document in Members.ReadByName(
                file, path, length, () => bytes, () => licences.Value, expansion, statistics))
                yield return document;
        }
    }

    private static IEnumerable<(string Path, long Length, Stream Bytes)> Entries(SourceFile file, ReadStatistics statistics)
    {
        using var bytes = PackedFile.OpenToDamage(file, statistics);
        using var tar = new TarReader(bytes, leaveOpen: true);
        while (Next(tar, bytes, file, statistics) is { } entry)
        {
            if (entry.EntryType is TarEntryType.SymbolicLink or TarEntryType.HardLink)
                statistics.CountUnread(file, $"{OneLine.Of(entry.Name, 200)} is a link");
            else if (entry.DataStream is { } data)
                yield return (entry.Name, entry.Length, data);
        }
    }

    private static TarEntry? Next(TarReader tar, Stream bytes, SourceFile file, ReadStatistics statistics)
    {
        try
        {
            return tar.GetNextEntry();
        }
        catch (Exception e) when (e is not (ElasticException or OutOfMemoryException or OperationCanceledException))
        {
            var reason = $"the archive ends or breaks here, and the rest of it is lost: {e.Message}";
            // Where it cannot be unpacked, that is counted already.
            if (PackedFile.IsDamaged(bytes))
                statistics.CountMalformed(file, 0, reason);
            else
                statistics.CountRest(
                    file, 0, reason, bytes.CanSeek && e is not EndOfStreamException ? bytes.Length - bytes.Position : 0);
            return null;
        }
    }

    private static ArchiveLicences LicencesOf(SourceFile file) =>
        new(Entries(file, new ReadStatistics()).Select(entry => (entry.Path, (Func<Stream>)(() => entry.Bytes))));
}
