using System.Collections.Concurrent;
using Elastic.Corpus;
using Elastic.Foundation;
using Elastic.Storage;

namespace Elastic.Transfer;

/// <summary>Where this process finds the blobs that it serves: its runs' stores and its built corpora. Thread-safe.</summary>
public sealed class BlobLocations
{
    private readonly ConcurrentDictionary<BlobStore, bool> _stores = new(ReferenceEqualityComparer.Instance);
    private readonly ConcurrentDictionary<Digest, string> _files = new();

    /// <summary>Serves the blobs of the store, present and future. Adding it again does nothing.</summary>
    public void Add(BlobStore store) => _stores.TryAdd(store, true);

    /// <summary>Serves the store's blobs no more.</summary>
    public void Remove(BlobStore store) => _stores.TryRemove(store, out _);

    /// <summary>Serves the corpus's shards, and its manifest under the SHA-256 of the file. Adding it again does nothing.</summary>
    /// <exception cref="IOException">The manifest cannot be read.</exception>
    public void Add(BuiltCorpus corpus)
    {
        var manifest = Path.Combine(corpus.Folder, CorpusManifest.FileName);
        _files[Digest.Of(File.ReadAllBytes(manifest))] = manifest;
        foreach (var shard in corpus.TrainShards.Concat(corpus.HeldOutShards))
            _files[shard.Sha256] = corpus.ShardPath(shard);
    }

    /// <summary>The path of an existing file, or null. Checks <see cref="Digest.IsDigest"/>: the digest becomes part of a path.</summary>
    public string? Find(Digest digest)
    {
        if (!Digest.IsDigest(digest.Hex))
            return null;
        if (_files.TryGetValue(digest, out var path) && File.Exists(path))
            return path;
        return _stores.Keys.FirstOrDefault(store => store.Has(digest))?.PathOf(digest);
    }
}
