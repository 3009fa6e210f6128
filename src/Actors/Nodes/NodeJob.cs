using Elastic.Foundation;
using Elastic.Messages;
using Elastic.Storage;
using Elastic.Transfer;

namespace Elastic.Actors.Nodes;

/// <summary>What a node knows of a job that it works for.</summary>
internal abstract class NodeJob(RunId id, NodeContext context, BlobStore blobs)
{
    protected NodeContext Context => context;

    public RunId Id => id;

    public NodeId Node => context.Facts.Id;

    public DataPaths Paths => context.Paths;

    /// <summary>What this node stores of the job.</summary>
    public BlobStore Blobs => blobs;

    /// <summary>Fetches blobs that are missing here from other nodes.</summary>
    public BlobFetcher Fetcher => context.Fetcher;

    /// <inheritdoc cref="NodeFaults"/>
    public NodeFaults Faults => context.Faults;

    /// <summary>Ends what is at work for the job, where that takes no notice of the node's orders.</summary>
    /// <returns>When nothing is at work for it any more.</returns>
    public virtual Task CloseAsync() => Task.CompletedTask;

    /// <summary>Reads a small blob from here, or else from another node, without storing it.</summary>
    /// <param name="mostBytes">A longer blob is refused.</param>
    /// <exception cref="BlobLostException">No node has it.</exception>
    public async Task<byte[]> ReadAsync(Digest blob, int mostBytes, CancellationToken cancel) =>
        FindHere(blob) is { } bytes && bytes.Length <= mostBytes && Digest.Of(bytes) == blob
            ? bytes
            : await Fetcher.ReadAsync(blob, mostBytes, cancel);

    protected byte[]? FindHere(Digest blob)
    {
        try
        {
            return context.Blobs.Find(blob) is { } path ? File.ReadAllBytes(path) : null;
        }
        catch (IOException)
        {
            return null;                                               // its job has just removed it
        }
    }
}
