namespace Elastic.Coordination;

/// <summary>A stretch of a run under one set of settings. All positions count from the beginning of the run.</summary>
public sealed record Segment
{
    /// <summary>The first round of the stretch.</summary>
    public required int FromRound { get; init; }

    /// <summary>Rounds in it.</summary>
    public required int Rounds { get; init; }

    /// <summary>R.</summary>
    public required int Replicas { get; init; }

    /// <summary>H.</summary>
    public required int InnerSteps { get; init; }

    /// <summary>B: blocks per inner step and replica.</summary>
    public required int Sequences { get; init; }

    /// <summary>M: micro-batches in an inner step.</summary>
    public required int MicroBatches { get; init; }

    /// <summary>
    /// Blocks that the last step of a round lacks, so that it is smaller: some where the round ends a run of epochs, and is a segment of
    /// its own. Less than all replicas together read in a step.
    /// </summary>
    public long MissingSamples { get; init; }

    /// <summary>
    /// Inner steps that the learning-rate schedule spans in it. They are more than those of the segments so far where it was the end of the
    /// run that changed. 0 stands for all steps of the timeline.
    /// </summary>
    public long ScheduleSteps { get; init; }

    /// <summary>
    /// The settings that have other values than those that the run was started with; empty where none has. An order carries it, so that a
    /// node needs no news of the run before it takes the order.
    /// </summary>
    public string Changes { get; init; } = "";

    /// <summary>The mixtures that the run was changed to until here; empty where none was.</summary>
    public string Mixtures { get; init; } = "";

    /// <summary>Blocks that were consumed before it, by all replicas together.</summary>
    public long FirstSample { get; init; }

    /// <summary>Inner steps that each replica took before it.</summary>
    public long FirstStep { get; init; }

    /// <summary>The round after its last.</summary>
    public int EndRound => FromRound + Rounds;

    /// <summary>Blocks that all replicas together consume in a round.</summary>
    public long SamplesPerRound => (long)Replicas * InnerSteps * Sequences - MissingSamples;

    /// <summary>Steps of a replica in a round: all, or all but a last one in which it has no samples.</summary>
    public int StepsOf(int replica) => SamplesOf(replica, InnerSteps - 1) > 0 ? InnerSteps : InnerSteps - 1;

    /// <summary>Blocks that a replica reads in a step. Replicas come by their number, so that it is the last ones that lack some.</summary>
    public int SamplesOf(int replica, int step)
    {
        InRange(replica, Replicas);
        InRange(step, InnerSteps);
        return step < InnerSteps - 1
            ? Sequences
            : (int)Math.Clamp((long)(Replicas - replica) * Sequences - MissingSamples, 0, Sequences);
    }

    /// <summary>Blocks that a replica reads in a round.</summary>
    public long SamplesOf(int replica) => (long)(InnerSteps - 1) * Sequences + SamplesOf(replica, InnerSteps - 1);

    /// <summary>The place of a block in the run's order of samples: round by round, step by step, replica by replica.</summary>
    /// <param name="index">The block's place in the replica's step, from 0 on.</param>
    /// <exception cref="OverflowException">The run is longer than 2^63 samples.</exception>
    public long PositionOf(int round, int replica, int step, int index)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(round, FromRound);
        InRange(index, SamplesOf(replica, step));
        return checked(FirstSample + (((long)(round - FromRound) * InnerSteps + step) * Replicas + replica) * Sequences + index);
    }

    /// <summary>True where its rounds are as those of <paramref name="shape"/>, or take fewer steps or samples.</summary>
    public bool IsPartOf(Segment shape)
    {
        ArgumentNullException.ThrowIfNull(shape);
        return Replicas == shape.Replicas && Sequences == shape.Sequences && MicroBatches == shape.MicroBatches
            && InnerSteps >= 1 && InnerSteps <= shape.InnerSteps
            && MissingSamples >= 0 && MissingSamples < (long)Replicas * Sequences;
    }

    /// <summary>True where the round is one of its, and the replica one of the round's.</summary>
    public bool Holds(int round, int replica) => round >= FromRound && round < EndRound && replica >= 0 && replica < Replicas;

    /// <summary>
    /// The number of an inner step, from 0: what learning-rate schedules and bias corrections go by. It counts for all replicas, also for
    /// one that had no samples in an earlier step.
    /// </summary>
    public long StepNumberOf(int round, int step) => FirstStep + (long)(round - FromRound) * InnerSteps + step;

    private static void InRange(
        int value, int count, [System.Runtime.CompilerServices.CallerArgumentExpression(nameof(value))] string? name = null)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(value, name);
        ArgumentOutOfRangeException.ThrowIfGreaterThanOrEqual(value, count, name);
    }
}

/// <summary>The segments of a run, first to last. Run and audit both count samples and steps here.</summary>
public sealed record Timeline
{
    private readonly Segment[] _segments;

    /// <param name="segments">Without gaps, from round 0. The samples and steps before each are computed here.</param>
    /// <exception cref="OverflowException">The run is longer than 2^63 samples.</exception>
    /// <exception cref="ArgumentException">There is no segment, or they do not follow each other.</exception>
    public Timeline(params IEnumerable<Segment> segments)
    {
        var (list, round, sample, step) = (new List<Segment>(), 0, 0L, 0L);
        foreach (var segment in segments)
        {
            if (segment.FromRound != round || segment.Rounds < 1)
                throw new ArgumentException(
                    $"a segment of {segment.Rounds} rounds begins at round {segment.FromRound} where round {round} is due",
                    nameof(segments));
            if (segment.MissingSamples < 0 || segment.MissingSamples >= (long)segment.Replicas * segment.Sequences)
                throw new ArgumentException($"a round lacks {segment.MissingSamples} of the samples of its last step", nameof(segments));
            list.Add(segment with { FirstSample = sample, FirstStep = step });
            (round, sample, step) = checked(
                (segment.EndRound, sample + segment.Rounds * segment.SamplesPerRound, step + (long)segment.Rounds * segment.InnerSteps));
        }

        _segments = list.Count > 0
            ? [.. list.Select(s => s.ScheduleSteps > 0 ? s : s with { ScheduleSteps = step })]
            : throw new ArgumentException("a run has at least one segment", nameof(segments));
    }

    public IReadOnlyList<Segment> Segments => _segments;

    /// <summary>Rounds of the whole run.</summary>
    public int Rounds => _segments[^1].EndRound;

    /// <summary>Inner steps of a replica over the whole run.</summary>
    public long TotalSteps => StepsBefore(Rounds);

    /// <summary>Blocks that all replicas together consume in the whole run.</summary>
    public long TotalSamples => SamplesBefore(Rounds);

    /// <summary>The segment of a round; the last one for a round after the end.</summary>
    public Segment At(int round)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(round);
        return Array.FindLast(_segments, s => s.FromRound <= round)!;
    }

    /// <summary>Blocks consumed when <paramref name="round"/> begins.</summary>
    public long SamplesBefore(int round) => At(round) is var s ? s.FirstSample + (round - s.FromRound) * s.SamplesPerRound : 0;

    /// <summary>Inner steps that each replica has taken when <paramref name="round"/> begins.</summary>
    public long StepsBefore(int round) => At(round) is var s ? s.FirstStep + (long)(round - s.FromRound) * s.InnerSteps : 0;

    // Records compare arrays by reference.
    public bool Equals(Timeline? other) => other is not null && _segments.SequenceEqual(other._segments);

    public override int GetHashCode() => _segments.Aggregate(Rounds, (hash, s) => unchecked(hash * 31 + s.GetHashCode()));
}
