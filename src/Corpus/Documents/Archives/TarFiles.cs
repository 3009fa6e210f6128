using System.Formats.Tar;
using Elastic.Foundation;

namespace Elastic.Corpus;

/// <summary>Reads .tar: its files in their order, each as its name says. Links lead nowhere.</summary>
internal static class TarFiles
{
    private const int BlockBytes = 512;

    public static IEnumerable<Document> Read(SourceFile file, ReadStatistics statistics)
    {
        var licences = new Lazy<ArchiveLicences>(() => LicencesOf(file));
        var expansion = Expansion.Of(file);
        var names = new TarNames(file, statistics);
        foreach (var (path, length, bytes) in Entries(file, statistics, names))
        {
            names.Add(path);
            foreach (var document in Members.ReadByName(
                file, path, length, () => bytes, () => licences.Value, expansion, statistics))
                yield return document;
        }
        names.CountLinks();
    }

    private static IEnumerable<(string Path, long Length, Stream Bytes)> Entries(
        SourceFile file, ReadStatistics statistics, TarNames? names = null)
    {
        using var bytes = PackedFile.OpenToDamage(file, statistics);
        using var tar = new TarReader(bytes, leaveOpen: true);
        // Where the next header lies; in a file that is not packed the library knows that.
        var next = bytes.CanSeek ? -1 : 0L;
        while (Next(tar, bytes, next, file, statistics) is { } entry)
        {
            if (!bytes.CanSeek)
                next = bytes.Position + (entry.DataStream is null ? 0 : (entry.Length + BlockBytes - 1) / BlockBytes * BlockBytes);
            if (entry.EntryType is TarEntryType.SymbolicLink or TarEntryType.HardLink)
                names?.AddLink(entry);
            else if (entry.DataStream is { } data)
                yield return (entry.Name, entry.Length, data);
            else if (entry.EntryType is TarEntryType.RegularFile or TarEntryType.V7RegularFile or TarEntryType.Directory)
                names?.AddEmpty(entry.Name);
        }
    }

    private static TarEntry? Next(TarReader tar, Stream bytes, long next, SourceFile file, ReadStatistics statistics)
    {
        try
        {
            return tar.GetNextEntry();
        }
        catch (Exception e) when (e is not (ElasticException or OutOfMemoryException or OperationCanceledException))
        {
            var reason = $"the archive ends or breaks here, and the rest of it is lost: {e.Message}";
            // Where it cannot be unpacked, that is counted already. Some writers leave the two blocks out that end an archive.
            if (PackedFile.IsDamaged(bytes))
                statistics.CountMalformed(file, 0, reason);
            else if (e is not EndOfStreamException)
                statistics.CountRest(file, 0, reason, PackedFile.LeftOf(bytes));
            else if (bytes.CanSeek || bytes.Position != next)
                statistics.CountRest(file, 0, reason, null);
            return null;
        }
    }

    private static ArchiveLicences LicencesOf(SourceFile file) =>
        new(Entries(file, new ReadStatistics()).Select(entry => (entry.Path, (Func<Stream>)(() => entry.Bytes))));
}
