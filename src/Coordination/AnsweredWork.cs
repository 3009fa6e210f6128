using Elastic.Messages;
using Elastic.Messages.Nodes;
using Elastic.Messages.Runs;
using Elastic.Messages.Work;

namespace Elastic.Coordination;

/// <summary>
/// Decides what nodes' results come to. A result counts if it comes from an enlisted node, is of this job and version, and is still
/// wanted; the outcome of audited work once two nodes have come to it.
/// </summary>
/// <param name="carry">Stores what a decision says, and does what follows from it.</param>
internal sealed class AnsweredWork(
    RunCoordinatorContext context, OutcomeAudits audits, NodeReleases releases, ReplicaAttempts attempts, FailedWork failures,
    Action<Decision> carry)
{
    private readonly Timings _timings = new();
    private TimeSpan? _aloneSince;

    /// <summary>Median duration of the replicas' rounds that were computed lately; null before the first.</summary>
    public TimeSpan? Median => _timings.Median;

    /// <summary>Takes a node's result.</summary>
    public void Take(WorkResult result)
    {
        if (WhyNot(result) is { } why)
            context.Add(new RunOutput.Dropped($"the {result.Key} by {result.Node}", why));
        else if (result.Outcome is WorkFailed failed)
            failures.Take(result, failed);
        else if (result.Outcome is StageLost lost)
            failures.Take(result, lost);
        else
            Take(result, context.Plan!);
    }

    private void Take(WorkResult result, RunPlan plan)
    {
        var kind = WorkKinds.Of(result.Key);
        var decision = Run.Decide(context.Run, plan, result);
        // Before the events are folded: a set that is in the journal and on no node counts as lost.
        if (decision.Refusal is null)
            context.View = context.View.Hold(result.Node, kind.Holds(result.Outcome));
        else
            context.Add(new RunOutput.Dropped($"the {result.Key} by {result.Node}", decision.Refusal));
        if (decision.Refusal is not null || decision.Events.Count == 0 || !kind.IsAudited(context.Run, plan, result.Key))
            carry(decision);
        else if (audits.Note(result))
            Accept(result);
        var work = new InFlightWork(result.Key, result.Node);
        if (result.Outcome is Computed && context.View.InFlight.TryGetValue(work, out var since))
            _timings.Note(context.Now - since);
        attempts.NoteTeam(result);
        // What was handed over before the newer attempt was given out ends it only where that is to begin further on.
        if (result.Outcome is not HandedOver || decision.Events.Count > 0 || !attempts.IsOfEarlier(result, context.Now))
            Acknowledge(work);
        if (decision.Refusal is null)
            NoteHolder(result);
    }

    /// <summary>
    /// Drops audits that no other node may take part in, as there is none. After a failover the first node to enlist is not the only one.
    /// </summary>
    public void DropAudits()
    {
        if (context.View.Nodes.Count(n => n.Value.Devices.Length > 0) > 1)
            _aloneSince = null;
        else
            _aloneSince ??= context.Now;
        context.View = context.View with
        {
            MayBeJoined = _aloneSince is { } since && context.Now - since < context.Settings.Patience,
        };
        foreach (var single in audits.Single())
            if (!context.View.MayBeCompared(new HashSet<NodeId> { single.Node }))
                Accept(single);
    }

    // Takes the outcome of audited work for the right one, and convicts who came to another one.
    private void Accept(WorkResult result)
    {
        var outvoted = audits.OutvotedBy(result);
        audits.Forget(result.Key);
        if (outvoted.Count > 0)
            carry(Decision.Store([.. ResultQuorum.Convict(context.Run, outvoted, $"the {result.Key}", "was outvoted")]));
        carry(Run.Decide(context.Run, context.Plan!, result));
    }

    private string? WhyNot(WorkResult result) =>
        result.Job != context.Id.Job ? $"it belongs to {result.Job}"
        : context.Plan is null ? "the run is not started"
        : WorkKinds.Find(result.Key.Kind) is null ? $"there is no kind of work \"{result.Key.Kind}\""
        : context.Run.IsQuarantined(result.Node) ? null                // refused with the reason, and acknowledged
        : !context.View.Nodes.ContainsKey(result.Node) ? "the node is not enlisted: it says it again when it is"
        : releases.IsReleased(result.Node) ? "the node was released: what it has made since goes with it"
        // Nor is the node told to drop the work: that is the newer attempt's.
        : result.Outcome is WorkFailed or StageLost && attempts.IsOfEarlier(result, context.Now)
            ? "it is of an earlier attempt at the replica"
        : null;

    // The node keeps a result and repeats it until DropWork reaches it.
    private void Acknowledge(InFlightWork work)
    {
        attempts.Without(view => view.Answered(work.Work, work.Node));
        context.Failures.Succeeded(work);
        context.Health.MarkHealthy(work.Node);
        context.Send(work.Node, new NodeCommand.DropWork(context.Id, [work.Work]));
    }

    private void NoteHolder(WorkResult result)
    {
        var (run, view) = (context.Run, context.View);
        switch (result.Outcome)
        {
            case Computed { Result: var computed } when run.QuorumOf(computed.Replica).Votes is [var only] && only.Node == result.Node:
                context.View = view with { Homes = view.Homes.SetItem(computed.Replica, result.Node) };
                break;
            // The node may hold a version of sums that no longer count.
            case Assembled held when held.Round == run.Round && run.Phase(context.Plan!) == RunPhase.Assembling
                && held.Version == run.NextVersion(context.Plan!).Digest:
                context.View = view with { Assembled = view.Assembled.Add(result.Node) };
                break;
        }
    }
}
