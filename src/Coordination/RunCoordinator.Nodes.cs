using Elastic.Foundation;
using Elastic.Messages;
using Elastic.Messages.Nodes;
using Elastic.Messages.Runs;
using Elastic.Messages.Work;

namespace Elastic.Coordination;

// How the coordinator handles nodes: they come, go, rest and leave, have work in flight and answer.
public sealed partial class RunCoordinator
{
    private void Hear(NodeReport report)
    {
        switch (report)
        {
            case NodeReport.Enlist enlist:
                Enlist(enlist);
                break;
            case NodeReport.StepTaken step when Plan is { } plan:
                _progress.Count(step, (long)plan.At(step.Round).Sequences * plan.Context, _context.Now);
                var stepping = new InFlightWork(ComputeWork.KeyOf(step.Round, step.Replica), step.Node);
                _stalls.Note(stepping, _context.Now);
                foreach (var stage in AttemptOf(stepping))
                    View = View.Begun(stage);
                break;
            case NodeReport.Fetching fetching:
                _progress.Note(fetching);
                foreach (var stage in AttemptOf(new InFlightWork(fetching.Work, fetching.Node)))
                    _stalls.NoteFetched(stage, _context.Now);
                break;
            case NodeReport.Queued queued:
                foreach (var stage in AttemptOf(new InFlightWork(queued.Work, queued.Node)))
                    _stalls.NoteFetched(stage, _context.Now);
                NoteQueued(new InFlightWork(queued.Work, queued.Node));
                View = View.Queue(new InFlightWork(queued.Work, queued.Node), queued.Behind, queued.Priority);
                break;
            case NodeReport.Surveyed surveyed:
                View = _inventory.Note(View, surveyed);
                break;
            case NodeReport.RunIdle idle:
                _busy.Remove(idle.Node);
                View = View.PutDown(idle.Node);
                break;
            case NodeReport.RunUnopened unopened:
                Unopened(unopened);
                break;
        }
    }

    // A result counts if it comes from an enlisted node, is of this job and version, and is still wanted.
    private void Take(WorkResult result)
    {
        if (WhyNot(result) is { } why)
        {
            _context.Add(new RunOutput.Dropped($"the {result.Key} by {result.Node}", why));
            return;
        }

        if (result.Outcome is WorkFailed failed)
        {
            TakeBack(result, failed);
            return;
        }

        if (result.Outcome is StageLost lost)
        {
            TakeBack(result, lost);
            return;
        }

        var kind = WorkKinds.Of(result.Key);
        var decision = Coordination.Run.Decide(Run, Plan!, result);
        // Before the events are folded: a set that is in the journal and on no node counts as lost.
        if (decision.Refusal is null)
            View = View.Hold(result.Node, kind.Holds(result.Outcome));
        else
            _context.Add(new RunOutput.Dropped($"the {result.Key} by {result.Node}", decision.Refusal));
        if (decision.Refusal is not null || decision.Events.Count == 0 || !kind.IsAudited(Run, Plan!, result.Key))
            Carry(decision);
        else if (_audits.Note(result))
            Accept(result);
        var work = new InFlightWork(result.Key, result.Node);
        if (result.Outcome is Computed && View.InFlight.TryGetValue(work, out var since))
            _timings.Note(_context.Now - since);
        NoteTeam(result);
        // What was handed over before the newer attempt was given out ends it only where that is to begin further on.
        if (result.Outcome is not HandedOver || decision.Events.Count > 0 || !IsOfEarlierAttempt(result))
            Acknowledge(work);
        if (decision.Refusal is not null)
            return;
        switch (result.Outcome)
        {
            case Computed { Result: var computed } when Run.QuorumOf(computed.Replica).Votes is [var only] && only.Node == result.Node:
                View = View with { Homes = View.Homes.SetItem(computed.Replica, result.Node) };
                break;
            // The node may hold a version of sums that no longer count.
            case Assembled held when held.Round == Run.Round && Run.Phase(Plan!) == RunPhase.Assembling
                && held.Version == Run.NextVersion(Plan!).Digest:
                View = View with { Assembled = View.Assembled.Add(result.Node) };
                break;
        }
    }

