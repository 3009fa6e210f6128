using System.Globalization;
using System.Text;
using Elastic.Foundation;
using Elastic.Messages.Runs;
using Elastic.Messages.Settings;
using Elastic.Messages.Vectors;

namespace Elastic.Coordination;

/// <summary>The numbers of a run that follow from its settings and its corpus. No machine appears in them.</summary>
public sealed record RunPlan
{
    /// <summary>R, H, batch and rounds, segment by segment.</summary>
    public required Timeline Timeline { get; init; }

    /// <summary>T: tokens per block that are predicted.</summary>
    public required int Context { get; init; }

    /// <summary>Elements of the flat vector of trained parameters.</summary>
    public required long Elements { get; init; }

    /// <summary>Rounds between two evaluations; 0 where there is no held-out text.</summary>
    public required int EvaluateEvery { get; init; }

    public required int CheckpointEvery { get; init; }

    public required int CheckpointsKept { get; init; }

    /// <summary>Share of the replicas' rounds, and of the sums, that are computed twice.</summary>
    public double AuditRate { get; init; }

    /// <summary>Scores in a row that are no better and end the run; 0 for none.</summary>
    public int Patience { get; init; }

    /// <summary>The score that ends the run; null for none.</summary>
    public double? TargetLoss { get; init; }

    /// <summary>The version with which a score has ended the run; null where none has. The timeline does not change by it.</summary>
    public int? EndsAt { get; init; }

    /// <summary>Rounds of the whole run.</summary>
    public int Rounds => EndsAt ?? Timeline.Rounds;

    /// <summary>Inner steps of one replica over the whole run.</summary>
    public long TotalSteps => Timeline.StepsBefore(Rounds);

    /// <summary>Chunks of the flat vector of trained parameters.</summary>
    public int Chunks => VectorManifest.ChunkCount(Elements);

    /// <summary>The segment of a round.</summary>
    public Segment At(int round) => Timeline.At(round);

    /// <summary>R in a round.</summary>
    public int ReplicasAt(int round) => At(round).Replicas;

    /// <summary>Tokens that one replica trains on in a round.</summary>
    public long TokensPerReplica(int round) => At(round) is var s ? (long)s.InnerSteps * s.Sequences * Context : 0;

    /// <summary>Tokens that all replicas together have trained on when a round begins.</summary>
    public long TokensBefore(int round) => checked(Timeline.SamplesBefore(round) * Context);

    /// <summary>
    /// True when version <paramref name="version"/> is to be scored: the first, the last, and every <see cref="EvaluateEvery"/>-th.
    /// </summary>
    public bool Evaluates(int version) =>
        EvaluateEvery > 0 && (version % EvaluateEvery == 0 || version == Rounds);

    /// <summary>True when version <paramref name="version"/> is to be made durable.</summary>
    public bool Checkpoints(int version) => version > 0 && (version % CheckpointEvery == 0 || version == Rounds);

    /// <summary>
    /// True when two nodes are to compute this replica's round, to compare. The round's secret decides: no node knows before, and whoever
    /// may read the journal can check it afterwards.
    /// </summary>
    /// <param name="secret">From <see cref="RunState.AuditSecret"/>; null in journals of before there were secrets.</param>
    public bool Audits(Digest? secret, int round, int replica) => IsDrawn(secret, round, "replica", replica);

    /// <summary>True when two nodes are to sum the group of chunks that begins with this one.</summary>
    public bool AuditsSums(Digest? secret, int round, int firstChunk) => IsDrawn(secret, round, "sum", firstChunk);

    /// <summary>True when two nodes are to score this version.</summary>
    public bool AuditsScore(Digest? secret, int version) => IsDrawn(secret, version, "score", 0);

    // As many of 2^52 values of a hash as the rate says.
    private bool IsDrawn(Digest? secret, int round, string what, int number) => AuditRate > 0
        && long.Parse(
            Digest.Of(Encoding.ASCII.GetBytes($"{secret} {round} {what} {number}")).Hex.AsSpan(0, 13),
            NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture) < AuditRate * (1L << 52);

    /// <summary>The plan of a run that is in the journal.</summary>
    public static RunPlan Of(RunState run)
    {
        ArgumentNullException.ThrowIfNull(run);
        return Of(SettingsText.Read(run.Settings!), run.Elements, run.Blocks, run.HeldOutBlocks, [.. run.Extensions]) with
        {
            EndsAt = run.EndsAt,
        };
    }

    /// <summary>The plan of a run. <c>run.epochs</c> ends with the round that completes the last epoch.</summary>
    /// <param name="elements">Elements of the flat vector of trained parameters.</param>
    /// <param name="extensions">When the run was made longer, oldest first: each begins a segment.</param>
    public static RunPlan Of(
        TrainingSettings settings, long elements, long blocks, long heldOutBlocks, params IReadOnlyList<RunExtension> extensions)
    {
        ArgumentNullException.ThrowIfNull(settings);
        ArgumentNullException.ThrowIfNull(extensions);
        var rounds = RoundsOf(settings, blocks);
        return new RunPlan
        {
            Timeline = new Timeline(Segments(settings, rounds, extensions)),
            Context = settings.Model.Context,
            Elements = elements,
            EvaluateEvery = heldOutBlocks > 0 ? settings.Evaluation.EveryRounds : 0,
            CheckpointEvery = settings.Checkpoint.EveryRounds,
            CheckpointsKept = settings.Checkpoint.Keep,
            AuditRate = settings.Run.AuditRate,
            Patience = settings.Evaluation.Patience,
            TargetLoss = settings.Evaluation.TargetLoss,
        };
    }

    /// <summary>Blocks that all replicas together read in a round of these settings.</summary>
    public static long SamplesPerRound(TrainingSettings settings)
    {
        ArgumentNullException.ThrowIfNull(settings);
        return (long)settings.Run.Replicas * settings.Run.InnerSteps * settings.Batch.Sequences;
    }

    /// <summary>Rounds of these settings on a corpus of so many blocks.</summary>
    /// <exception cref="OverflowException">They are more than can be counted.</exception>
    public static int RoundsOf(TrainingSettings settings, long blocks)
    {
        var samples = SamplesPerRound(settings);
        return settings.Run.Rounds ?? checked((int)((settings.Run.Epochs!.Value * blocks + samples - 1) / samples));
    }

    // The first segment has the schedule that the run began with; of two extensions in one round the later one counts.
    private static IEnumerable<Segment> Segments(TrainingSettings settings, int rounds, IReadOnlyList<RunExtension> extensions)
    {
        var (from, scheduled) = (0, extensions is [var first, ..] ? first.OldRounds : rounds);
        foreach (var extension in extensions)
        {
            if (extension.FromRound > from)
                yield return Stretch(extension.FromRound);
            (from, scheduled) = (extension.FromRound, extension.Rounds);
        }

        yield return Stretch(rounds);

        Segment Stretch(int end) => new()
        {
            FromRound = from,
            Rounds = end - from,
            Replicas = settings.Run.Replicas,
            InnerSteps = settings.Run.InnerSteps,
            Sequences = settings.Batch.Sequences,
            MicroBatches = settings.Batch.MicroBatches,
            ScheduleSteps = (long)scheduled * settings.Run.InnerSteps,
        };
    }
}
