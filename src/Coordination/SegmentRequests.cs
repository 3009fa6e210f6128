using System.Globalization;
using Elastic.Foundation;
using Elastic.Messages.Runs;
using Elastic.Messages.Settings;
using static Elastic.Messages.Runs.RunEvent;

namespace Elastic.Coordination;

/// <summary>Decides whether settings of a run may change in mid-run, from which round on, and says what that does.</summary>
public static class SegmentRequests
{
    /// <summary>Each is an event that every recovery folds, and a segment that every plan has.</summary>
    public const int MostChanges = 1000;

    private const string AnotherRun = "that would be another run: start a new one from this one's checkpoint (model.init)";

    public static Decision Decide(RunState run, RunPlan plan, RunRequest.Set c)
    {
        ArgumentNullException.ThrowIfNull(run);
        ArgumentNullException.ThrowIfNull(plan);
        ArgumentNullException.ThrowIfNull(c);
        var (planned, refusal) = Plan(run, plan, c.Settings, c.FromRound, c.Origin);
        return refusal is { } why ? Decision.Refuse($"run {c.Run} keeps its settings: {why}")
            : planned is null || c.OnlyTells ? Decision.AlreadyDone
            : Decision.Store(planned);
    }

    /// <summary>Plans the changes of a start, one after the other; those that the run has are passed over.</summary>
    /// <param name="run">With the events of the start.</param>
    /// <returns>The run with them, and their events; or why one of them is refused.</returns>
    internal static (RunState Run, List<RunEvent> Events, string? Refusal) PlanAll(RunState run, RunRequest.Start start)
    {
        var events = new List<RunEvent>();
        var known = run.Changes.ToHashSet();
        foreach (var change in start.Changes)
        {
            var (text, problem) = Canonical(change.Settings);
            if (problem is null && known.Remove(change with { Settings = text }))
                continue;
            var (planned, refusal) = problem is null
                ? Plan(run, RunPlan.Of(run), text, change.FromRound, start.Origin) : (null, problem);
            if (refusal is not null)
                return (run, events, $"the change from round {change.FromRound} on: {refusal}");
            if (planned is null)
                continue;
            events.Add(planned);
            run = Run.Apply(run, planned);
        }

        return (run, events, null);
    }

    /// <summary>What a change does, a line each.</summary>
    /// <param name="run">Before it.</param>
    public static IReadOnlyList<string> Describe(RunState run, SegmentPlanned planned)
    {
        ArgumentNullException.ThrowIfNull(planned);
        var (before, after) = (RunPlan.Of(run), RunPlan.Of(Run.Apply(run, planned)));
        var from = planned.Change.FromRound;
        var (old, @new) = (SettingsInForce.At(run, from), SettingsInForce.At(Run.Apply(run, planned), from));
        var (sample, step) = (after.Timeline.SamplesBefore(from), after.Timeline.StepsBefore(from));
        List<string> lines =
        [
            string.Create(CultureInfo.InvariantCulture, $"from round {from} on (sample {sample:N0}, step {step:N0} of each replica):"),
            .. SettingsDifference.Between(old, @new).Select(line => $"  {line}"),
        ];
        if (before.At(from).ScheduleSteps is var was && after.At(from).ScheduleSteps is var schedule && schedule != was
            && @new.Optimizer.FirstStepOfLength(schedule) != long.MaxValue)
            lines.Add(string.Create(CultureInfo.InvariantCulture,
                $"the schedule of the learning rate spans {schedule:N0} steps from there on, where it spanned {was:N0}"));
        if (@new.Run.Replicas > old.Run.Replicas)
            lines.Add($"replicas {old.Run.Replicas} to {@new.Run.Replicas - 1} begin with moments of zero");
        lines.Add(string.Create(CultureInfo.InvariantCulture,
            $"the run ends with round {after.Timeline.Rounds - 1}, after {after.Timeline.TotalSteps:N0} steps and ")
            + Length(after) + (Same(before, after) ? ", as before" : string.Create(CultureInfo.InvariantCulture,
                $"; it was to end with round {before.Timeline.Rounds - 1}, after {before.Timeline.TotalSteps:N0} steps and ")
                + Length(before)));
        return lines;
    }

