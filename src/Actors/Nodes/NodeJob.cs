using Elastic.Messages;
using Elastic.Storage;

namespace Elastic.Actors.Nodes;

/// <summary>What a node knows of a job that it works for.</summary>
internal abstract class NodeJob(RunId id, NodeContext context, BlobStore blobs)
{
    public RunId Id => id;

    public NodeId Node { get; } = context.Facts.Id;

    public DataPaths Paths { get; } = context.Paths;

    /// <summary>What this node stores of the job.</summary>
    public BlobStore Blobs => blobs;

    /// <summary>Brings the job's blobs that are missing here.</summary>
    public abstract JobFetcher Fetcher { get; }

    /// <inheritdoc cref="NodeFaults"/>
    public NodeFaults Faults { get; } = context.Faults;

    /// <summary>Ends what is at work for the job, where that takes no notice of the node's orders.</summary>
    /// <returns>When nothing is at work for it any more.</returns>
    public virtual Task CloseAsync() => Task.CompletedTask;
}
