using Elastic.Foundation;
using Elastic.Messages.Vectors;
using Elastic.Storage;

namespace Elastic.Transfer;

/// <summary>
/// Downloads blobs from the peers. Verifies all bytes against the digest before any caller uses them; a peer that dies, stalls or sends
/// wrong bytes costs only time. Thread-safe. Simultaneous fetches of one blob share one download.
/// </summary>
public sealed class BlobFetcher : IDisposable
{
    private readonly Peers _peers;
    private readonly HttpClient _http;
    private readonly CancellationTokenSource _closing = new();
    private readonly SharedReads _reads = new();
    private readonly SharedWork<(Digest, int), byte[]> _arrays = new();
    private readonly SharedWork<string, bool> _files = new();       // by path

    public BlobFetcher(Peers peers, Transport transport)
    {
        _peers = peers;
        var handler = transport.HttpHandler();
        handler.ConnectTimeout = peers.Limits.Connect;
        handler.MaxConnectionsPerServer = peers.Limits.PerPeer;
        handler.PooledConnectionIdleTimeout = TimeSpan.FromSeconds(60);
        // Each wait for a peer has its own deadline; a large file may take any time.
        _http = new HttpClient(handler) { Timeout = Timeout.InfiniteTimeSpan };
    }

    /// <inheritdoc cref="Peers.ReceivedBytes"/>
    public long ReceivedBytes => _peers.ReceivedBytes;

    /// <summary>Downloads a blob of known length straight into memory. What the memory holds before success is not verified.</summary>
    /// <exception cref="BlobLostException">No peer gave the blob.</exception>
    public Task ReadAsync(Digest digest, Memory<byte> into, CancellationToken cancel) => ReadAsync(digest, into, null, cancel);

    /// <param name="set">The set that the blob belongs to: peers that had another blob of it are asked first.</param>
    /// <inheritdoc cref="ReadAsync(Digest, Memory{byte}, CancellationToken)"/>
    public async Task ReadAsync(Digest digest, Memory<byte> into, Digest? set, CancellationToken cancel)
    {
        using var either = CancellationTokenSource.CreateLinkedTokenSource(cancel, _closing.Token);
        await _reads.ReadAsync(digest, into,
            stop => BlobDownload.WholeAsync(_http, _peers, digest, set, new MemorySink(into), stop), either.Token);
    }

    /// <summary>Downloads a small blob of unknown length.</summary>
    /// <param name="mostBytes">A longer blob is refused.</param>
    /// <exception cref="BlobLostException">No peer gave the blob.</exception>
    public async Task<byte[]> ReadAsync(Digest digest, int mostBytes, CancellationToken cancel)
    {
        var bytes = await _arrays.JoinAsync((digest, mostBytes), async stop =>
        {
            var sink = new ArraySink(mostBytes);
            await BlobDownload.WholeAsync(_http, _peers, digest, null, sink, stop);
            return sink.Bytes;
        }, _closing.Token, cancel);
        return [.. bytes];      // Other callers may share the download: each gets its own copy.
    }

    /// <summary>
    /// Downloads those blobs that the store lacks, several at a time, and marks all of them as needed for the current round.
    /// </summary>
    /// <exception cref="BlobLostException">No peer gave one of the blobs; others may have been stored.</exception>
    public Task FetchAsync(BlobStore store, IEnumerable<Digest> blobs, CancellationToken cancel) => FetchAsync(store, blobs, null, cancel);

    /// <summary>
    /// Downloads a vector set's own bytes, where the store lacks them. Its chunks are read later, from the peer that had it first.
    /// </summary>
    /// <exception cref="BlobLostException">No peer gave it.</exception>
    public Task FetchOwnBytesAsync(BlobStore store, Digest set, CancellationToken cancel) =>
        FetchOneAsync(store, set, set, VectorSet.MostBytes, cancel);

    /// <summary>Downloads a vector set and every chunk that it stands for, where the store lacks them.</summary>
    /// <exception cref="BlobLostException">No peer gave one of the blobs; others may have been stored.</exception>
    /// <exception cref="InvalidDataException">The blob is no vector set.</exception>
    /// <param name="elements">Elements that each of its vectors has; a set of other vectors is refused before any chunk is fetched.</param>
    /// <param name="frozen">Elements of the frozen parameters; 0 where the model has none.</param>
    public async Task FetchSetAsync(BlobStore store, Digest set, long elements, long frozen, CancellationToken cancel)
    {
        await FetchOneAsync(store, set, set, VectorSet.MostBytes, cancel);
        var content = store.ReadSet(set, elements, frozen);
        await FetchAsync(store, content.Chunks(), set, cancel);
        await FetchFrozenAsync(store, content, frozen, set, cancel);
    }

