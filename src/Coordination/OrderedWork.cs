using Elastic.Messages.Work;

namespace Elastic.Coordination;

/// <summary>Gives out the work that is due, and takes work away that is no longer needed.</summary>
internal sealed class OrderedWork(
    RunCoordinatorContext context, SupervisorTerm term, BlobSources sources, NodeReleases releases, ReplicaAttempts attempts,
    OutcomeAudits audits)
{
    /// <summary>Why nothing could be given out the last time; null where something was.</summary>
    public string? Reason { get; private set; }

    /// <summary>
    /// Orders what is due. A run that stops or rests gives out copies, so that no node that leaves takes anything with it, and what
    /// somebody has asked for.
    /// </summary>
    /// <param name="median">Median duration of the replicas' rounds that were computed lately; null before the first.</param>
    public void GiveOut(RunPlan plan, bool rests, TimeSpan? median)
    {
        context.View = context.View with { Relays = sources.Relays(context.Now) };
        var scheduling = Scheduler.Next(
            context.Run, context.View, plan, new StragglerDetector(context.Now, median), context.IsStopping || rests, context.Failures,
            audits, attempts.Draw);
        context.View = scheduling.View;
        Reason = scheduling.Given.Count > 0 ? null : scheduling.Reason ?? "copies, scores or checkpoints on other nodes";
        foreach (var (key, node, content) in scheduling.Given)
        {
            var kind = WorkKinds.Of(key);
            if (!kind.IsUpkeep && !kind.IsAskedFor(context.Run))
                releases.NoteBusy(node);
            var order = term.NextOrder();
            attempts.NoteGiven(new InFlightWork(key, node), order, content);
            foreach (var (piece, part) in kind.Cut(content, context.Settings.MostDigests))
                context.Send(node, new WorkOrder
                {
                    Job = context.Id.Job,
                    Id = order,
                    Key = key,
                    From = context.Run.WorkStart(plan),
                    Sources = sources.Of(context.View, kind.Needs(piece), node, order.Number),
                    Part = part,
                    Content = piece,
                });
        }
    }

    /// <summary>Takes away work that is done, or that no round needs any more.</summary>
    public void TakeAwayDone(RunPlan plan) => TakeAway(work => Scheduler.IsDone(context.Run, plan, work));

    /// <summary>Takes sums over results that no longer count away from the nodes.</summary>
    public void TakeAwaySums() => TakeAway(work => WorkKinds.Find(work.Work.Kind) is { IsOfResults: true });

    /// <summary>What all work for devices waits for, where all of it waits behind another run's; else null.</summary>
    public string? WaitsForDevices(RunPlan plan)
    {
        var view = context.View;
        var work = view.InFlight.Keys.Where(w => WorkKinds.Find(w.Work.Kind) is { OccupiesDevices: true }).ToList();
        if (work.Count == 0 || !work.All(view.Queued.ContainsKey))
            return null;
        var (behind, priority) = work.Select(w => view.Queued[w]).MaxBy(q => q.Priority);
        return $"devices: run {behind.Name} "
            + (priority > plan.Priority ? $"has priority {priority}" : "computes on them, and they take turns");
    }

    private void TakeAway(Func<InFlightWork, bool> which) => context.TakeAway(context.View.InFlight.Keys.Where(which));
}
