using System.IO.Compression;
using System.IO.Hashing;
using Elastic.Foundation;

namespace Elastic.Corpus;

/// <summary>Reads .zip: its files in the order of its table, each as its name says.</summary>
internal static class ZipFiles
{
    public static IEnumerable<Document> Read(SourceFile file, ReadStatistics statistics)
    {
        using var zip = Open(file);
        var expansion = Expansion.Of(file);
        var licences = new Lazy<ArchiveLicences>(
            () => new ArchiveLicences(zip.Entries.Select(e => (e.FullName, (Func<Stream>)(() => Bytes(e, file, expansion))))));
        var names = new HashSet<ulong>();
        foreach (var entry in zip.Entries.Where(e => !e.FullName.EndsWith('/') && e.Length > 0))
        {
            if (!names.Add(MemberNames.HashOf(Members.NameOf(entry.FullName))))
                statistics.CountNamed(file, $"{OneLine.Of(entry.FullName, 200)} is there more than once; each is read");
            foreach (var document in Members.ReadByName(
                file, entry.FullName, entry.Length, () => Bytes(entry, file, expansion), () => licences.Value, expansion, statistics))
                yield return document;
        }
    }

    /// <summary>Opens an archive.</summary>
    /// <exception cref="RejectedFileException">It is none.</exception>
    public static ZipArchive Open(SourceFile file)
    {
        var bytes = file.OpenRead();
        try
        {
            var zip = new ZipArchive(bytes, ZipArchiveMode.Read);
            // Reads the table.
            _ = zip.Entries.Count;
            return zip;
        }
        catch (Exception e) when (e is not (ElasticException or OutOfMemoryException or OperationCanceledException))
        {
            bytes.Dispose();
            throw new RejectedFileException(
                $"{file.Shown} is not a zip file, or its table is damaged ({e.Message}): repair it or leave it out", e);
        }
    }

    /// <summary>The bytes of a member, as much of them as the file may become; damage is an <see cref="InvalidDataException"/>.</summary>
    public static Stream Bytes(ZipArchiveEntry entry, SourceFile file, Expansion expansion)
    {
        if (entry.IsEncrypted)
            throw new InvalidDataException("it is encrypted");
        try
        {
            return new Checked(expansion.Bound(file, entry.Open()), entry.Crc32);
        }
        catch (Exception e) when (e is not (ElasticException or InvalidDataException or OutOfMemoryException or OperationCanceledException))
        {
            throw new InvalidDataException(e.Message, e);
        }
    }

    private sealed class Checked(Stream bytes, uint expected) : ReadOnlyStream
    {
        private readonly Crc32 _sum = new();

        public override int Read(Span<byte> buffer)
        {
            int read;
            try
            {
                read = bytes.Read(buffer);
            }
            catch (Exception e) when (
                e is not (ElasticException or InvalidDataException or OutOfMemoryException or OperationCanceledException))
            {
                throw new InvalidDataException(e.Message, e);
            }
            _sum.Append(buffer[..read]);
            return read > 0 || buffer.IsEmpty || _sum.GetCurrentHashAsUInt32() == expected ? read
                : throw new InvalidDataException("its checksum is wrong: it is damaged");
        }

        protected override void Dispose(bool disposing)
        {
            if (disposing)
                bytes.Dispose();
            base.Dispose(disposing);
        }
    }
}