    /// <summary>
    /// Downloads one vector of a set, where the store lacks its chunks, and the frozen parameters: a replica needs no outer momentum.
    /// </summary>
    /// <exception cref="BlobLostException">No peer gave one of the blobs; others may have been stored.</exception>
    /// <exception cref="InvalidDataException">The blob is no vector set, or has no such vector.</exception>
    /// <inheritdoc cref="FetchSetAsync" path="/param[@name='elements' or @name='frozen']"/>
    public async Task FetchVectorAsync(
        BlobStore store, Digest set, string vector, long elements, long frozen, CancellationToken cancel)
    {
        await FetchOneAsync(store, set, set, VectorSet.MostBytes, cancel);
        var content = store.ReadSet(set, elements, frozen);
        await FetchAsync(store, content[vector].Chunks, set, cancel);
        await FetchFrozenAsync(store, content, frozen, set, cancel);
    }

    /// <summary>Downloads some chunks of a set, where the store lacks them, and the set's own bytes.</summary>
    /// <param name="chunks">By vector, the numbers of chunks of it.</param>
    /// <param name="frozenChunks">Numbers of chunks of the frozen parameters; null where none are needed.</param>
    /// <inheritdoc cref="FetchVectorAsync" path="/exception|/param[@name='elements' or @name='frozen']"/>
    public async Task FetchChunksAsync(
        BlobStore store, Digest set, IReadOnlyList<(string Vector, IReadOnlyList<int> Chunks)> chunks,
        IReadOnlyList<int>? frozenChunks, long elements, long frozen, CancellationToken cancel)
    {
        await FetchOneAsync(store, set, set, VectorSet.MostBytes, cancel);
        var content = store.ReadSet(set, elements, frozen);
        await FetchAsync(store, chunks.SelectMany(c => c.Chunks.Select(chunk => content[c.Vector].Chunks[chunk])), set, cancel);
        if (frozenChunks is not null)
            await FetchFrozenAsync(store, content, frozen, set, cancel, frozenChunks);
    }

    /// <summary>Downloads the frozen parameters of a set, where the store lacks them, and nothing else of it but its own bytes.</summary>
    /// <returns>The set of the frozen parameters; null where the set names none.</returns>
    /// <inheritdoc cref="FetchSetAsync" path="/exception|/param"/>
    public async Task<Digest?> FetchFrozenAsync(BlobStore store, Digest set, long elements, long frozen, CancellationToken cancel)
    {
        await FetchOneAsync(store, set, set, VectorSet.MostBytes, cancel);
        var content = store.ReadSet(set, elements, frozen);
        await FetchFrozenAsync(store, content, frozen, set, cancel);
        return content.Frozen;
    }

    /// <summary>
    /// Downloads a large file in pieces, from several peers at once. Uses the .part file of an earlier attempt.
    /// </summary>
    /// <param name="path">The file appears only when it is intact and verified, and replaces a file with other bytes.</param>
    /// <param name="mostBytes">A longer file is refused.</param>
    /// <exception cref="BlobLostException">No peer gave the file; the pieces received stay for the next attempt.</exception>
    public Task FetchFileAsync(Digest digest, string path, long mostBytes, CancellationToken cancel)
    {
        var full = Path.GetFullPath(path);
        return _files.JoinAsync(full, async stop =>
        {
            await new FileDownload(_http, _peers, digest, full, mostBytes).RunAsync(stop);
            return true;
        }, _closing.Token, cancel);
    }

    public void Dispose()
    {
        _closing.Cancel();
        _http.Dispose();
    }

    private Task FetchAsync(BlobStore store, IEnumerable<Digest> blobs, Digest? set, CancellationToken cancel) =>
        Parallel.ForEachAsync(
            blobs.Distinct(), new ParallelOptions { MaxDegreeOfParallelism = _peers.Limits.Total, CancellationToken = cancel },
            async (digest, stop) => await FetchOneAsync(store, digest, set, VectorManifest.MostChunkBytes, stop));

    // Peers that have the set have its frozen parameters. All chunks of them, where none are named.
    private async Task FetchFrozenAsync(
        BlobStore store, VectorSet content, long frozen, Digest set, CancellationToken cancel, IReadOnlyList<int>? chunks = null)
    {
        if (content.Frozen is not { } digest)
            return;
        await FetchOneAsync(store, digest, set, VectorSet.MostBytes, cancel);
        var all = store.ReadSet(digest, frozen, 0)[VectorSet.FrozenParameters].Chunks;
        await FetchAsync(store, chunks is null ? all : chunks.Select(chunk => all[chunk]), set, cancel);
    }

    private async Task FetchOneAsync(BlobStore store, Digest digest, Digest? set, long mostBytes, CancellationToken cancel)
    {
        if (store.Claim(digest))
            return;
        await _files.JoinAsync(store.PathOf(digest), async stop =>
        {
            var temporary = store.TemporaryPath(digest);
            try
            {
                using (var file = File.OpenHandle(temporary, FileMode.CreateNew, FileAccess.Write))
                using (var sink = new FileSink(file, mostBytes: mostBytes))
                    await BlobDownload.WholeAsync(_http, _peers, digest, set, sink, stop);
                store.Adopt(digest, temporary);
            }
            finally
            {
                File.Delete(temporary);
            }

            return true;
        }, _closing.Token, cancel);
    }
}
