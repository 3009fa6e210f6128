using Elastic.Messages.Runs;

namespace Elastic.Coordination;

/// <summary>Says where a run stands: whether it goes on, what it waits for, and what people see of it.</summary>
internal sealed class RunOutlook(
    RunCoordinatorContext context, SupervisorTerm term, Inventory inventory, OrderedWork ordered, NodeReleases releases,
    CorpusWindows windows, RunProgress progress)
{
    /// <inheritdoc cref="Coordination.Lifecycle"/>
    public Lifecycle Lifecycle => new LifecycleFacts(
        term.IsKnown, context.Failure is not null, context.Run.IsFinished, context.Settings.GoesOn, context.IsAsked,
        context.View.Surveyed, context.Run.IsPaused, releases.Busy.Count > 0, context.View.DeviceCount > 0, context.Run.IsBreak).State;

    /// <summary>Where the run stands, for people.</summary>
    public RunPhase Phase => Lifecycle switch
    {
        Lifecycle.Finished => RunPhase.Finished,
        Lifecycle.Paused => RunPhase.Paused,
        Lifecycle.Stopped => RunPhase.Stopped,
        _ => context.View.DeviceCount == 0 || context.Plan is null || context.Run.IsFinished
            ? RunPhase.Waiting : context.Run.Phase(context.Plan),
    };

    /// <summary>What the run waits for; null where it waits for nothing, or only for work in flight that goes on.</summary>
    public string? WaitsFor => Lifecycle switch
    {
        Lifecycle.Recovering => "the database: this supervisor has no term yet",
        Lifecycle.Waiting when !context.IsAsked => "a request to start",
        Lifecycle.Waiting => "a node with a device that may compute for it"
            + (context.Plan is { Needs.Count: > 0 } plan ? $", and the labels that it needs: {string.Join(", ", plan.Needs)}" : ""),
        Lifecycle.Surveying when inventory.Awaited.Any() => $"nodes to say what they store: {context.Names(inventory.Awaited)}",
        Lifecycle.Surveying => inventory.WaitsFor(context.Run, context.View, context.Now),
        Lifecycle.Stopping => $"nodes to hand over: {context.Names(releases.Busy)}",
        Lifecycle.Running when context.View.InFlight.IsEmpty =>
            windows.WaitsFor(context.Run, context.Plan, context.Now) ?? ordered.Reason,
        Lifecycle.Running => ordered.WaitsForDevices(context.Plan!) ?? progress.Fetching(context.View, node => context.Names(node)),
        _ => null,
    };

    /// <summary>The run as a person sees it now.</summary>
    public RunView Show(string? notice) => context.Plan is { } plan
        ? progress.View(context.Run, plan, context.View, Phase, context.Now) with
        {
            Devices = context.View.Nodes.Where(n => !context.Health.IsUnhealthy(n.Key)).Sum(n => n.Value.Devices.Length),
            Resting = context.Health.Resting(context.Now),
            WaitsFor = WaitsFor,
            EndedEarly = EarlyStopping.Ended(context.Run, plan),
            Notice = notice,
            Failure = context.Failure,
        }
        : new RunView
        {
            Name = context.Run.Name ?? context.Id.Name,
            RunId = context.Id,
            Phase = RunPhase.Waiting,
            Failure = context.Failure,
        };
}
