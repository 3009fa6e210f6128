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
    /// <param name="read">
    /// Its state when the caller began to read it for the digest: while it has that one it is not read again. Null: it is read when it is
    /// first asked for.
    /// </param>
    public void Add(Digest digest, string path, FileState? read = null) => Serve(digest, path, read);

    /// <summary>Serves that file no more.</summary>
    public void Remove(Digest digest) => _files.TryRemove(digest, out _);

    /// <summary>
    /// The path of an existing file, or null. Checks <see cref="Digest.IsDigest"/>: the digest becomes part of a path. What is found has
    /// the digest: its bytes were written or read by this process.
    /// </summary>
    /// <param name="cancel">Ends the waiting while a large file is read for the first time, and not the reading.</param>
    public async Task<string?> FindAsync(Digest digest, CancellationToken cancel)
    {
        if (!Digest.IsDigest(digest.Hex))
            return null;
        return _files.TryGetValue(digest, out var file) && await file.IsSoundAsync().WaitAsync(cancel) ? file.Path : FindStored(digest);
    }

    /// <summary>The same among the blobs of the stores only.</summary>
    public string? FindStored(Digest digest) => Digest.IsDigest(digest.Hex)
        ? _stores.Keys.FirstOrDefault(store => store.IsSound(digest))?.PathOf(digest)
        : null;

    private void Serve(Digest digest, string path, FileState? read = null) => _files.AddOrUpdate(
        digest, _ => new ServedFile(digest, path, read),
        (_, known) => known.Path == path && read is null ? known : new ServedFile(digest, path, read));

    // Hashes the file when it is first asked for, and again when it has changed: what its manifest says of it proves nothing.
    private sealed class ServedFile(Digest digest, string path, FileState? read)
    {
        private readonly Lock _gate = new();
        private FileState? _sound = read;
        private (FileState State, Task<bool> IsSound)? _reading;

        public string Path => path;

        // Several requests wait for one reading, which goes on when they have given up: it may take minutes, and they come again.
        public Task<bool> IsSoundAsync()
        {
            lock (_gate)
            {
                if (FileState.Of(path) is not { } state)
                    return Task.FromResult(false);
                if (_sound == state)
                    return Task.FromResult(true);
                if (_reading is not { IsSound.IsCompleted: false } reading || reading.State != state)
                {
                    // On a thread of its own, not one of the pool's few.
                    var started = Task.Factory.StartNew(
                        () => Read(state), CancellationToken.None, TaskCreationOptions.LongRunning, TaskScheduler.Default);
                    _reading = reading = (state, started);
                }

                return reading.IsSound;
            }
        }

        private bool Read(FileState state)
        {
            try
            {
                using var stream = new FileStream(DurableFile.OpenShared(path), FileAccess.Read);
                if (Digest.Of(stream) != digest)
                    return false;
                lock (_gate)
                    _sound = state;
                return true;
            }
            catch (Exception e) when (e is IOException or UnauthorizedAccessException)
            {
                return false;
            }
        }
    }
}
