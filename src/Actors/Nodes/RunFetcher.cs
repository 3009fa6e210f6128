using Elastic.Actors.Nodes.Replicas;
using Elastic.Foundation;
using Elastic.Messages.Vectors;
using Elastic.Model.Vectors;
using Elastic.Storage;
using Elastic.Transfer;

namespace Elastic.Actors.Nodes;

/// <summary>Brings the blobs of a run that are missing on this node: vector sets of its layout, and parts of them. Thread-safe.</summary>
/// <param name="store">What this node stores of the run.</param>
/// <param name="here">All blobs of this process, those of other jobs, too.</param>
/// <param name="fetcher">Fetches from other nodes.</param>
internal sealed class RunFetcher(BlobStore store, FlatLayout layout, BlobLocations here, BlobFetcher fetcher)
    : JobFetcher(here, fetcher)
{
    /// <summary>Fetches those of these blobs that are missing here.</summary>
    /// <exception cref="BlobLostException">No node has a blob that is missing.</exception>
    public Task FetchAsync(IEnumerable<Digest> blobs, CancellationToken cancel) => Others.FetchAsync(store, blobs, cancel);

    /// <summary>Fetches a vector set's own bytes, where they are missing here, and none of its chunks.</summary>
    /// <exception cref="BlobLostException">No node has it.</exception>
    public Task FetchOwnBytesAsync(Digest set, CancellationToken cancel) => Others.FetchOwnBytesAsync(store, set, cancel);

    /// <summary>Fetches the blobs of a vector set that are missing here.</summary>
    /// <exception cref="BlobLostException">No node has a blob that is missing.</exception>
    public Task FetchSetAsync(Digest set, CancellationToken cancel) =>
        Others.FetchSetAsync(store, set, layout.TrainedLength, layout.FrozenLength, cancel);

    /// <summary>Fetches the blobs of a vector set's parameters that are missing here.</summary>
    /// <exception cref="BlobLostException">No node has a blob that is missing.</exception>
    public Task FetchParametersAsync(Digest set, CancellationToken cancel) =>
        Others.FetchVectorAsync(store, set, VectorSet.Parameters, layout.TrainedLength, layout.FrozenLength, cancel);

    /// <summary>
    /// Fetches the chunks of the parameters of a set that hold what a stage needs, frozen ones too, where they are missing here.
    /// </summary>
    /// <exception cref="BlobLostException">No node has a blob that is missing.</exception>
    public Task FetchShareAsync(Digest set, StageShare share, CancellationToken cancel) => FetchShareAsync(
        set, [VectorSet.Parameters], share, [.. VectorStore.ChunksOf(share.Frozen, layout.TrainedLength)], cancel);

    /// <summary>Fetches the chunks of a replica's inner state that hold what a stage needs, where they are missing here.</summary>
    /// <exception cref="BlobLostException">No node has a blob that is missing.</exception>
    public Task FetchShareAsync(Digest set, IEnumerable<string> moments, StageShare share, CancellationToken cancel) =>
        FetchShareAsync(set, moments, share, null, cancel);

    private Task FetchShareAsync(
        Digest set, IEnumerable<string> vectors, StageShare share, IReadOnlyList<int>? frozen, CancellationToken cancel) =>
        Others.FetchChunksAsync(
            store, set, [.. vectors.Select(v => (v, (IReadOnlyList<int>)[.. VectorStore.ChunksOf(share.RangesOf(v))]))], frozen,
            layout.TrainedLength, layout.FrozenLength, cancel);

    /// <summary>
    /// Brings the blobs of a vector set's parameters that are missing here, where other stores of this process may have them, whose blobs
    /// last only as long as their run needs them: what is there is copied, and the rest fetched.
    /// </summary>
    /// <exception cref="BlobLostException">No node has a blob that is missing.</exception>
    public async Task CopyParametersAsync(Digest set, CancellationToken cancel)
    {
        if (!await Task.Run(() => store.CopyParameters(set, FindStored), cancel))
            await FetchParametersAsync(set, cancel);
    }

    /// <summary>Fetches the frozen parameters of a version, where they are missing here.</summary>
    /// <returns>Their set; null where the version names none.</returns>
    /// <exception cref="BlobLostException">No node has a blob that is missing.</exception>
    public Task<Digest?> FetchFrozenAsync(Digest version, CancellationToken cancel) =>
        Others.FetchFrozenAsync(store, version, layout.TrainedLength, layout.FrozenLength, cancel);

    /// <summary>Reads a blob of known length from here, or else from another node, without storing it.</summary>
    /// <param name="set">The set of the blob: a node that has one blob of a set has the others, too.</param>
    /// <returns>Bytes that came from another node.</returns>
    public async Task<long> ReadAsync(Digest blob, Memory<byte> into, Digest set, CancellationToken cancel)
    {
        if (store.IsSound(blob))
        {
            await Task.Run(() => store.Read(blob, into.Span), cancel);
            return 0;
        }

        await Others.ReadAsync(blob, into, set, cancel);
        return into.Length;
    }
}