    // Takes the outcome of audited work for the right one, and convicts who came to another one.
    private void Accept(WorkResult result)
    {
        var outvoted = _audits.OutvotedBy(result);
        _audits.Forget(result.Key);
        if (outvoted.Count > 0)
            Carry(Decision.Store([.. ResultQuorum.Convict(Run, outvoted, $"the {result.Key}", "was outvoted")]));
        Carry(Coordination.Run.Decide(Run, Plan!, result));
    }

    // Where no other node may compute, an audit is dropped. After a failover the first node to enlist is not the only one.
    private void DropAudits()
    {
        if (View.Nodes.Count(n => n.Value.Devices.Length > 0) > 1)
            _aloneSince = null;
        else
            _aloneSince ??= _context.Now;
        View = View with { MayBeJoined = _aloneSince is { } since && _context.Now - since < _context.Settings.Patience };
        foreach (var single in _audits.Single())
            if (!View.MayBeCompared(new HashSet<NodeId> { single.Node }))
                Accept(single);
    }

    private string? WhyNot(WorkResult result) =>
        result.Job != _context.Id.Job ? $"it belongs to {result.Job}"
        : Plan is null ? "the run is not started"
        : WorkKinds.Find(result.Key.Kind) is null ? $"there is no kind of work \"{result.Key.Kind}\""
        : Run.IsQuarantined(result.Node) ? null                        // refused with the reason, and acknowledged
        : !View.Nodes.ContainsKey(result.Node) ? "the node is not enlisted: it says it again when it is"
        : _released.Contains(result.Node) ? "the node was released: what it has made since goes with it"
        // Nor is the node told to drop the work: that is the newer attempt's.
        : result.Outcome is WorkFailed or StageLost && IsOfEarlierAttempt(result) ? "it is of an earlier attempt at the replica"
        : null;

    // The node keeps a result and repeats it until DropWork reaches it.
    private void Acknowledge(InFlightWork work)
    {
        Without(view => view.Answered(work.Work, work.Node));
        _context.Failures.Succeeded(work);
        _context.Health.MarkHealthy(work.Node);
        _context.Send(work.Node, new NodeCommand.DropWork(_context.Id, [work.Work]));
    }

    private void TakeBack(WorkResult result, WorkFailed failed)
    {
        _context.Send(result.Node, new NodeCommand.DropWork(_context.Id, [result.Key]));
        // A node that was lost, or is a round behind, may fail at work that is long done: its blobs are gone.
        if (TakesBack(result))
            TakeBack(new InFlightWork(result.Key, result.Node), failed);
    }

    /// <summary>
    /// Whether a failure takes work back from its node: not where it is repeated, as it is until DropWork reaches the node, nor where
    /// another stage has ended the attempt by saying the same.
    /// </summary>
    public bool TakesBack(WorkResult result) => new InFlightWork(result.Key, result.Node) is var work
        && View.InFlight.ContainsKey(work) && !_context.Failures.IsResting(work) && !IsOfEarlierAttempt(result);

