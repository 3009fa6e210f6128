using System.Security.Cryptography;
using Elastic.Messages;

namespace Elastic.Actors.Blobs;

/// <summary>A blob is there, but its bytes are not those of its name; or it is not there at all.</summary>
public sealed class BlobLostException(Digest digest, string why) : IOException($"blob {digest.Short}: {why}")
{
    public Digest Digest { get; } = digest;
}

/// <summary>
/// Immutable bytes addressed by their SHA-256, one file each. Safe for use by many threads: a blob is written aside and
/// renamed, and writing it twice gives the same file.
/// </summary>
public sealed class BlobStore
{
    private readonly string _folder;

    // Written since the last collection: not referred to by anything stored yet, and therefore not to be collected. With the number of
    // collections begun before, so that what is written again while one goes on outlives the next as well.
    // The lock makes "mark it, is it there?" and "is it marked? delete it" exclude each other.
    private readonly Dictionary<Digest, int> _fresh = [];
    private readonly Lock _gate = new();
    private int _collections;

    /// <param name="readOnly">True when another process may be writing there: nothing is created and nothing cleaned up.</param>
    public BlobStore(string folder, bool readOnly = false)
    {
        _folder = folder;
        if (readOnly)
            return;
        Directory.CreateDirectory(folder);
        foreach (var leftover in Directory.EnumerateFiles(folder, "*.tmp", SearchOption.AllDirectories))
            File.Delete(leftover);
    }

    /// <summary>Where the blob is, or would be.</summary>
    public string PathOf(Digest digest) => Path.Combine(_folder, digest.Hex[..2], digest.Hex);

    public bool Has(Digest digest) => File.Exists(PathOf(digest));

    /// <summary>Stores the bytes and returns their digest.</summary>
    public Digest Put(ReadOnlySpan<byte> bytes)
    {
        var digest = Digest.Of(bytes);
        var path = PathOf(digest);
        bool writtenHere;
        lock (_gate)
        {
            writtenHere = _fresh.ContainsKey(digest);
            _fresh[digest] = _collections;
        }

        // What another process left there is believed only after a look: it may have been cut short or damaged.
        if (writtenHere ? File.Exists(path) && new FileInfo(path).Length == bytes.Length : IsIntact(digest))
            return digest;
        Directory.CreateDirectory(Path.GetDirectoryName(path)!);
        DurableFile.Write(path, bytes);
        return digest;
    }

    /// <summary>Reads a blob of a known length and verifies it.</summary>
    /// <exception cref="BlobLostException">It is missing, of another length, or its bytes have changed.</exception>
    public void Read(Digest digest, Span<byte> into)
    {
        using var file = Open(digest);
        var length = RandomAccess.GetLength(file);
        if (length != into.Length)
            throw new BlobLostException(digest, $"has {length} bytes instead of {into.Length}");
        for (var offset = 0; offset < into.Length;)
        {
            var read = RandomAccess.Read(file, into[offset..], offset);
            if (read == 0)
                throw new BlobLostException(digest, "ended while it was read");
            offset += read;
        }

        if (Digest.Of(into) != digest)
            throw new BlobLostException(digest, $"its bytes have changed ({PathOf(digest)})");
    }

    /// <summary>Reads a small blob, verified.</summary>
    public byte[] Read(Digest digest)
    {
        using var file = Open(digest);
        var bytes = new byte[RandomAccess.GetLength(file)];
        file.Dispose();
        Read(digest, bytes);
        return bytes;
    }

    /// <summary>True when the blob is there and its bytes are those of its name.</summary>
    public bool IsIntact(Digest digest)
    {
        if (!Has(digest))
            return false;
        try
        {
            using var stream = File.OpenRead(PathOf(digest));
            return Convert.ToHexStringLower(SHA256.HashData(stream)) == digest.Hex;
        }
        catch (IOException)
        {
            return false;
        }
    }

    /// <summary>Forces blobs and their folders onto the disk.</summary>
    public void Flush(IEnumerable<Digest> digests)
    {
        var paths = digests.Distinct().Select(PathOf).ToList();
        foreach (var path in paths)
            DurableFile.Flush(path);
        foreach (var folder in paths.Select(p => Path.GetDirectoryName(p)!).Distinct().Append(_folder))
            DurableFile.FlushFolder(folder);
    }

    /// <summary>Deletes what is neither kept nor written since the last collection.</summary>
    /// <returns>Bytes freed.</returns>
    public long Collect(IReadOnlySet<Digest> keep)
    {
        var freed = 0L;
        int number;
        lock (_gate)
            number = ++_collections;
        foreach (var file in new DirectoryInfo(_folder).EnumerateFiles("*", SearchOption.AllDirectories))
        {
            var digest = new Digest(file.Name);
            if (file.Extension == ".tmp" || keep.Contains(digest))
                continue;
            lock (_gate)
            {
                if (_fresh.ContainsKey(digest))
                    continue;
                freed += file.Length;
                file.Delete();
            }
        }

        lock (_gate)
        {
            foreach (var (digest, _) in _fresh.Where(f => f.Value < number).ToList())
                _fresh.Remove(digest);
        }

        return freed;
    }

    private Microsoft.Win32.SafeHandles.SafeFileHandle Open(Digest digest)
    {
        try
        {
            return File.OpenHandle(PathOf(digest));
        }
        catch (Exception e) when (e is FileNotFoundException or DirectoryNotFoundException)
        {
            throw new BlobLostException(digest, $"is missing ({PathOf(digest)})");
        }
    }
}
