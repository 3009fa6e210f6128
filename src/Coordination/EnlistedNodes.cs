using Elastic.Messages;
using Elastic.Messages.Nodes;
using Elastic.Messages.Runs;

namespace Elastic.Coordination;

/// <summary>
/// Decides about the nodes of a run as they enlist, fall silent, rest after a failure or are put into quarantine, and makes the view agree
/// with the work that each of them says to have.
/// </summary>
internal sealed class EnlistedNodes(
    RunCoordinatorContext context, SupervisorTerm term, Inventory inventory, NodeOpenings openings, NodeReleases releases,
    OutcomeAudits audits, ReplicaAttempts attempts)
{
    /// <summary>Takes a node's report of itself: the node is here.</summary>
    public void Enlist(NodeReport.Enlist report)
    {
        var isNew = !context.Health.Knows(report);
        if (isNew)
            Forget(report.Node);
        if (isNew && !context.View.Surveyed)
            inventory.Begin(context.Now);                              // other nodes may be about to enlist as well
        releases.NoteHere(report.Node);
        context.Health.Note(report);
        Enter(report);
        if (context.Plan is { } plan)
            Reconcile(report, plan);
    }

    /// <summary>A node is gone: others may be given what was in flight on it.</summary>
    public void Forget(NodeId node)
    {
        context.Health.Forget(node);
        inventory.Forget(node);
        openings.Forget(node);
        releases.Forget(node);
        context.Failures.Forget(node);
        audits.Forget(node);
        attempts.Without(view => view.Lose(node));
    }

    /// <summary>Lets a node rest that could not do its work.</summary>
    public void Rest(NodeId node, string why)
    {
        context.Health.MarkUnhealthy(node, why, context.Now);
        context.Warn($"{context.Names(node)} rests: {why}");
        context.Send(node, new NodeCommand.Exclude(context.Id, why));
        attempts.Without(view => view.PutDown(node));
        Review();
    }

    /// <summary>Looks at all nodes anew: what the run needs, or how they are, has changed.</summary>
    public void Review()
    {
        foreach (var report in context.Health.Reports.Where(r => context.View.Nodes.ContainsKey(r.Node)).ToList())
            Enter(report);
    }

    /// <summary>
    /// Gives a node no more work. It is asked anew what it stores: its copies of what is committed may be the last ones.
    /// </summary>
    public void Quarantine(RunEvent.NodeQuarantined quarantined)
    {
        var report = context.Health.Of(quarantined.Node);
        Forget(quarantined.Node);
        if (report is null)
            context.Send(quarantined.Node, new NodeCommand.Exclude(context.Id, quarantined.Why));
        else
            Enlist(report);
        context.Add(new RunOutput.Distrust(quarantined.Node));
    }

    private void Enter(NodeReport.Enlist report) =>
        context.View = context.Health.Enlist(context.View, context.Run, report, context.Plan?.Needs);

    // Makes the view agree with the work that the node reports, and drops reported work that is not needed.
    private void Reconcile(NodeReport.Enlist report, RunPlan plan)
    {
        term.WarnOfLaterTerm(report);
        var (run, view, job) = (context.Run, context.View, context.Id.Job);
        var isTrusted = !run.IsQuarantined(report.Node);
        var own = report.Pieces().Where(w => w.Job == job).ToLookup(
            w => isTrusted && w.From == run.WorkStart(plan) && ReplicaAttempts.IsValid(w), w => new InFlightWork(w.Key, report.Node));
        var held = report.Pieces().Where(w => w.Job == job && w.Attempt is not null).DistinctBy(w => w.Key)
            .ToDictionary(w => new InFlightWork(w.Key, report.Node));
        var has = own[true].Where(w => !view.InFlight.ContainsKey(w)
            || view.Attempts.GetValueOrDefault(w) == held.GetValueOrDefault(w).Attempt).ToHashSet();
        foreach (var (work, _) in view.InFlight.Where(w => w.Key.Node == report.Node && !has.Contains(w.Key)
            && !context.Failures.IsResting(w.Key) && context.Now - w.Value > ClusterView.InTransit))
            context.View = context.View.Answered(work.Work, work.Node);
        var unknown = has.Where(w => !context.View.InFlight.ContainsKey(w)).ToLookup(w => Scheduler.IsDone(run, plan, w));
        if (!context.Health.IsUnhealthy(report.Node))
            foreach (var work in unknown[false])
            {
                context.View = context.View.Give(work.Work, work.Node, context.Now, held.GetValueOrDefault(work).Attempt);
                if (held.TryGetValue(work, out var known))
                    attempts.NoteHeld(work, known.Order);
            }
        if (unknown[true].Concat(own[false]).Select(w => w.Work).ToArray() is { Length: > 0 } over)
            context.Send(report.Node, new NodeCommand.DropWork(context.Id, over));
        // The node reports RunIdle when it has handed everything over; that message may get lost.
        if (context.IsStopping && has.Count == 0 && context.View.InFlight.Keys.All(w => w.Node != report.Node))
            releases.NoteIdle(report.Node);
    }
}
