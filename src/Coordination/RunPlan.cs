using Elastic.Messages.Settings;
using Elastic.Messages.Vectors;

namespace Elastic.Coordination;

/// <summary>The numbers of a run that follow from its settings and its corpus. No machine appears in them.</summary>
/// <param name="Replicas">R.</param>
/// <param name="InnerSteps">H.</param>
/// <param name="Sequences">B: blocks per inner step and replica.</param>
/// <param name="MicroBatches">M: micro-batches in an inner step.</param>
/// <param name="Context">T: tokens per block that are predicted.</param>
/// <param name="Elements">Elements of the flat parameter vector.</param>
/// <param name="Blocks">Blocks in one epoch.</param>
/// <param name="AuditRate">Share of the replicas' rounds that are computed twice.</param>
/// <param name="EvaluateEvery">Rounds between two evaluations; 0 where there is no held-out text.</param>
public sealed record RunPlan(
    int Replicas, int InnerSteps, int Rounds, int Sequences, int MicroBatches, int Context, long Elements, long Blocks,
    int EvaluateEvery, int CheckpointEvery, int CheckpointsKept, double AuditRate = 0)
{
    /// <summary>Chunks of the flat parameter vector.</summary>
    public int Chunks => VectorManifest.ChunkCount(Elements);

    /// <summary>Blocks that all replicas together consume in a round.</summary>
    public long SamplesPerRound => (long)Replicas * InnerSteps * Sequences;

    /// <summary>Tokens that one replica trains on in a round.</summary>
    public long TokensPerReplica => (long)InnerSteps * Sequences * Context;

    /// <summary>Tokens that all replicas together train on in a round.</summary>
    public long TokensPerRound => Replicas * TokensPerReplica;

    /// <summary>Inner steps of one replica over the whole run: what the learning-rate schedule spans.</summary>
    public long TotalSteps => (long)Rounds * InnerSteps;

    /// <summary>True when version <paramref name="version"/> is to be scored: the first, the last, and every so many between.</summary>
    public bool Evaluates(int version) =>
        EvaluateEvery > 0 && (version % EvaluateEvery == 0 || version == Rounds);

    /// <summary>True when version <paramref name="version"/> is to be made durable.</summary>
    public bool Checkpoints(int version) => version > 0 && (version % CheckpointEvery == 0 || version == Rounds);

    /// <summary>True when two nodes are to compute this replica's round, and compare. Which rounds are audited looks like chance and is not.</summary>
    public bool Audits(int round, int replica) =>
        AuditRate > 0 && (Mixed(((ulong)(uint)round << 32) | (uint)replica) >> 11) * (1.0 / (1UL << 53)) < AuditRate;

    /// <summary>The plan of a run that is in the journal.</summary>
    public static RunPlan Of(RunState run) => Of(SettingsText.Read(run.Settings!), run.Elements, run.Blocks, run.HeldOutBlocks);

    /// <summary>The plan of a run. <c>run.epochs</c> ends with the round that completes the last epoch.</summary>
    /// <param name="elements">Of the flat parameter vector.</param>
    public static RunPlan Of(TrainingSettings settings, long elements, long blocks, long heldOutBlocks)
    {
        var samplesPerRound = (long)settings.Run.Replicas * settings.Run.InnerSteps * settings.Batch.Sequences;
        var rounds = settings.Run.Rounds
                     ?? checked((int)((settings.Run.Epochs!.Value * blocks + samplesPerRound - 1) / samplesPerRound));
        return new RunPlan(
            settings.Run.Replicas, settings.Run.InnerSteps, rounds, settings.Batch.Sequences, settings.Batch.MicroBatches,
            settings.Model.Context, elements, blocks,
            heldOutBlocks > 0 ? settings.Evaluation.EveryRounds : 0, settings.Checkpoint.EveryRounds, settings.Checkpoint.Keep,
            settings.Run.AuditRate);
    }

    // The finalizer of SplitMix64 (Steele, Lea, Flood 2014, figure 13): every bit of the input moves every bit of the output.
    private static ulong Mixed(ulong z)
    {
        z += 0x9E3779B97F4A7C15;
        z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9;
        z = (z ^ (z >> 27)) * 0x94D049BB133111EB;
        return z ^ (z >> 31);
    }
}
