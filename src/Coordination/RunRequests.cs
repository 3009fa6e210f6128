using System.Collections.Immutable;
using System.Diagnostics;
using Elastic.Foundation;
using Elastic.Messages.Runs;
using Elastic.Messages.Settings;
using static Elastic.Messages.Runs.RunEvent;
using static Elastic.Messages.Runs.RunRequest;

namespace Elastic.Coordination;

/// <summary>Decides what people ask of a run. A repeated request changes nothing.</summary>
public static class RunRequests
{
    // A request is repeated within minutes; people make a few in an hour.
    private const int MostRemembered = 64;

    public static Decision Decide(RunState run, RunPlan? plan, RunRequest request) => request switch
    {
        _ when run.Requests.Contains(request.Origin.Id) => Decision.AlreadyDone,
        Start c when Unusable(c) is { } why => Decision.Refuse($"run {c.Run} cannot be started: {why}"),
        Start c when !run.Exists && Pointless(c) is { } why => Decision.Refuse($"run {c.Run} cannot be started: {why}"),
        Start c when !run.Exists => WithChanges(run, c, [Started(run, c), .. Published(run, c)]),
        Start c => Reopen(run, c),
        _ when !run.Exists || plan is null => Decision.Refuse($"there is no run {request.Run}: start it first"),
        Delete => Decision.AlreadyDone,                                // its coordinator sees to it
        Grow c => CorpusWindows.Decide(run, plan!, c),
        Stop when run.IsFinished || run is { IsPaused: true, IsBreak: false } => Decision.AlreadyDone,
        Stop c => Decision.Store(new RunPaused(run.Id, c.Origin)),
        RunRequest.Checkpoint when run.IsFinished => Decision.AlreadyDone,        // its last version is durable
        RunRequest.Checkpoint c => Decision.Store(new CheckpointRequested(run.Id, Math.Max(1, run.Round), c.Origin)),
        Pause or Resume when run.IsFinished => Decision.Refuse(
            $"run {request.Run} is finished; more rounds begin with pbm run start -n {request.Run} -s run.rounds=NUMBER"),
        Pause or Resume when run is { IsPaused: true, IsBreak: false } => Decision.Refuse(
            $"run {request.Run} is stopped: pbm run start -n {request.Run} goes on with it"),
        Pause when run.IsPaused => Decision.AlreadyDone,
        Pause c => Decision.Store(new RunPaused(run.Id, c.Origin, IsBreak: true)),
        Resume when !run.IsPaused => Decision.AlreadyDone,
        Resume c => Decision.Store(new RunResumed(run.Id, c.Origin)),
        Set c => SegmentRequests.Decide(run, plan, c),
        _ => throw new UnreachableException($"undecided: {request}"),
    };

    /// <summary>
    /// True where a start that is refused begins anew: nothing is lost with a run that has committed no round, so a failed start does not
    /// use its name up.
    /// </summary>
    public static bool BeginsAnew(RunState run, Start start, Decision decision)
    {
        ArgumentNullException.ThrowIfNull(run);
        ArgumentNullException.ThrowIfNull(decision);
        return decision.Refusal is not null && run is { Exists: true, Round: 0 }
            && Decide(RunState.Empty(run.Id), null, start).Refusal is null;
    }

    /// <summary>The list of remembered requests with one more.</summary>
    public static ImmutableList<string> Remember(ImmutableList<string> requests, Origin by) =>
        requests.Contains(by.Id)
            ? requests
            : requests.Add(by.Id) is { Count: > MostRemembered } all ? all.RemoveAt(0) : requests.Add(by.Id);

    // Every later recovery folds what is stored: settings that cannot be read must not get into the journal.
    private static string? Unusable(Start c)
    {
        try
        {
            var settings = SettingsText.Read(c.Settings);
            if (settings.Problems().FirstOrDefault() is { } problem)
                return problem;
            if (c.Elements is < 1 or > ModelSettings.MostParameters)
                return $"its model has {c.Elements} parameters";
            if (c.Blocks < 1 && (settings.Corpus.Order != CorpusOrder.Stream || settings.Run.Epochs is not null))
                return "its corpus has no training block: add text, or set corpus.sample-tokens lower";
            var plan = RunPlan.Of(settings, c.Elements, c.Blocks, c.HeldOutBlocks);
            _ = plan.TokensBefore(plan.Rounds);
            return null;
        }
        catch (ElasticException e)
        {
            return e.Message;
        }
        catch (OverflowException)
        {
            return "it has more rounds or tokens than can be counted: use fewer run.epochs, or more run.inner-steps";
        }
    }

