using Elastic.Messages.Runs;

namespace Elastic.Coordination;

/// <summary>Where a run ends.</summary>
/// <param name="Rounds">With so many rounds.</param>
/// <param name="Samples">The last of them ends with this sample of the run, so that it may be shorter; null where all are whole.</param>
public readonly record struct RunEnd(int Rounds, long? Samples);

/// <summary>
/// The segments of a run whose rounds are alike, but for the last one of a run of epochs: that round takes the steps that the samples
/// left are enough for, the last of these takes what is left, and replicas come by their number, so that the last ones may have fewer
/// samples in it, or none. A run that is made longer after that round goes on with whole rounds, from the sample behind it.
/// </summary>
public static class RunLength
{
    /// <summary>Rounds that take the samples from <paramref name="first"/> to before <paramref name="end"/>.</summary>
    /// <exception cref="OverflowException">They are more than can be counted.</exception>
    public static int RoundsFor(Segment shape, long first, long end)
    {
        ArgumentNullException.ThrowIfNull(shape);
        return checked((int)((end - first + shape.SamplesPerRound - 1) / shape.SamplesPerRound));
    }

    /// <summary>The segments of a run.</summary>
    /// <param name="shape">R, H, B and M of all rounds.</param>
    /// <param name="end">Where the run ended when it began; of no meaning where it was made longer, which says it itself.</param>
    /// <param name="extensions">When the run was made longer, oldest first. Of two in one round the later one counts.</param>
    public static IEnumerable<Segment> Segments(Segment shape, RunEnd end, IReadOnlyList<RunExtension> extensions)
    {
        ArgumentNullException.ThrowIfNull(shape);
        ArgumentNullException.ThrowIfNull(extensions);
        var (segments, samples, steps) = (new List<Segment>(), 0L, 0L);
        if (extensions is [var first, ..])
            end = new RunEnd(first.OldRounds, first.OldSamples);
        foreach (var extension in extensions)
        {
            AddUntil(extension.FromRound);
            end = new RunEnd(extension.Rounds, extension.Samples);
        }

        AddUntil(end.Rounds);
        return segments;

        // The segments from here to a round, of a run with this end: its schedule spans all steps to there, also where it is cut short.
        void AddUntil(int round)
        {
            var from = segments is [.., var last] ? last.EndRound : 0;
            var (whole, rest) = end.Samples is { } all
                ? ((int)((all - samples) / shape.SamplesPerRound), (all - samples) % shape.SamplesPerRound)
                : (end.Rounds - from, 0);
            var perStep = (long)shape.Replicas * shape.Sequences;
            var lastSteps = (int)((rest + perStep - 1) / perStep);
            var scheduled = steps + (long)whole * shape.InnerSteps + lastSteps;
            Add(shape with { FromRound = from, Rounds = Math.Min(whole, round - from), ScheduleSteps = scheduled });
            if (rest > 0 && from + whole < round)
                Add(shape with
                {
                    FromRound = from + whole,
                    Rounds = 1,
                    InnerSteps = lastSteps,
                    MissingSamples = lastSteps * perStep - rest,
                    ScheduleSteps = scheduled,
                });
        }

        void Add(Segment segment)
        {
            if (segment.Rounds < 1)
                return;
            segments.Add(segment);
            samples = checked(samples + segment.Rounds * segment.SamplesPerRound);
            steps = checked(steps + (long)segment.Rounds * segment.InnerSteps);
        }
    }
}
