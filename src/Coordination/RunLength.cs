using Elastic.Messages.Runs;
using Elastic.Messages.Settings;

namespace Elastic.Coordination;

/// <summary>The end of a run.</summary>
/// <param name="Rounds">With so many rounds.</param>
/// <param name="Samples">The last of them ends with this sample of the run, so that it may be shorter; null where all are whole.</param>
public readonly record struct RunEnd(int Rounds, long? Samples);

/// <summary>What the rounds of a run are like from one of them on.</summary>
/// <param name="Shape">R, H, B and M, and all settings that have changed.</param>
/// <param name="Mixture">The mixture that begins there; null where it stays as it was.</param>
public sealed record SegmentShape(int FromRound, Segment Shape, IReadOnlyList<string>? Mixture);

/// <summary>
/// The segments of a run whose rounds are alike, but for the last one of a run of epochs: that round takes the steps that the samples
/// left are enough for, the last of these takes what is left, and replicas come by their number, so that the last ones may have fewer
/// samples in it, or none. A run that is made longer after that round goes on with whole rounds, from the sample behind it. Where settings
/// change in mid-run the rounds are others from there on: a run of rounds still ends with the same round, a run of epochs with the same
/// sample.
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
    /// <param name="shape">R, H, B and M of its first rounds.</param>
    /// <param name="end">Where the run ended when it began; of no meaning where its length changed, which says it itself.</param>
    /// <param name="extensions">When the length of the run changed, oldest first. Of two in one round the later one counts.</param>
    /// <param name="changes">What changed in mid-run, oldest first; none where nothing did. Likewise.</param>
    public static IEnumerable<Segment> Segments(
        Segment shape, RunEnd end, IReadOnlyList<RunExtension> extensions, IReadOnlyList<SegmentShape>? changes = null)
    {
        ArgumentNullException.ThrowIfNull(shape);
        ArgumentNullException.ThrowIfNull(extensions);
        changes ??= [];
        var (segments, samples, steps) = (new List<Segment>(), 0L, 0L);
        if (extensions is [var first, ..])
            end = new RunEnd(first.OldRounds, first.OldSamples);
        foreach (var round in extensions.Select(e => e.FromRound).Concat(changes.Select(c => c.FromRound)).Distinct().Order())
        {
            AddUntil(round);
            if (extensions.LastOrDefault(e => e.FromRound == round) is { } extension)
                end = new RunEnd(extension.Rounds, extension.Samples);
            foreach (var change in changes.Where(c => c.FromRound == round))
                shape = change.Shape with
                {
                    Mixtures = change.Mixture is { } mixture
                        ? MixtureStarts.Add(shape.Mixtures, new MixtureStart(samples, [.. mixture])) : shape.Mixtures,
                };
        }

        AddUntil(int.MaxValue);
        return segments;

        // The segments from here to a round, of a run with this end and this shape: its schedule spans all steps to there, also where it
        // is cut short.
        void AddUntil(int round)
        {
            var from = segments is [.., var last] ? last.EndRound : 0;
            var (whole, rest) = end.Samples is { } all
                ? (checked((int)((all - samples) / shape.SamplesPerRound)), (all - samples) % shape.SamplesPerRound)
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