    // How much text is held out is known of a corpus that is built.
    private static string? Pointless(Start c)
    {
        var settings = SettingsText.Read(c.Settings);
        return settings.ProblemsOfNewRun().FirstOrDefault()
            ?? (settings.Evaluation.MayEndRuns && c is { Blocks: > 0, HeldOutBlocks: 0 }
                ? $"{settings.Evaluation.End} ends a run by its scores of held-out text, which is shorter than one block here: add text, "
                    + "hold out more of it (corpus.held-out, corpus.validation), or leave it out" : null);
    }

    private static RunStarted Started(RunState run, Start c) => new(
        run.Id, c.Run, c.Settings, c.Elements, c.Corpus, c.Blocks, c.HeldOutBlocks, c.Arithmetic, c.Origin,
        RunPlan.SamplesOf(SettingsText.Read(c.Settings), c.Blocks));

    // What the start changes in mid-run is stored with it, so that no round begins before.
    private static Decision WithChanges(RunState run, Start c, IReadOnlyList<RunEvent> events)
    {
        var (_, changes, refusal) = c.Changes.Length == 0
            ? (run, [], null) : SegmentRequests.PlanAll(events.Aggregate(run, Run.Apply), c);
        return refusal is null ? Decision.Store([.. events, .. changes]) : Decision.Refuse($"run {c.Run} cannot be started: {refusal}");
    }

    private static Decision Reopen(RunState run, Start c)
    {
        var (old, asked) = (SettingsText.Read(run.Settings!), SettingsText.Read(c.Settings));
        var (timeline, extension) = (RunPlan.Of(run).Timeline, Extend(run, old, asked, c.Blocks));
        var (before, after) = (timeline.TotalSamples, extension is null ? timeline.TotalSamples : SamplesAfter(run, extension));
        // The length may grow; it is compared below.
        var sameLength = asked with { Run = asked.Run with { Rounds = old.Run.Rounds, Epochs = old.Run.Epochs } };
        var differences = SettingsDifference.Between(old, sameLength);
        if (differences.Count > 0 || after < before)
            differences = SettingsDifference.Between(old, asked);
        differences = [.. differences, .. EarlyStopping.Differences(old.Evaluation, asked.Evaluation)];
        if (c.Corpus != run.Corpus && differences.Count == 0)
            return Decision.Refuse($"run {c.Run} was started on another corpus ({run.Corpus!.Value.Short}, now {c.Corpus.Short}): " +
                                   "put the corpus back, or start a new run under another name");
        if (c.Corpus != run.Corpus)
            differences = [$"corpus: {run.Corpus!.Value.Short} -> {c.Corpus.Short}", .. differences];
        if (differences.Count > 0)
            return Decision.Refuse(
                $"run {c.Run} was started with other settings ({string.Join("; ", MidRunChanges.Beside(differences, run, old))}): " +
                (after < before ? $"it has {timeline.Rounds} rounds and can get more, not fewer; " : "") +
                "put them back, or leave them out, to go on with it; " +
                (c.Corpus == run.Corpus && MidRunChanges.Remedy(run, sameLength) is { } remedy ? $"{remedy}; " : "") +
                "or start a new run under another name");
        if (c.Elements != run.Elements)
            return Decision.Refuse($"run {c.Run} was begun by a version of Elastic that averages {run.Elements} parameters of this model, "
                + $"and this one averages {c.Elements}: go on with that version, or start a new run under another name");
        // A process with devices sends its arithmetic. Where it sends none, each node's is compared when the node enlists.
        if (c.Arithmetic.Length > 0 && run.Arithmetic.Length > 0 && c.Arithmetic != run.Arithmetic)
            return Decision.Refuse($"run {c.Run} began with {Run.OtherArithmetic(run.Arithmetic, c.Arithmetic)}: " +
                                   "go on where the arithmetic is the same, " +
                                   "or start a new run under another name from its checkpoint (model.init)");
        List<RunEvent> events = [.. Published(run, c)];
        if (after > before && run.Changes.FirstOrDefault(change => change.FromRound > extension!.FromRound) is { } planned)
            return Decision.Refuse($"run {c.Run} has a change planned from round {planned.FromRound} on: make it longer with that round or "
                + $"a later one, pbm run set -n {c.Run} -k run.rounds -v NUMBER --round {planned.FromRound}");
        // Another way to say the same length changes nothing: the plan goes by what was said first.
        var settings = after > before ? c.Settings : SettingsText.Write(sameLength);
        if (settings != run.Settings)
            events.Add(new SettingsChanged(run.Id, settings, c.Origin, after > before ? extension : null));
        if (run.IsPaused)
            events.Add(new RunResumed(run.Id, c.Origin));
        return WithChanges(run, c, events);
    }

