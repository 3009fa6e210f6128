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

    /// <summary>Stopped on request; the same command goes on.</summary>
    Stopped,

    /// <summary>All rounds are committed and the last version is scored.</summary>
    Finished,
}

/// <summary>What a person sees of a run at one moment. Losses are in nats per token.</summary>
/// <param name="Round">Rounds committed so far.</param>
/// <param name="Steps">Inner steps per replica so far, those of the current round included.</param>
/// <param name="Tokens">Tokens trained on so far, over all replicas.</param>
/// <param name="Samples">Blocks trained on so far, over all replicas.</param>
/// <param name="TrainLoss">Mean loss of the newest inner step; null before the first.</param>
/// <param name="ValLoss">Newest loss on the held-out text; null where there is none yet.</param>
/// <param name="BitsPerByte">The same, per byte of the held-out text.</param>
/// <param name="TokensPerSecond">Over the last seconds, all replicas together.</param>
/// <param name="LearningRate">Of the newest inner step.</param>
/// <param name="Fingerprint">SHA-256 of the newest committed version.</param>
/// <param name="Checkpoint">Path of the newest checkpoint manifest; null before the first.</param>
/// <param name="Notice">Something worth telling that has just happened, e.g. which checkpoint a resume chose and why.</param>
/// <param name="Failure">Why the run cannot go on; null while it can.</param>
public sealed record RunView(
    RunId RunId, RunPhase Phase, int Round, int Rounds, long Steps, long TotalSteps, long Tokens, long TotalTokens, long Samples,
    double? TrainLoss, double? ValLoss, double? BitsPerByte, double TokensPerSecond, double? LearningRate,
    Digest? Fingerprint, string? Checkpoint, int Nodes, int Devices, string? Notice, string? Failure) : IWireMessage;
