using System.Collections.Concurrent;
using Elastic.Corpus;
using Elastic.Foundation;
using Elastic.Storage;

namespace Elastic.Transfer;

/// <summary>Where this process finds the blobs that it serves: its runs' stores and its built corpora. Thread-safe.</summary>
public sealed class BlobLocations
{
    private readonly ConcurrentDictionary<BlobStore, bool> _stores = new(ReferenceEqualityComparer.Instance);
    private readonly ConcurrentDictionary<Digest, ServedFile> _files = new();

    /// <summary>Serves the blobs of the store, present and future. Adding it again does nothing.</summary>
    public void Add(BlobStore store) => _stores.TryAdd(store, true);

    /// <summary>Serves the store's blobs no more.</summary>
    public void Remove(BlobStore store) => _stores.TryRemove(store, out _);

    /// <summary>
    /// Serves the corpus's shards, its tokenizer, and its manifest under the SHA-256 of the file. Adding it again does nothing.
    /// </summary>
    public void Add(BuiltCorpus corpus)
    {
        Serve(corpus.ManifestDigest, corpus.ManifestPath);
        foreach (var file in corpus.Files)
            Serve(file.Sha256, file.Path);
    }

    /// <summary>Serves a file, of whoever it is, under the digest of its bytes. Adding it again does nothing.</summary>
    public void Add(Digest digest, string path) => Serve(digest, path);

    /// <summary>Serves that file no more.</summary>
    public void Remove(Digest digest) => _files.TryRemove(digest, out _);

    /// <summary>
    /// The path of an existing file, or null. Checks <see cref="Digest.IsDigest"/>: the digest becomes part of a path. What is found has
    /// the digest: its bytes were written or read by this process.
    /// </summary>
    public string? Find(Digest digest)
    {
        if (!Digest.IsDigest(digest.Hex))
            return null;
        if (_files.TryGetValue(digest, out var file) && file.IsSound())
            return file.Path;
        return _stores.Keys.FirstOrDefault(store => store.IsSound(digest))?.PathOf(digest);
    }

    private void Serve(Digest digest, string path) => _files.AddOrUpdate(
        digest, _ => new ServedFile(digest, path), (_, known) => known.Path == path ? known : new ServedFile(digest, path));

    // Hashes the file when it is first asked for, and again when it has changed: what its manifest says of it proves nothing.
    private sealed class ServedFile(Digest digest, string path)
    {
        private readonly Lock _gate = new();
        private (long Length, DateTime Written)? _sound;

        public string Path => path;

        public bool IsSound()
        {
            lock (_gate)                                               // several requests wait for one reading
            {
                try
                {
                    if (new FileInfo(path) is not { Exists: true } file)
                        return false;
                    var state = (file.Length, file.LastWriteTimeUtc);
                    if (_sound == state)
                        return true;
                    using var stream = File.OpenRead(path);
                    _sound = Digest.Of(stream) == digest ? state : null;
                    return _sound is not null;
                }
                catch (Exception e) when (e is IOException or UnauthorizedAccessException)
                {
                    return false;
                }
            }
        }
    }
}
