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

    /// <summary>What was changed in mid-run, for people.</summary>
    public RunSegment[] Changes { get; init; } = [];

    /// <summary>T: tokens per block that are predicted.</summary>
    public required int Context { get; init; }

    /// <summary>Elements of the flat vector of trained parameters.</summary>
    public required long Elements { get; init; }

    /// <summary>Rounds between two evaluations; 0 where there is no held-out text.</summary>
    public required int EvaluateEvery { get; init; }

    public required int CheckpointEvery { get; init; }

    public required int CheckpointsKept { get; init; }

    /// <summary>The corpus is read one window after the other, and a round waits for the windows that it reads.</summary>
    public bool Streams { get; init; }

    /// <summary>Share of the replicas' rounds, and of the sums, that are computed twice.</summary>
    public double AuditRate { get; init; }

    /// <summary>Nodes that compute one replica together, a stage each.</summary>
    public int Stages { get; init; } = 1;

    /// <summary>The run of the highest gets a node's devices first.</summary>
    public int Priority { get; init; }

    /// <summary>Labels that a node must have to compute for the run.</summary>
    public IReadOnlyList<string> Needs { get; init; } = [];

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

    /// <summary>Tokens that a replica trains on in a round.</summary>
    public long TokensOf(int round, int replica) => At(round).SamplesOf(replica) * Context;

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
        var settings = SettingsInForce.AtStart(run);
        var plan = Of(
            settings, run.Elements, run.HeldOutBlocks, new RunEnd(RoundsOf(settings, run.Blocks), run.Samples), run.Extensions,
            SettingsInForce.Shapes(run));
        return plan with { EndsAt = run.EndsAt, Changes = SettingsInForce.Segments(run, plan.Timeline) };
    }

    /// <summary>The plan of a run that begins. <c>run.epochs</c> ends with the last sample of the last epoch.</summary>
    /// <param name="elements">Elements of the flat vector of trained parameters.</param>
    /// <exception cref="OverflowException">It has more rounds or samples than can be counted.</exception>
    public static RunPlan Of(TrainingSettings settings, long elements, long blocks, long heldOutBlocks) =>
        Of(settings, elements, heldOutBlocks, new RunEnd(RoundsOf(settings, blocks), SamplesOf(settings, blocks)), [], []);

    /// <summary>Blocks that all replicas together read in a whole round of these settings.</summary>
    public static long SamplesPerRound(TrainingSettings settings) => ShapeOf(settings).SamplesPerRound;

    /// <summary>Rounds of these settings on a corpus of so many blocks.</summary>
    /// <exception cref="OverflowException">They are more than can be counted.</exception>
    public static int RoundsOf(TrainingSettings settings, long blocks) =>
        SamplesOf(settings, blocks) is { } samples ? RunLength.RoundsFor(ShapeOf(settings), 0, samples) : settings.Run.Rounds!.Value;

    /// <summary>Samples of as many epochs as these settings say; null where they say how many rounds.</summary>
    /// <exception cref="OverflowException">They are more than can be counted.</exception>
    public static long? SamplesOf(TrainingSettings settings, long blocks)
    {
        ArgumentNullException.ThrowIfNull(settings);
        return settings.Run.Epochs is { } epochs ? checked(epochs * blocks) : null;
    }

    /// <summary>R, H, B and M.</summary>
    public static Segment ShapeOf(TrainingSettings settings)
    {
        ArgumentNullException.ThrowIfNull(settings);
        return new Segment
        {
            FromRound = 0,
            Rounds = 1,
            Replicas = settings.Run.Replicas,
            InnerSteps = settings.Run.InnerSteps,
            Sequences = settings.Batch.Sequences,
            MicroBatches = settings.Batch.MicroBatches,
        };
    }

    /// <summary>The end of a run that is in the journal, as long as no score ends it.</summary>
    public static RunEnd EndOf(RunState run)
    {
        ArgumentNullException.ThrowIfNull(run);
        return new RunEnd(Of(run).Timeline.Rounds, run.Extensions is [.., var last] ? last.Samples : run.Samples);
    }

    private static RunPlan Of(
        TrainingSettings settings, long elements, long heldOutBlocks, RunEnd end, IReadOnlyList<RunExtension> extensions,
        IReadOnlyList<SegmentShape> changes) => new()
        {
            Timeline = new Timeline(RunLength.Segments(ShapeOf(settings), end, extensions, changes)),
            Context = settings.SampleTokens,
            Elements = elements,
            EvaluateEvery = heldOutBlocks > 0 ? settings.Evaluation.EveryRounds : 0,
            CheckpointEvery = settings.Checkpoint.EveryRounds,
            CheckpointsKept = settings.Checkpoint.Keep,
            Streams = settings.Corpus.Order == CorpusOrder.Stream,
            AuditRate = settings.Run.AuditRate,
            Stages = settings.Run.Stages,
            Priority = settings.Run.Priority,
            Needs = Labels.Of(settings.Run.Needs),
            Patience = settings.Evaluation.Patience,
            TargetLoss = settings.Evaluation.TargetLoss,
        };
}
