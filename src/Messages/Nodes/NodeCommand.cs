using Elastic.Messages.Runs;

namespace Elastic.Messages.Nodes;

/// <summary>What a supervisor asks of a node. Each is answered by a <see cref="RunCommand"/> or a <see cref="NodeReport.WorkFailed"/>.</summary>
public abstract record NodeCommand(RunId RunId) : IWireMessage
{
    /// <summary>Comes before all else about a run: what it is.</summary>
    public sealed record OpenRun(RunId RunId, string Settings, Digest Corpus) : NodeCommand(RunId);

    /// <summary>Make version 0.</summary>
    public sealed record Initialize(RunId RunId) : NodeCommand(RunId);

    /// <summary>Take the H inner steps of one replica, from <paramref name="Version"/>, or from where it was handed over.</summary>
    /// <param name="InnerState">Vector set of the replica's moments; null in its first round.</param>
    public sealed record RunReplica(
        RunId RunId, int Round, int Replica, Digest Version, Digest? InnerState, ReplicaHandOver? HandOver) : NodeCommand(RunId);

    /// <summary>Sum these chunks over the contributions (in replica order) and take the outer step from <paramref name="Version"/>.</summary>
    public sealed record AverageChunks(
        RunId RunId, int Round, int[] Chunks, Digest Version, Digest[] Contributions) : NodeCommand(RunId);

    /// <summary>Fetch what is lacking of these chunks, in chunk order, and store the version's manifest.</summary>
    public sealed record Assemble(RunId RunId, int Round, AveragedChunk[] Chunks) : NodeCommand(RunId);

    /// <summary>Score a version on the held-out text.</summary>
    public sealed record Evaluate(RunId RunId, int Version, Digest Parameters) : NodeCommand(RunId);

    /// <summary>Make these vector sets durable, then write the checkpoint's manifest.</summary>
    public sealed record TakeCheckpoint(
        RunId RunId, int Version, Digest Parameters, Digest Fingerprint, Digest[] InnerStates, long TokensSeen, Digest Ledger) : NodeCommand(RunId);

    /// <summary>Keep these vector sets and these checkpoints; what nothing refers to may go.</summary>
    /// <param name="Round">The round that the run is in: what nodes store for it or a later one is not in the list yet, and stays.</param>
    public sealed record Retain(RunId RunId, int Round, Digest[] Sets, int[] Checkpoints) : NodeCommand(RunId);

    /// <summary>Say which of these vector sets are whole.</summary>
    public sealed record Survey(RunId RunId, Digest[] Sets) : NodeCommand(RunId);

    /// <summary>Stop at the next step boundary and hand over.</summary>
    public sealed record StopRun(RunId RunId) : NodeCommand(RunId);
}
