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
        return WithLength(
            run, settings, run.Changes.Any(SaysLength) && run.Extensions is [.., var last] ? (last.Rounds, last.Samples) : null);
    }

    /// <summary>The settings after all changes, those that are planned among them.</summary>
    public static TrainingSettings Newest(RunState run) => At(run, int.MaxValue);

    /// <summary>
    /// What it was started with, and what each change and each start that made it longer made of that, first to last, those that are
    /// planned among them; with the length that it had then.
    /// </summary>
    public static IReadOnlyList<SettingsFrom> History(RunState run)
    {
        ArgumentNullException.ThrowIfNull(run);
        // The extension of a change comes with it.
        var starts = run.Extensions.Where(e => !run.Changes.Exists(c => c.FromRound == e.FromRound && SaysLength(c)));
        var steps = run.Changes.Select(c => (Round: c.FromRound, c.Settings)).Concat(starts.Select(e => (Round: e.FromRound, Settings: "")))
            .OrderBy(s => s.Round);
        var settings = AtStart(run);
        List<SettingsFrom> history =
            [new(0, WithLength(run, settings, run.Extensions is [var first, ..] ? (first.OldRounds, first.OldSamples) : null))];
        foreach (var (round, change) in steps)
        {
            settings = PartialSettings.Apply(settings, change);
            var extension = run.Extensions.FindLast(e => e.FromRound <= round) ?? run.Extensions.FirstOrDefault();
            history.Add(new(round, WithLength(run, settings, extension is null ? null
                : extension.FromRound <= round ? (extension.Rounds, extension.Samples) : (extension.OldRounds, extension.OldSamples))));
        }
        return history;
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
        var history = History(run);
        return [.. history.Zip(history.Skip(1), (before, now) =>
        {
            // A score may have ended the run before it.
            var round = Math.Min(now.Round, timeline.Rounds);
            return new RunSegment(
                now.Round, timeline.SamplesBefore(round), timeline.StepsBefore(round),
                [.. SettingsDifference.Between(before.Settings, now.Settings)]);
        })];
    }

    // The sample that it ends with where it counts in epochs; null where nobody has said another length than the settings have.
    private static TrainingSettings WithLength(RunState run, TrainingSettings settings, (int Rounds, long? Samples)? length) =>
        length switch
        {
            (_, { } samples) => settings with { Run = settings.Run with { Rounds = null, Epochs = EpochsOf(run, samples) } },
            (var rounds, null) => settings with { Run = settings.Run with { Rounds = rounds, Epochs = null } },
            null => settings,
        };

    // A start may know the blocks of the corpus before its builder says that it is complete. A change does not count in epochs before that,
    // so it was a start that did.
    private static int? EpochsOf(RunState run, long samples) =>
        run.Blocks > 0 ? checked((int)(samples / run.Blocks)) : AtStart(run).Run.Epochs;

    /// <summary>True where the change is one of the length of the run.</summary>
    internal static bool SaysLength(SettingsChange change) =>
        PartialSettings.Read(change.Settings).Any(v => v.Setting.Key is RoundsKey or EpochsKey);

    private const string MixtureKey = "corpus.mixture", RoundsKey = "run.rounds", EpochsKey = "run.epochs";
}