    // What the run would be from the first round on that has not begun; null where nobody asks for another length. A round that has begun
    // keeps its learning rate and its samples, on whichever node it is computed and however often.
    private static RunExtension? Extend(RunState run, TrainingSettings old, TrainingSettings asked, long blocks)
    {
        if ((old.Run.Rounds, old.Run.Epochs) == (asked.Run.Rounds, asked.Run.Epochs))
            return null;
        var (end, timeline) = (RunPlan.EndOf(run), RunPlan.Of(run).Timeline);
        var from = Math.Min(run.FarthestRound + 1, end.Rounds);
        var samples = RunPlan.SamplesOf(asked, blocks);
        var rounds = samples is { } all
            ? from + RunLength.RoundsFor(
                RunPlan.ShapeOf(SettingsInForce.At(run, from)), timeline.SamplesBefore(from), Math.Max(all, timeline.SamplesBefore(from)))
            : asked.Run.Rounds!.Value;
        return new RunExtension(from, end.Rounds, rounds, end.Samples, samples);
    }

    private static long SamplesAfter(RunState run, RunExtension extension) => extension.Samples
        ?? (extension.Rounds < extension.FromRound
            ? 0 : RunPlan.Of(run with { Extensions = run.Extensions.Add(extension) }).Timeline.TotalSamples);

    /// <summary>What a longer run does to the learning rate, and so to the answer.</summary>
    /// <param name="timeline">Timeline of the run before or after the extension.</param>
    public static string Describe(RunExtension extension, TrainingSettings settings, Timeline timeline)
    {
        ArgumentNullException.ThrowIfNull(extension);
        ArgumentNullException.ThrowIfNull(settings);
        ArgumentNullException.ThrowIfNull(timeline);
        var (optimizer, steps) = (settings.Optimizer, (long)settings.Run.InnerSteps);
        var (perStep, wholeRound) = ((long)settings.Run.Replicas * settings.Batch.Sequences, RunPlan.SamplesPerRound(settings));
        var schedule = SettingKind.Word(optimizer.Schedule);
        // The steps before it have the learning rate of a run that had the new length from the start.
        var sameUntil = Math.Min(
            optimizer.FirstStepOfLength(Steps(extension.OldRounds, extension.OldSamples)),
            optimizer.FirstStepOfLength(Steps(extension.Rounds, extension.Samples)));
        return $"the run has {extension.Rounds} rounds from now on, where it had {extension.OldRounds}; " + (
            timeline.Segments.FirstOrDefault(s => s.EndRound <= extension.FromRound && s.SamplesPerRound < wholeRound) is { } shorter
                ? $"round {shorter.FromRound}, which was to be its last, has fewer steps or samples than the others and keeps them, so it "
                  + "ends in other weights than a run that was started with all of them"
            : optimizer.Schedule == LearningRateSchedule.Constant
                ? "its learning rate is constant, so it ends in the weights of a run that was started with all of them"
                : extension.FromRound * steps <= sameUntil
                    ? $"its {schedule} schedule is the same up to there, so it ends in the weights of a run that was started with all of " +
                      "them"
                    : $"from round {extension.FromRound} on its {schedule} schedule goes down over {extension.Rounds} rounds, so the " +
                      "learning rate rises there, and it ends in other weights than a run that was started with all of them");

        long Steps(int rounds, long? samples) => samples is { } all ? (all + perStep - 1) / perStep : rounds * steps;
    }

    // A build that was begun anew has finished less than the run has read already: its windows say what there is.
    private static IEnumerable<RunEvent> Published(RunState run, Start c) =>
        c.Manifest is { } manifest && manifest != run.Manifest && !(c.Blocks == 0 && run.Windows.Count > 0)
            ? [new CorpusPublished(run.Id, manifest)] : [];
}
