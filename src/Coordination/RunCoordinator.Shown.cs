using Elastic.Messages.Runs;

namespace Elastic.Coordination;

// What people see of the run: its phase, what it waits for, its progress.
public sealed partial class RunCoordinator
{
    /// <summary>Where the run stands, for people.</summary>
    public RunPhase Phase => Lifecycle switch
    {
        Lifecycle.Finished => RunPhase.Finished,
        Lifecycle.Paused => RunPhase.Paused,
        Lifecycle.Stopped => RunPhase.Stopped,
        _ => View.DeviceCount == 0 || Plan is null || Run.IsFinished ? RunPhase.Waiting : Run.Phase(Plan),
    };

    /// <summary>What the run waits for; null where it waits for nothing, or only for work in flight that goes on.</summary>
    public string? WaitsFor => Lifecycle switch
    {
        Lifecycle.Recovering => "the database: this supervisor has no term yet",
        Lifecycle.Waiting when !_context.IsAsked => "a request to start",
        Lifecycle.Waiting => "a node with a device that may compute for it"
            + (Plan is { Needs.Count: > 0 } plan ? $", and the labels that it needs: {string.Join(", ", plan.Needs)}" : ""),
        Lifecycle.Surveying when _inventory.Awaited.Any() => $"nodes to say what they store: {_context.Names(_inventory.Awaited)}",
        Lifecycle.Surveying => _inventory.WaitsFor(Run, View, _context.Now),
        Lifecycle.Stopping => $"nodes to hand over: {_context.Names(_busy)}",
        Lifecycle.Running when View.InFlight.IsEmpty => _windows.WaitsFor(Run, Plan, _context.Now) ?? _reason,
        Lifecycle.Running => WaitsForDevices() ?? _progress.Fetching(View, node => _context.Names(node)),
        _ => null,
    };

    // Where all its work for devices waits behind another run's.
    private string? WaitsForDevices()
    {
        var work = View.InFlight.Keys.Where(w => WorkKinds.Find(w.Work.Kind) is { OccupiesDevices: true }).ToList();
        if (work.Count == 0 || !work.All(View.Queued.ContainsKey))
            return null;
        var (behind, priority) = work.Select(w => View.Queued[w]).MaxBy(q => q.Priority);
        return $"devices: run {behind.Name} "
            + (priority > Plan!.Priority ? $"has priority {priority}" : "computes on them, and they take turns");
    }

    /// <summary>The run as a person sees it now.</summary>
    public RunView Show(string? notice = null) => Plan is { } plan
        ? _progress.View(Run, plan, View, Phase, _context.Now) with { WaitsFor = WaitsFor, Notice = notice, Failure = Failure }
        : new RunView { Name = Run.Name ?? _context.Id.Name, RunId = _context.Id, Phase = RunPhase.Waiting, Failure = Failure };
}
