using Elastic.Messages.Runs;
using Elastic.Messages.Settings;

namespace Elastic.Coordination;

/// <summary>A run's settings from a round on.</summary>
public sealed record SettingsFrom(int Round, TrainingSettings Settings)
{
    /// <summary>The change that made them so; null for a start.</summary>
    internal SettingsChange? Change { get; init; }
}

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
        var settings = AtStart(run);
        (int, long?)? length = run.Extensions is [var first, ..] ? (first.OldRounds, first.OldSamples) : null;
        List<SettingsFrom> history = [new(0, WithLength(run, settings, length))];
        foreach (var (round, change, extension) in Steps(run))
        {
            if (change is not null)
                settings = PartialSettings.Apply(settings, change.Settings);
            if (extension is not null)
                length = (extension.Rounds, extension.Samples);
            history.Add(new(round, WithLength(run, settings, length)) { Change = change });
        }
        return history;
    }

    // Each change with its own extension, and each extension that is a start's. Changes and extensions are stored apart, each in the order
    // of their rounds; of one round, a start's is taken to come before the next change.
    private static IEnumerable<(int Round, SettingsChange? Change, RunExtension? Extension)> Steps(RunState run)
    {
        var (settings, searched) = (AtStart(run), 0);
        var owned = new int[run.Changes.Count];
        for (var i = 0; i < owned.Length; i++)
        {
            var change = run.Changes[i];
            settings = PartialSettings.Apply(settings, change.Settings);
            owned[i] = SaysLength(change)
                ? run.Extensions.FindIndex(searched, e => e.FromRound == change.FromRound && IsOf(run, settings, e)) : -1;
            searched = Math.Max(searched, owned[i] + 1);
        }
        var next = 0;
        for (var i = 0; i < owned.Length; i++)
        {
            var change = run.Changes[i];
            for (; IsStart(next, change.FromRound); next++)
                yield return Start(next);
            yield return (change.FromRound, change, owned[i] < 0 ? null : run.Extensions[owned[i]]);
            next = Math.Max(next, owned[i] + 1);
        }
        for (; IsStart(next, int.MaxValue); next++)
            yield return Start(next);

        bool IsStart(int at, int round) =>
            at < run.Extensions.Count && run.Extensions[at].FromRound <= round && !owned.Contains(at);
        (int, SettingsChange?, RunExtension?) Start(int at) => (run.Extensions[at].FromRound, null, run.Extensions[at]);
    }

    private static bool IsOf(RunState run, TrainingSettings settings, RunExtension extension) =>
        RunPlan.SamplesOf(settings, run.Blocks) is { } samples
            ? extension.Samples == samples : extension.Samples is null && extension.Rounds == settings.Run.Rounds;

    /// <summary>What a change made other than it was before.</summary>
    /// <param name="change">One of the run's.</param>
    internal static IReadOnlyList<string> Differences(RunState run, SettingsChange change)
    {
        var history = History(run);
        var at = Enumerable.Range(1, history.Count - 1).First(i => ReferenceEquals(history[i].Change, change));
        return SettingsDifference.Between(history[at - 1].Settings, history[at].Settings);
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
        var segments = history.Zip(history.Skip(1), (before, now) =>
        {
            // A score may have ended the run before it.
            var round = Math.Min(now.Round, timeline.Rounds);
            return new RunSegment(
                now.Round, timeline.SamplesBefore(round), timeline.StepsBefore(round),
                [.. SettingsDifference.Between(before.Settings, now.Settings)]);
        });
        return [.. segments.Where(s => s.Changes.Length > 0)];
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
