using Elastic.Messages.Runs;
using Elastic.Messages.Settings;

namespace Elastic.Coordination;

/// <summary>A run's settings from a round on.</summary>
public sealed record SettingsFrom(int Round, TrainingSettings Settings);

/// <summary>The settings of a run at each of its rounds: those that it was started with, and what was changed in mid-run.</summary>
public static class SettingsInForce
{
    /// <summary>The settings that it was started with.</summary>
    public static TrainingSettings AtStart(RunState run)
    {
        ArgumentNullException.ThrowIfNull(run);
        return SettingsText.Read(run.Settings!);
    }

    /// <summary>The settings of a round; of the length of the run what was last said about it.</summary>
    public static TrainingSettings At(RunState run, int round)
    {
        ArgumentNullException.ThrowIfNull(run);
        var settings = run.Changes.Where(c => c.FromRound <= round)
            .Aggregate(AtStart(run), (settings, change) => PartialSettings.Apply(settings, change.Settings));
        // A start that makes the run longer changes what AtStart returns; one that comes after a change counts for more than the change.
        return run.Changes.Any(SaysLength) && run.Extensions is [.., var last]
            ? settings with
            {
                Run = last.Samples is { } samples
                    ? settings.Run with { Rounds = null, Epochs = EpochsOf(run, samples) }
                    : settings.Run with { Rounds = last.Rounds, Epochs = null },
            }
            : settings;
    }

    /// <summary>The settings after all changes, those that are planned among them.</summary>
    public static TrainingSettings Newest(RunState run) => At(run, int.MaxValue);

    /// <summary>What it was started with, and what each change made of that, first to last, those that are planned among them.</summary>
    public static IReadOnlyList<SettingsFrom> History(RunState run)
    {
        ArgumentNullException.ThrowIfNull(run);
        return [new(0, AtStart(run)), .. run.Changes.Select(c => new SettingsFrom(c.FromRound, At(run, c.FromRound)))];
    }

    /// <summary>The shapes of the segments that the changes begin.</summary>
    internal static IReadOnlyList<SegmentShape> Shapes(RunState run)
    {
        var (settings, changes, shapes) = (AtStart(run), "", new List<SegmentShape>());
        foreach (var change in run.Changes)
        {
            settings = PartialSettings.Apply(settings, change.Settings);
            changes = PartialSettings.Merge(changes, change.Settings);
            shapes.Add(new SegmentShape(
                change.FromRound, RunPlan.ShapeOf(settings) with { Changes = changes },
                PartialSettings.Read(change.Settings).Any(v => v.Setting.Key == MixtureKey) ? settings.Corpus.Mixture : null));
        }

        return shapes;
    }

    /// <summary>What people see of the changes.</summary>
    internal static RunSegment[] Segments(RunState run, Timeline timeline)
    {
        var (settings, segments) = (AtStart(run), new List<RunSegment>());
        foreach (var change in run.Changes)
        {
            var before = settings;
            settings = PartialSettings.Apply(settings, change.Settings);
            // A score may have ended the run before it.
            var round = Math.Min(change.FromRound, timeline.Rounds);
            segments.Add(new RunSegment(
                change.FromRound, timeline.SamplesBefore(round), timeline.StepsBefore(round),
                [.. SettingsDifference.Between(before, settings)]));
        }

        return [.. segments];
    }

    // A start may know the blocks of the corpus before its builder says that it is complete. A change does not count in epochs before that,
    // so it was a start that did.
    private static int? EpochsOf(RunState run, long samples) =>
        run.Blocks > 0 ? checked((int)(samples / run.Blocks)) : AtStart(run).Run.Epochs;

    /// <summary>True where the change is one of the length of the run.</summary>
    internal static bool SaysLength(SettingsChange change) =>
        PartialSettings.Read(change.Settings).Any(v => v.Setting.Key is RoundsKey or EpochsKey);

    private const string MixtureKey = "corpus.mixture", RoundsKey = "run.rounds", EpochsKey = "run.epochs";
}
