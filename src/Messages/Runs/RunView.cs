using Elastic.Foundation;

namespace Elastic.Messages.Runs;

/// <summary>Where a run stands in its round.</summary>
public enum RunPhase
{
    /// <summary>No device, or not started yet.</summary>
    Waiting,

    /// <summary>Replicas take their inner steps.</summary>
    Computing,

    /// <summary>All replicas are in; the nodes sum chunks.</summary>
    Averaging,

    /// <summary>The nodes fetch the chunks they lack; then the round is committed.</summary>
    Assembling,

    /// <summary>Stopped on request; the same start goes on.</summary>
    Stopped,

    /// <summary>All rounds are committed and the last version is scored and durable.</summary>
    Finished,

    /// <summary>Takes a break, until somebody resumes it.</summary>
    Paused,
}

/// <summary>Where settings of a run change in mid-run.</summary>
/// <param name="FromRound">The first round of the segment.</param>
/// <param name="FromSample">Samples that the run has read before it.</param>
/// <param name="FromStep">Inner steps of each replica before it.</param>
/// <param name="Changes">Lines like "optimizer.learning-rate: 0.002 -> 0.001".</param>
public sealed record RunSegment(int FromRound, long FromSample, long FromStep, string[] Changes) : IWireMessage;

/// <summary>A node that could not do its work, or not open the run, and is given nothing of it for a while.</summary>
/// <param name="Address">By which people know it.</param>
/// <param name="SecondsLeft">After so many seconds it is tried again.</param>
public sealed record RestingNode(NodeId Node, string Address, string Why, double SecondsLeft) : IWireMessage;

/// <summary>What a person sees of a run at one moment. Losses are in nats per token.</summary>
public sealed record RunView : ISaidBySeed
{
    public required RunName Name { get; init; }

    public required RunId RunId { get; init; }

    public required RunPhase Phase { get; init; }

    /// <summary>Rounds committed so far.</summary>
    public int Round { get; init; }

    public int Rounds { get; init; }

    /// <summary>Inner steps per replica so far, those of the current round included.</summary>
    public long Steps { get; init; }

    public long TotalSteps { get; init; }

    /// <summary>Tokens trained on so far, over all replicas.</summary>
    public long Tokens { get; init; }

    public long TotalTokens { get; init; }

    /// <summary>Blocks trained on so far, over all replicas.</summary>
    public long Samples { get; init; }

    /// <summary>Mean loss of the newest inner step; null before the first.</summary>
    public double? TrainLoss { get; init; }

    /// <summary>Newest loss on the held-out text; null where there is none yet.</summary>
    public double? ValLoss { get; init; }

    /// <summary>Newest loss on the held-out text, bits per byte of that text; null where there is none yet.</summary>
    public double? BitsPerByte { get; init; }

    /// <summary>The loss by source; null where it is not told apart.</summary>
    public SourceScore[]? SourceScores { get; init; }

    /// <summary>The loss by language; null where it is not told apart.</summary>
    public SourceScore[]? LanguageScores { get; init; }

    /// <summary>The round after which <see cref="ValLoss"/> was taken: later rounds may be committed since.</summary>
    public int? ScoredRound { get; init; }

    /// <summary>The round after which the best loss on the held-out text was taken; null where there is none yet.</summary>
    public int? BestRound { get; init; }

    /// <summary>That loss, nats per token.</summary>
    public double? BestLoss { get; init; }

    /// <summary>Speed over the last seconds, of all replicas together; 0 while nothing is computed.</summary>
    public double TokensPerSecond { get; init; }

    /// <summary>Learning rate of the newest inner step.</summary>
    public double? LearningRate { get; init; }

    /// <summary>
    /// What the loss is multiplied by, of the replicas heard of since the supervisor began the smallest; null where it is not scaled.
    /// </summary>
    public double? LossScale { get; init; }

    /// <summary>All steps of these replicas that overflowed and were skipped; null where the loss is not scaled.</summary>
    public long? SkippedSteps { get; init; }

    /// <summary>The newest round that replicas have taken steps of; null where the loss is not scaled.</summary>
    public int? SkippedRound { get; init; }

    /// <summary>Skipped steps of <see cref="SkippedRound"/>, by the nodes that compute it: after a hand-over, since then.</summary>
    public int SkippedInRound { get; init; }

    /// <summary>SHA-256 of the newest committed version.</summary>
    public Digest? Fingerprint { get; init; }

    /// <summary>Where its settings change in mid-run, first to last; empty where they never do.</summary>
    public RunSegment[] Segments { get; init; } = [];

    /// <summary>Path of the newest checkpoint manifest; null before the first.</summary>
    public string? Checkpoint { get; init; }

    /// <summary>Rounds that the newest checkpoint contains; null before the first.</summary>
    public int? CheckpointVersion { get; init; }

    /// <summary>SHA-256 of its parameters.</summary>
    public Digest? CheckpointFingerprint { get; init; }

    public int Nodes { get; init; }

    /// <summary>Of all its nodes together, those that rest left out.</summary>
    public int Devices { get; init; }

    /// <summary>Nodes that rest, first those that are tried again first; not all of many.</summary>
    public RestingNode[] Resting { get; init; } = [];

    /// <summary>The run of the highest gets devices first.</summary>
    public int Priority { get; init; }

    /// <summary>Labels that a node must have to compute for it.</summary>
    public string[] Needs { get; init; } = [];

    /// <summary>What the run waits for; null where it waits for nothing, or only for work in flight.</summary>
    public string? WaitsFor { get; init; }

    /// <summary>With which version a score has ended the run, and why; null where none has.</summary>
    public string? EndedEarly { get; init; }

    /// <summary>A message about what has just happened, e.g. which checkpoint a resume chose and why.</summary>
    public string? Notice { get; init; }

    /// <summary>Why the run cannot go on; null while it can.</summary>
    public string? Failure { get; init; }
}
