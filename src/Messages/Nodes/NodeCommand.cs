using Elastic.Foundation;
using Elastic.Messages.Runs;

namespace Elastic.Messages.Nodes;

/// <summary>What a supervisor asks of a node. Each is answered by a <see cref="RunCommand"/> or a <see cref="NodeReport"/>.</summary>
public abstract record NodeCommand(RunId RunId) : IWireMessage
{
    /// <summary>Comes before all else about a run: what it is.</summary>
    /// <param name="Manifest">SHA-256 of the corpus's manifest file, by which a node without the corpus fetches it; null for runs of before 0.2.</param>
    public sealed record OpenRun(RunId RunId, string Settings, Digest Corpus, Digest? Manifest) : NodeCommand(RunId);

    /// <summary>Make version 0.</summary>
    public sealed record Initialize(RunId RunId) : NodeCommand(RunId);

    /// <summary>Take the H inner steps of one replica, from <paramref name="Version"/>, or from where it was handed over.</summary>
    /// <param name="InnerState">Vector set of the replica's moments; null in its first round.</param>
    public sealed record RunReplica(
        RunId RunId, int Round, int Replica, Digest Version, Digest? InnerState, ReplicaHandOver? HandOver) : NodeCommand(RunId);

    /// <summary>Sum these chunks over the contributions (in replica order) and take the outer step from <paramref name="Version"/>.</summary>
    public sealed record AverageChunks(
        RunId RunId, int Round, int[] Chunks, Digest Version, Digest[] Contributions) : NodeCommand(RunId);

    /// <summary>Fetch what is lacking of these chunks, and store the version's manifest.</summary>
    /// <param name="Chunks">In chunk order. A large model's come in several messages.</param>
    public sealed record Assemble(RunId RunId, int Round, AveragedChunk[] Chunks, Part Part) : NodeCommand(RunId);

    /// <summary>Hold this vector set too, so that the loss of another node loses nothing.</summary>
    /// <param name="Copy">Names the piece of work within the round.</param>
    public sealed record CopySet(RunId RunId, int Round, int Copy, Digest Set) : NodeCommand(RunId);

    /// <summary>Score a version on the held-out text.</summary>
    public sealed record Evaluate(RunId RunId, int Version, Digest Parameters) : NodeCommand(RunId);

    /// <summary>Fetch what is lacking of these vector sets, make them durable, then write the checkpoint's manifest.</summary>
    public sealed record TakeCheckpoint(
        RunId RunId, int Version, Digest Parameters, Digest Fingerprint, Digest[] InnerStates, long TokensSeen, Digest Ledger) : NodeCommand(RunId);

    /// <summary>Keep these vector sets and these checkpoints; what nothing refers to may go.</summary>
    /// <param name="Round">The round that the run is in: what nodes store for it or a later one is not in the list yet, and stays.</param>
    public sealed record Retain(RunId RunId, int Round, Digest[] Sets, int[] Checkpoints, Part Part) : NodeCommand(RunId);

    /// <summary>Say which of these vector sets are whole. Answered by <see cref="NodeReport.Surveyed"/>.</summary>
    /// <param name="Thorough">Read the bytes again, even of what was found to be whole before.</param>
    public sealed record Survey(RunId RunId, Digest[] Sets, Part Part, bool Thorough = false) : NodeCommand(RunId);

    /// <summary>Nobody waits for this work any more: another node was faster, or the round is over.</summary>
    public sealed record DropWork(RunId RunId, WorkKey[] Works) : NodeCommand(RunId);

    /// <summary>Stop at the next step boundary and hand over.</summary>
    public sealed record StopRun(RunId RunId) : NodeCommand(RunId);

    /// <summary>To a node that is leaving: all that only it held is elsewhere now.</summary>
    public sealed record Release(RunId RunId) : NodeCommand(RunId);

    /// <summary>The node gets no work of this run, and why.</summary>
    public sealed record Exclude(RunId RunId, string Why) : NodeCommand(RunId);
}

/// <summary>A message that is one of several, because all together would be too large for the control plane.</summary>
/// <param name="Index">From 0.</param>
public readonly record struct Part(int Index, int Of) : IWireMessage
{
    /// <summary>Digests that a message may carry: with their markup they stay well below 64 KiB.</summary>
    public const int MostDigests = 400;

    /// <summary>Cuts a list into parts; an empty list is one empty part.</summary>
    public static IEnumerable<(T[] Items, Part Part)> Cut<T>(IReadOnlyList<T> items, int most)
    {
        var count = Math.Max(1, (items.Count + most - 1) / most);
        return Enumerable.Range(0, count).Select(i => (items.Skip(i * most).Take(most).ToArray(), new Part(i, count)));
    }
}