    // The work rests where it failed, before it is given out again.
    private void TakeBack(InFlightWork work, WorkFailed failed)
    {
        EndAttemptOf(work);
        var attempts = _context.Failures.Note(work, failed, _context.Now, _context.Chance.NextDouble());
        var (key, kind) = (work.Work, WorkKinds.Of(work.Work));
        // A replica of several stages needs so many other nodes.
        var others = View.Nodes.Count(n => n.Key != work.Node && _context.IsOfUse(n.Key)
            && (!kind.NeedsDevice || n.Value.Devices.Length > 0)) >= (ComputeWork.ReplicaOf(key) is null ? 1 : Stages);
        if (Plan!.Streams)
            _opened.Remove(work.Node);                                 // it may not know yet of the shards that the work reads
        if (_context.IsStopping && ComputeWork.ReplicaOf(key) is { } replica)
            _context.Fail($"replica {replica} could not be handed over, and takes its steps of this round again next time: {failed.Why}");
        else if (_context.Failures.IsHopeless(key) || (failed.Kind == WorkFailure.Permanent && !others))
            _context.Fail(failed.Why);
        else if (!_context.Settings.GoesOn
            && (_context.Failures.IsTedious(key, View.Nodes.Count) || (failed.Kind == WorkFailure.Exhausted && !others)))
            _context.Fail(failed.Why);                                 // where runs go on by themselves, nothing waits for a person
        else if (failed.Kind is WorkFailure.Permanent or WorkFailure.Exhausted || (others && _context.Failures.IsStubborn(work)))
            Rest(work.Node, failed.Why);
        if (Failure is not null)
            return;
        if (attempts > 1)
            _context.Warn(
                $"the {key} has failed {attempts} times, last on {_context.Names(work.Node)}: {failed.Why}; trying again");
        if (failed.Kind != WorkFailure.Lost)
            return;
        if (attempts > 1)
            _sources.NoteUnreachable(_context.Now);                    // the last survey found everything
        if (View.Surveyed)
            SurveyAgain();
    }

    private void Tick()
    {
        foreach (var work in _context.Failures.Wake(_context.Now))
            View = View.Answered(work.Work, work.Node);
        if (_context.Health.Recover(_context.Now))
            ReviewNodes();
        foreach (var node in _inventory.Overdue(_context.Now))
        {
            if (!_inventory.IsMute(node))
            {
                AskWhatIsWhole(node, thorough: false);
                continue;
            }

            _inventory.Forget(node);
            _opened.Remove(node);                                      // so that the node is asked again after its rest
            Rest(node, "it does not say what it stores: its disk may hang");
        }

        EndQueuedAttempts();
        foreach (var (stuck, since) in View.InFlight
            .Where(w => ComputeWork.ReplicaOf(w.Key.Work) is null && _context.Now - _stalls.Alive(w.Key, w.Value) > Overlong).ToList())
            Rest(stuck.Node, $"it has not finished its {stuck.Work} for {Overlong.TotalMinutes} minutes");
        // Slow is not dead: the node goes on, and its result counts. Another one takes the steps, too.
        _stalls.Keep(View.InFlight.ContainsKey);
        foreach (var (hung, since) in View.InFlight.Where(w => w.Key.Work.Kind == ComputeWork.Kind.Name).ToList())
            // The nodes of several stages notice themselves which of them hangs, and name it: later than that is for when all hang.
            if (_stalls.IsStalled(hung, since, View.Attempts.ContainsKey(hung) ? _context.Now - Overlong : _context.Now)
                && View.Workers.Count(n => n != hung.Node) >= Stages)
                Rest(hung.Node, $"its {hung.Work} makes no progress");
    }

    private void Enlist(NodeReport.Enlist report)
    {
        var isNew = !_context.Health.Knows(report);
        if (isNew)
            Forget(report.Node);
        if (isNew && !View.Surveyed)
            _inventory.Begin(_context.Now);                                    // other nodes may be about to enlist as well
        _released.Remove(report.Node);                                 // the node is still waiting for Release, or stays
        _context.Health.Note(report);
        View = _context.Health.Enlist(View, Run, report, Plan?.Needs);
        if (Plan is not null)
            Reconcile(report);
    }

    private void Forget(NodeId node)
    {
        _context.Health.Forget(node);
        _inventory.Forget(node);
        _opened.Remove(node);
        _openedAt.Remove(node);
        _busy.Remove(node);
        _released.Remove(node);
        _context.Failures.Forget(node);
        _audits.Forget(node);
        Without(view => view.Lose(node));
    }

    // The node is asked anew what it stores: its copies of what is committed may be the last ones.
    private void Quarantine(RunEvent.NodeQuarantined quarantined)
    {
        var report = _context.Health.Of(quarantined.Node);
        Forget(quarantined.Node);
        if (report is null)
            _context.Send(quarantined.Node, new NodeCommand.Exclude(_context.Id, quarantined.Why));
        else
            Enlist(report);
        _context.Add(new RunOutput.Distrust(quarantined.Node));
    }

