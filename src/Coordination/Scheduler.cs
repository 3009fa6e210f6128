using Elastic.Messages.Runs;

namespace Elastic.Coordination;

/// <summary>
/// Decides which node does what next. Computes all work that is due anew from the run and the view each time, and leaves out what is in
/// flight, so that a lost or a new node needs no code of its own.
/// </summary>
public static class Scheduler
{
    /// <summary>
    /// The work that can start now and is not in flight yet, the view with it in flight, and why work that is due cannot be given out.
    /// </summary>
    /// <param name="upkeepOnly">The run stops or rests: only upkeep is given out, and what somebody has asked for.</param>
    /// <param name="failures">What has failed where; null for nothing.</param>
    /// <param name="audits">Outcomes that wait for another node's; null for none.</param>
    /// <param name="draw">Names attempts of several nodes at one replica; null where a replica has one stage.</param>
    public static Scheduling Next(
        RunState run, ClusterView view, RunPlan plan, StragglerDetector stragglers, bool upkeepOnly = false,
        FailureHistory? failures = null, OutcomeAudits? audits = null, Func<string>? draw = null)
    {
        var scheduling = new Scheduling(
            run, view, plan, stragglers, failures ?? new FailureHistory(), audits ?? new OutcomeAudits(), draw);
        if (view.Nodes.IsEmpty)
        {
            scheduling.Lack("no node is there");
            return scheduling;
        }

        if (!view.Surveyed)
        {
            scheduling.Lack("it is not known yet what is still whole");
            return scheduling;
        }

        foreach (var kind in WorkKinds.All.Where(k => k.IsUpkeep || !upkeepOnly || k.IsAskedFor(run)))
            kind.GiveOut(scheduling);
        return scheduling;
    }

    /// <summary>
    /// The commit that is due: enough nodes hold the next version and every inner state that belongs to it, and the version that
    /// the round started from is scored and durable, so that its blobs are no longer needed. Null while one of these is missing.
    /// </summary>
    public static CoordinatorCommand.CommitRound? Commit(RunState run, ClusterView view, RunPlan plan)
    {
        if (!view.Surveyed || run.Phase(plan) != RunPhase.Assembling || !run.IsScored(plan)
            || !run.IsDurable(plan) || view.Assembled.IsEmpty)
            return null;
        var staying = view.Staying.ToHashSet();
        var holders = view.Assembled.Count(staying.Contains);
        var copies = run.Finished.Values.Min(r => view.HoldersOf(r.InnerState).Count(staying.Contains));
        if (Math.Min(holders, copies) < view.Copies)
            return null;
        var next = run.NextVersion(plan);
        return new CoordinatorCommand.CommitRound(
            run.Round, next.Digest, next.Fingerprint, Math.Min(holders, copies), staying.Count);
    }

    /// <summary>True when this work is no longer needed.</summary>
    public static bool IsDone(RunState run, RunPlan plan, InFlightWork work) =>
        WorkKinds.Find(work.Work.Kind) is not { } kind || kind.IsDone(run, plan, work.Work, work.Node);
}
