using System.Formats.Tar;
using Elastic.Foundation;

namespace Elastic.Corpus;

/// <summary>
/// Reads .tar: its files in their order, each as its name says. Links lead nowhere. Archives that lie one behind the other, as
/// <c>cat a.tar b.tar</c> joins them, are read to the last one.
/// </summary>
internal static class TarFiles
{
    private const int BlockBytes = 512;

    public static IEnumerable<Document> Read(SourceFile file, ReadStatistics statistics)
    {
        var licences = new Lazy<ArchiveLicences>(() => LicencesOf(file));
        var expansion = Expansion.Of(file);
        var names = new TarNames(file, statistics);
        foreach (var (path, length, bytes, _) in Entries(file, statistics, names))
        {
            names.Add(path);
            foreach (var document in Members.ReadByName(
                file, path, length, () => bytes, () => licences.Value, expansion, statistics))
                yield return document;
        }
        names.CountLinks();
    }

    /// <summary>Whether another archive with files follows the first one, which earlier versions passed over.</summary>
    public static bool IsJoined(SourceFile file) =>
        Entries(file with { Reading = file.Reading with { PassesOverRejects = true } }, new ReadStatistics()).Any(e => e.Archive > 0);

    private static IEnumerable<(string Path, long Length, Stream Bytes, int Archive)> Entries(
        SourceFile file, ReadStatistics statistics, TarNames? names = null)
    {
        using var bytes = PackedFile.OpenToDamage(file, statistics);
        for (var (archive, start) = (0, (long?)0L); start is { } next; archive++)
        {
            // Where the data of the last entry ends, and where the next header lies.
            var (end, isDamaged) = (next, false);
            using var tar = new TarReader(bytes, leaveOpen: true);
            while (Next(tar, bytes, (end, next), file, statistics, out isDamaged) is { } entry)
            {
                end = (bytes.CanSeek ? entry.DataOffset : bytes.Position) + (entry.DataStream is null ? 0 : entry.Length);
                next = (end + BlockBytes - 1) / BlockBytes * BlockBytes;
                if (entry.EntryType is TarEntryType.SymbolicLink or TarEntryType.HardLink)
                    names?.AddLink(entry);
                else if (entry.DataStream is { } data)
                    yield return (entry.Name, entry.Length, data, archive);
                else if (entry.EntryType is TarEntryType.RegularFile or TarEntryType.V7RegularFile or TarEntryType.Directory)
                    names?.AddEmpty(entry.Name);
            }
            start = isDamaged ? null : StartOfNext(bytes, next, file, statistics);
        }
    }

    private static TarEntry? Next(
        TarReader tar, Stream bytes, (long OfData, long OfBlock) last, SourceFile file, ReadStatistics statistics, out bool isDamaged)
    {
        isDamaged = false;
        try
        {
            return tar.GetNextEntry();
        }
        catch (Exception e) when (e is not (ElasticException or OutOfMemoryException or OperationCanceledException))
        {
            isDamaged = true;
            var reason = $"the archive ends or breaks here, and the rest of it is lost: {e.Message}";
            // Where it cannot be unpacked, that is counted already. Some writers leave the two blocks out that end an archive, Go's also
            // what fills the last block of its last file.
            if (PackedFile.IsDamaged(bytes))
                statistics.CountMalformed(file, 0, reason);
            else if (e is not EndOfStreamException)
                statistics.CountRest(file, 0, reason, bytes.CanSeek ? Math.Max(0, bytes.Length - last.OfBlock) : PackedFile.LeftOf(bytes));
            else if ((bytes.CanSeek ? bytes.Length : bytes.Position) is var end && end != last.OfData && end != last.OfBlock)
                statistics.CountRest(file, 0, reason, null);
            return null;
        }
    }

    // Where the next archive begins behind the blocks of zeros that end one; null where nothing follows. What follows and is not read is
    // counted. Nobody sees without unpacking it whether a packed file or a member holds several archives, and a corpus is named after what
    // is read of its files: there another archive is not read.
    private static long? StartOfNext(Stream bytes, long next, SourceFile file, ReadStatistics statistics)
    {
        // The library has read the first block of the end, unless there is none.
        var start = 0L;
        if (bytes.CanSeek)
            bytes.Position = start = Math.Max(next, bytes.Position - BlockBytes);
        var (block, isBehindZeros) = (new byte[BlockBytes], !bytes.CanSeek);
        int read;
        while ((read = bytes.ReadAtLeast(block, block.Length, throwOnEndOfStream: false)) > 0)
        {
            if (block.AsSpan(0, read).ContainsAnyExcept((byte)0))
            {
                if (bytes.CanSeek)
                    bytes.Position = start;
                if (isBehindZeros && read == BlockBytes && bytes.CanSeek && file.Member is null)
                    return start;
                statistics.CountRest(
                    file, 0, isBehindZeros
                        ? "what follows the end of the archive is lost: if that is another one, give it a file of its own"
                        : "the archive breaks here, and the rest of it is lost: a header has no checksum",
                    PackedFile.LeftOf(bytes) + (bytes.CanSeek ? 0 : read));
                return null;
            }
            (isBehindZeros, start) = (true, start + read);
        }
        return null;
    }

    private static ArchiveLicences LicencesOf(SourceFile file) =>
        new(Entries(file, new ReadStatistics()).Select(entry => (entry.Path, (Func<Stream>)(() => entry.Bytes))));
}
