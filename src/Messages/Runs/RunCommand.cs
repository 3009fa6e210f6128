using Elastic.Foundation;

namespace Elastic.Messages.Runs;

/// <summary>What others may ask of a run. Asking twice is always safe.</summary>
/// <remarks>Rounds count from 0; a version is numbered by the rounds it contains, so round r turns version r into version r + 1.</remarks>
public abstract record RunCommand(RunId RunId) : IWireMessage
{
    /// <summary>Starts the run, or goes on with it where it stands when settings and corpus are the same.</summary>
    /// <param name="Settings">Canonical text of the training settings.</param>
    /// <param name="Elements">Of the flat parameter vector.</param>
    /// <param name="Corpus">Digest of the built corpus.</param>
    /// <param name="Blocks">Training blocks in the corpus: one epoch.</param>
    /// <param name="HeldOutBlocks">Blocks kept for evaluation; 0 for none.</param>
    /// <param name="Arithmetic">What the bits depend on besides the settings and the corpus: kind of device, instruction set, threads. Empty
    /// where that is not known yet.</param>
    /// <param name="Manifest">SHA-256 of the corpus's manifest file, by which other nodes fetch the corpus.</param>
    public sealed record Start(RunId RunId, string Settings, long Elements, Digest Corpus, long Blocks, long HeldOutBlocks, string Arithmetic, Digest? Manifest = null) : RunCommand(RunId);

    /// <summary>Stop at the next step boundary; the same start goes on later.</summary>
    public sealed record Pause(RunId RunId) : RunCommand(RunId);

    /// <summary>The run was started where there are no devices; the first nodes that have some decide what its bits depend on.</summary>
    public sealed record ChooseArithmetic(RunId RunId, string Arithmetic) : RunCommand(RunId);

    /// <summary>Version 0 has been made from the seed (or from <c>model.init</c>).</summary>
    public sealed record FinishInitialization(RunId RunId, NodeId Node, Digest Version, Digest Fingerprint) : RunCommand(RunId);

    /// <summary>What a replica hands to the averaging after its H inner steps.</summary>
    public sealed record FinishReplica(RunId RunId, NodeId Node, ReplicaResult Result) : RunCommand(RunId);

    /// <summary>Where a replica stopped inside a round, at a step boundary, so that any node can go on with it.</summary>
    public sealed record HandOverReplica(RunId RunId, NodeId Node, ReplicaHandOver HandOver) : RunCommand(RunId);

    /// <summary>Chunks of the next version, summed over the contributions.</summary>
    public sealed record FinishChunks(RunId RunId, NodeId Node, int Round, Digest Inputs, AveragedChunk[] Chunks) : RunCommand(RunId);

    /// <summary>The version is complete on <paramref name="Holders"/> of <paramref name="Nodes"/> nodes.</summary>
    public sealed record CommitRound(RunId RunId, int Round, Digest Version, Digest Fingerprint, int Holders, int Nodes) : RunCommand(RunId);

    /// <summary>A version was scored on the held-out text.</summary>
    public sealed record FinishEvaluation(RunId RunId, NodeId Node, VersionScore Score) : RunCommand(RunId);

    /// <summary>A version and the inner states that belong to it are durable; the manifest was written last.</summary>
    public sealed record FinishCheckpoint(RunId RunId, NodeId Node, Checkpoint Checkpoint) : RunCommand(RunId);

    /// <summary>What is still whole, on whichever node, of what the journal speaks of: judged once after every recovery and every loss.</summary>
    /// <param name="Asked">The vector sets that were looked at: what arrived since is not judged.</param>
    /// <param name="Intact">Those whose every chunk is there and has its digest.</param>
    public sealed record FinishSurvey(RunId RunId, Digest[] Asked, Digest[] Intact) : RunCommand(RunId);

    /// <summary>Results of the current round that were only on nodes that are gone: they are computed again.</summary>
    public sealed record LoseWork(RunId RunId, int Round, int[] Replicas, string Why) : RunCommand(RunId);
}