    /// <summary>The event that the request would store; null where it changes nothing. Or why it is refused.</summary>
    public static (SegmentPlanned? Planned, string? Refusal) Plan(
        RunState run, RunPlan plan, string settings, int? fromRound, Origin by)
    {
        ArgumentNullException.ThrowIfNull(run);
        ArgumentNullException.ThrowIfNull(plan);
        var (text, problem) = Canonical(settings);
        if (problem is not null)
            return (null, problem);
        if (PartialSettings.Read(text).Select(v => WhyNot(v.Setting)).OfType<string>().FirstOrDefault() is { } fixedKey)
            return (null, fixedKey);
        // A round that has begun keeps its settings, on whichever node it is computed and however often.
        var end = RunPlan.EndOf(run);
        var next = Math.Min(run.FarthestRound + 1, end.Rounds);
        var from = fromRound ?? next;
        if (from < next)
            return (null, $"round {from} has begun, or is over: a change begins with round {next} or a later one");
        if (run.Changes is [.., var last] && last.FromRound > from)
            return (null, $"a change is planned from round {last.FromRound} on: let this one begin with that round or a later one, with "
                + $"--round {last.FromRound}");
        if (run.Changes.Count >= MostChanges)
            return (null, $"they have changed {MostChanges} times, which is the most: {AnotherRun}");
        var old = SettingsInForce.At(run, from);
        var @new = PartialSettings.Apply(old, text);
        if (@new.Problems().FirstOrDefault() is { } wrong)
            return (null, wrong);
        if (@new.Corpus.Order == CorpusOrder.Stream && !@new.Corpus.Mixture.SequenceEqual(old.Corpus.Mixture))
            return (null, "corpus.mixture decides how many samples each window of a corpus has that is read while it is built "
                + $"(corpus.order = stream), and these are in the journal; {AnotherRun}");
        // Only what is another value is stored, so that a repeated change stores nothing.
        text = PartialSettings.Between(old, @new);
        if (text.Length == 0)
            return (null, null);
        var (extension, tooShort) = Extension(run, plan, @new, old, from, end);
        if (tooShort is not null)
            return (null, tooShort);
        if (from >= Math.Min(end.Rounds, plan.Rounds) && extension is null)
            return (null, $"the run ends with round {Math.Min(end.Rounds, plan.Rounds) - 1}, and the change would begin with round {from}: "
                + "make the run longer in the same command, with -k run.rounds -v NUMBER");
        var planned = new SegmentPlanned(run.Id, new SettingsChange(from, text), by, extension);
        return Uncountable(run, planned) is { } why ? (null, why) : (planned, null);
    }

    private static (RunExtension? Extension, string? Refusal) Extension(
        RunState run, RunPlan plan, TrainingSettings @new, TrainingSettings old, int from, RunEnd end)
    {
        if ((@new.Run.Rounds, @new.Run.Epochs) == (old.Run.Rounds, old.Run.Epochs))
            return (null, null);
        if (from > end.Rounds)
            return (null, $"the run ends with round {end.Rounds - 1}: let the change begin with round {end.Rounds} at the latest");
        if (@new.Run.Epochs is not null && run.Blocks == 0)
            return (null, "run.epochs: the corpus is still being built, and nobody knows yet how many samples an epoch has: use "
                + "run.rounds, or ask again when the corpus is complete");
        var before = plan.Timeline.SamplesBefore(from);
        try
        {
            if (RunPlan.SamplesOf(@new, run.Blocks) is not { } samples)
                return @new.Run.Rounds >= from
                    ? (new RunExtension(from, end.Rounds, @new.Run.Rounds!.Value, end.Samples), null)
                    : (null, $"run.rounds = {@new.Run.Rounds}: {from} rounds are over or have begun; use {from} or more");
            return samples >= before
                ? (new RunExtension(
                    from, end.Rounds, from + RunLength.RoundsFor(RunPlan.ShapeOf(@new), before, samples), end.Samples, samples), null)
                : (null, $"run.epochs = {@new.Run.Epochs}: the rounds that are over or have begun read more; use at least "
                    + $"{(before + run.Blocks - 1) / run.Blocks}");
        }
        catch (OverflowException)
        {
            return (null, "the run would have more rounds or tokens than can be counted: use fewer run.epochs");
        }
    }

    private static string? Uncountable(RunState run, SegmentPlanned planned)
    {
        try
        {
            var plan = RunPlan.Of(Run.Apply(run, planned));
            _ = plan.TokensBefore(plan.Timeline.Rounds);
            return null;
        }
        catch (OverflowException)
        {
            return "the run would have more rounds or tokens than can be counted: use fewer of them";
        }
        catch (ElasticException e)
        {
            return e.Message;
        }
    }

    // As this version writes it, whoever wrote it.
    private static (string Text, string? Problem) Canonical(string text)
    {
        try
        {
            return (PartialSettings.Merge("", text), null);
        }
        catch (ElasticException e)
        {
            return ("", e.Message);
        }
    }

    // Why a key cannot change; null where it can.
    private static string? WhyNot(Setting setting) => setting switch
    {
        _ when setting.Has<MayChangeAttribute>() => null,
        { Key: "run.priority" } => "run.priority changes no weight, and so begins no segment: use pbm run priority",
        { Key: "run.devices-per-replica" } => "run.devices-per-replica changes no weight, and so begins no segment: use pbm run scale",
        { PartOfAnswer: false } => $"{setting.Key} changes no weight, and so begins no segment: give it with the start, "
            + $"pbm run start -n NAME -s {setting.Key}=VALUE",
        { Block: "model" } => $"{setting.Key} is part of the model, whose weights would not fit any more; {AnotherRun}",
        { Block: "corpus" } => $"{setting.Key} decides what the corpus is, and the run's samples are counted on one corpus; {AnotherRun}",
        { Key: "run.seed" } => $"run.seed decides the order of all samples, those that were read among them; {AnotherRun}",
        { Key: "optimizer.kind" } => $"optimizer.kind: the moments of one optimizer are none of another's; {AnotherRun}",
        _ => $"{setting.Key} decides what a run keeps from one round to the next, and cannot change in mid-run; {AnotherRun}",
    };

    private static string Length(RunPlan plan) => string.Create(CultureInfo.InvariantCulture,
        $"{plan.Timeline.TotalSamples:N0} samples ({plan.TokensBefore(plan.Timeline.Rounds):N0} tokens)");

    private static bool Same(RunPlan one, RunPlan other) =>
        (one.Timeline.Rounds, one.Timeline.TotalSteps, one.Timeline.TotalSamples)
        == (other.Timeline.Rounds, other.Timeline.TotalSteps, other.Timeline.TotalSamples);
}
