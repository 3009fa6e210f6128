using Elastic.Foundation;

namespace Elastic.Storage;

/// <summary>A blob is missing, or its bytes do not have the digest that names it.</summary>
public sealed class BlobLostException(Digest digest, string why) : IOException($"blob {digest.Short}: {why}")
{
    public Digest Digest { get; } = digest;
}

/// <summary>What freeing blobs came to.</summary>
/// <param name="FreedBytes">Bytes of the files that were deleted.</param>
/// <param name="Problems">What could not be read or deleted, a sentence each.</param>
public sealed record Retention(long FreedBytes, IReadOnlyList<string> Problems);

/// <summary>
/// Immutable bytes addressed by their SHA-256, one file each. Safe for use by many threads: a blob is written to a temporary file and
/// renamed, and writing it twice gives the same file.
/// </summary>
public sealed class BlobStore
{
    private readonly string _folder;

    // Blobs that this process wrote or claimed, and for which round: the retention of that round may not list them yet. The lock
    // keeps Claim (mark, then look for the file) and Collect (look for the mark, then delete) apart.
    private readonly Dictionary<Digest, int> _fresh = [];
    // Blobs that this process wrote or verified, which are not hashed again. Under the same lock.
    private readonly HashSet<Digest> _whole = [];
    // How often in a row a set could not be read for a retention. Under the same lock.
    private readonly Dictionary<Digest, int> _unread = [];
    private readonly Lock _gate = new();
    private int _round;

    /// <param name="readOnly">True when another process may be writing there: nothing is created and nothing cleaned up.</param>
    public BlobStore(string folder, bool readOnly = false)
    {
        _folder = folder;
        if (readOnly)
            return;
        Directory.CreateDirectory(folder);
        DurableFile.RemoveTemporaries(folder);
    }

    /// <summary>Where the blob is, or would be.</summary>
    public string PathOf(Digest digest) => Path.Combine(_folder, digest.Hex[..2], digest.Hex);

    public bool Has(Digest digest) => File.Exists(PathOf(digest));

    /// <summary>Stores the bytes and returns their digest.</summary>
    public Digest Put(ReadOnlySpan<byte> bytes)
    {
        var digest = Digest.Of(bytes);
        var path = PathOf(digest);
        lock (_gate)
        {
            _fresh[digest] = _round;
            if (_whole.Contains(digest) && new FileInfo(path) is { Exists: true } file && file.Length == bytes.Length)
                return digest;
        }

        // A file that another process left is verified first: it may have been cut short or damaged.
        if (!IsIntact(digest))
        {
            Directory.CreateDirectory(Path.GetDirectoryName(path)!);
            DurableFile.Write(path, bytes);
        }

        lock (_gate)
            _whole.Add(digest);
        return digest;
    }

    /// <summary>
    /// Marks the blob as needed for the current round, as <see cref="Put"/> does, and says whether it is there with its bytes.
    /// </summary>
    public bool Claim(Digest digest)
    {
        lock (_gate)
        {
            _fresh[digest] = _round;
            if (_whole.Contains(digest) && Has(digest))
                return true;
        }

        return IsSound(digest);
    }

    /// <summary>
    /// True when the blob is there and intact: its bytes are read only where this process has not written or verified them before.
    /// </summary>
    public bool IsSound(Digest digest)
    {
        lock (_gate)
            if (_whole.Contains(digest) && Has(digest))
                return true;
        if (!IsIntact(digest))
            return false;
        lock (_gate)
            _whole.Add(digest);
        return true;
    }

    /// <summary>
    /// A name for a file that is to become the blob: on the blob's disk; the next process deletes the file if this one dies.
    /// </summary>
    public string TemporaryPath(Digest digest)
    {
        var path = PathOf(digest);
        Directory.CreateDirectory(Path.GetDirectoryName(path)!);
        return DurableFile.TemporaryPath(path);
    }

    /// <summary>Makes a file the blob, whose digest the caller has verified; otherwise as <see cref="Put"/>.</summary>
    /// <param name="temporary">From <see cref="TemporaryPath"/>, closed; the file is gone afterwards.</param>
    public void Adopt(Digest digest, string temporary)
    {
        lock (_gate)
            _fresh[digest] = _round;
        File.Move(temporary, PathOf(digest), overwrite: true);
        lock (_gate)
            _whole.Add(digest);
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

        if (Digest.Of(into) == digest)
            return;
        lock (_gate)
            _whole.Remove(digest);                                     // so that an intact one is fetched from another node
        throw new BlobLostException(digest, $"its bytes have changed ({PathOf(digest)})");
    }