    private void ReleaseLeavers()
    {
        // A finished run is durable and gives out no work: what a leaver waits for would never be copied.
        if (_context.IsIdleAfterFinish)
        {
            foreach (var leaver in _context.Health.Reports.Where(r => r.Leaving && _released.Add(r.Node)))
                _context.Send(leaver.Node, new NodeCommand.Release(_context.Id, leaver.Drains));
            return;
        }

        if (!View.Surveyed)
            return;
        // Where no node stays but one rests, leaving nodes wait: the resting node may take copies later.
        if (!View.Staying.Any() && View.Nodes.Keys.Any(n => _context.Health.IsUnhealthy(n) && !Run.IsQuarantined(n)))
            return;
        foreach (var leaver in View.Nodes.Keys.Select(_context.Health.Of).OfType<NodeReport.Enlist>()
            .Where(r => r.Leaving && !_context.Health.IsUnhealthy(r.Node)))
            if (!_inventory.IsAwaited(leaver.Node) && Replication.CanGo(Run, View, leaver.Node, isInNoHurry: leaver.Draining)
                && _released.Add(leaver.Node))
            {
                _busy.Remove(leaver.Node);                             // nothing of it is taken any more
                _context.Send(leaver.Node, new NodeCommand.Release(_context.Id, leaver.Drains));
            }
    }

    // A run that is not started has no plan.
    private Digest? WorkStart => Plan is { } plan ? Run.WorkStart(plan) : Run.Version;

    // Makes the view agree with the work that the node reports, and drops reported work that is not needed.
    private void Reconcile(NodeReport.Enlist report)
    {
        _term.WarnOfLaterTerm(report);
        var isTrusted = !Run.IsQuarantined(report.Node);
        var own = report.Pieces().Where(w => w.Job == _context.Id.Job).ToLookup(
            w => isTrusted && w.From == WorkStart && IsAttempt(w), w => new InFlightWork(w.Key, report.Node));
        var attempts = report.Pieces().Where(w => w.Job == _context.Id.Job && w.Attempt is not null).DistinctBy(w => w.Key)
            .ToDictionary(w => new InFlightWork(w.Key, report.Node));
        var has = own[true].Where(w => !View.InFlight.ContainsKey(w)
            || View.Attempts.GetValueOrDefault(w) == attempts.GetValueOrDefault(w).Attempt).ToHashSet();
        foreach (var (work, since) in View.InFlight
            .Where(w => w.Key.Node == report.Node && !has.Contains(w.Key) && !_context.Failures.IsResting(w.Key)
                && _context.Now - w.Value > InTransit)
            .ToList())
            View = View.Answered(work.Work, work.Node);
        var unknown = has.Where(w => !View.InFlight.ContainsKey(w)).ToLookup(w => Scheduler.IsDone(Run, Plan!, w));
        if (!_context.Health.IsUnhealthy(report.Node))
            foreach (var work in unknown[false])
            {
                View = View.Give(work.Work, work.Node, _context.Now, attempts.GetValueOrDefault(work).Attempt);
                if (attempts.TryGetValue(work, out var held))
                    _attemptOrders[work] = held.Order;
            }
        if (unknown[true].Concat(own[false]).Select(w => w.Work).ToArray() is { Length: > 0 } over)
            _context.Send(report.Node, new NodeCommand.DropWork(_context.Id, over));
        // The node reports RunIdle when it has handed everything over; that message may get lost.
        if (_context.IsStopping && has.Count == 0 && View.InFlight.Keys.All(w => w.Node != report.Node))
            _busy.Remove(report.Node);
    }

    private void Rest(NodeId node, string why)
    {
        _context.Health.MarkUnhealthy(node, why, _context.Now);
        _context.Send(node, new NodeCommand.Exclude(_context.Id, why));
        Without(view => view.PutDown(node));
        ReviewNodes();
    }

    private void ReviewNodes()
    {
        foreach (var report in _context.Health.Reports.Where(r => View.Nodes.ContainsKey(r.Node)).ToList())
            View = _context.Health.Enlist(View, Run, report, Plan?.Needs);
    }
}