    /// <summary>Reads a small blob, verified.</summary>
    public byte[] Read(Digest digest)
    {
        using var file = Open(digest);
        var length = RandomAccess.GetLength(file);
        if (length > Array.MaxLength)
            throw new BlobLostException(digest, $"has {length} bytes, which is not small");
        var bytes = new byte[length];
        file.Dispose();
        Read(digest, bytes);
        return bytes;
    }

    /// <summary>Counts that a set could not be read for a retention.</summary>
    /// <returns>How often in a row.</returns>
    internal int NoteUnread(Digest set)
    {
        lock (_gate)
            return _unread[set] = _unread.GetValueOrDefault(set) + 1;
    }

    internal void NoteRead(Digest set)
    {
        lock (_gate)
            _unread.Remove(set);
    }

    /// <summary>True when the blob is there and its bytes are those of its name.</summary>
    public bool IsIntact(Digest digest)
    {
        if (!Has(digest))
            return false;
        try
        {
            using var stream = new FileStream(DurableFile.OpenShared(PathOf(digest)), FileAccess.Read);
            if (Digest.Of(stream) == digest)
                return true;
        }
        catch (IOException)
        {
            // Deleted meanwhile, or unreadable.
        }

        lock (_gate)
            _whole.Remove(digest);
        return false;
    }

    /// <summary>
    /// Blobs that are put from now on belong to this round. Where it is an older one the run has gone back: what was written for the rounds
    /// behind it may be collected.
    /// </summary>
    public void Begin(int round)
    {
        lock (_gate)
        {
            if (round < _round)
                foreach (var later in _fresh.Where(f => f.Value > round).Select(f => f.Key).ToList())
                    _fresh.Remove(later);
            _round = round;
        }
    }

    /// <summary>Forces blobs and their folders onto the disk.</summary>
    /// <exception cref="ElasticException">The disk did not take them: they may be gone after a power cut.</exception>
    public void Flush(IEnumerable<Digest> digests)
    {
        var paths = new List<string>();
        foreach (var digest in digests.Distinct())
            paths.Add(Has(digest) ? PathOf(digest) : throw new BlobLostException(digest, "is missing"));
        try
        {
            foreach (var path in paths)
                DurableFile.Flush(path);
            foreach (var folder in paths.Select(p => Path.GetDirectoryName(p)!).Distinct().Append(_folder))
                DurableFile.FlushFolder(folder);
        }
        catch (IOException e) when (!DiskSpace.IsExhausted(e))
        {
            // Linux forgets what it could not write: a second flush would only seem to succeed.
            throw new ElasticException(
                $"the disk did not store {_folder} ({e.Message}): check it; the checkpoints before this one stand", e);
        }
    }

    /// <summary>
    /// Deletes what is neither kept nor written for <paramref name="round"/> or a later one. A file that cannot be deleted stays, and is no
    /// reason to keep the others.
    /// </summary>
    /// <param name="keep">What was referred to when the run was in <paramref name="round"/>.</param>
    public Retention Collect(IReadOnlySet<Digest> keep, int round)
    {
        var freed = 0L;
        var problems = new List<string>();
        foreach (var file in Files())
        {
            var digest = new Digest(file.Name);
            if (keep.Contains(digest))
                continue;
            lock (_gate)
            {
                if (_fresh.TryGetValue(digest, out var writtenFor) && writtenFor >= round)
                    continue;
                _fresh.Remove(digest);
                _whole.Remove(digest);
                try
                {
                    var bytes = file.Length;
                    file.Delete();
                    freed += bytes;
                }
                catch (FileNotFoundException)
                {
                    // Somebody else has deleted it.
                }
                catch (Exception e) when (e is IOException or UnauthorizedAccessException)
                {
                    problems.Add($"{file.FullName} is not needed any more and cannot be deleted: {e.Message}");
                }
            }
        }

        return new Retention(freed, problems);
    }

    // Only files where this store puts blobs, and by no link: whatever else lies below the folder is not the store's to delete.
    // A temporary file is of a blob that is being written.
    private IEnumerable<FileInfo> Files() => new DirectoryInfo(_folder).EnumerateDirectories()
        .Where(d => d.Name.Length == 2 && d.LinkTarget is null)
        .SelectMany(d => d.EnumerateFiles().Where(
            f => Digest.IsDigest(f.Name) && f.Name.StartsWith(d.Name, StringComparison.Ordinal) && f.LinkTarget is null));

    private Microsoft.Win32.SafeHandles.SafeFileHandle Open(Digest digest)
    {
        try
        {
            return DurableFile.OpenShared(PathOf(digest));
        }
        catch (Exception e) when (e is FileNotFoundException or DirectoryNotFoundException)
        {
            throw new BlobLostException(digest, $"is missing ({PathOf(digest)})");
        }
    }
}
