using Elastic.Foundation;
using Elastic.Messages;
using Elastic.Messages.Nodes;
using Elastic.Messages.Runs;
using Elastic.Messages.Work;

namespace Elastic.Coordination;

// How the coordinator handles nodes: they come, go, rest and leave, have work in flight and answer.
public sealed partial class RunCoordinator
{
    // Enough to share the load of a popular blob; a node that needs other sources gets them with the next order.
    private const int SourcesOfASet = 3;
    private const int MostSources = Part.MostDigests;
    private const int MostNames = 10;
    private const int CharactersForADigest = Part.MostCharacters / Part.MostDigests;

    private void Hear(NodeReport report)
    {
        switch (report)
        {
            case NodeReport.Enlist enlist:
                Enlist(enlist);
                break;
            case NodeReport.StepTaken step when Plan is { } plan:
                _progress.Count(step, (long)plan.At(step.Round).Sequences * plan.Context, _now);
                var stepping = new InFlightWork(ComputeWork.KeyOf(step.Round, step.Replica), step.Node);
                _stalls.Note(stepping, _now);
                foreach (var stage in AttemptOf(stepping))
                    View = View.Begun(stage);
                break;
            case NodeReport.Fetching fetching:
                _progress.Note(fetching);
                foreach (var stage in AttemptOf(new InFlightWork(fetching.Work, fetching.Node)))
                    _stalls.NoteFetched(stage, _now);
                break;
            case NodeReport.Queued queued:
                foreach (var stage in AttemptOf(new InFlightWork(queued.Work, queued.Node)))
                    _stalls.NoteFetched(stage, _now);
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
            _outputs.Add(new RunOutput.Dropped($"the {result.Key} by {result.Node}", why));
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
            _outputs.Add(new RunOutput.Dropped($"the {result.Key} by {result.Node}", decision.Refusal));
        if (decision.Refusal is not null || decision.Events.Count == 0 || !kind.IsAudited(Run, Plan!, result.Key))
            Carry(decision);
        else if (_audits.Note(result))
            Accept(result);
        var work = new InFlightWork(result.Key, result.Node);
        if (result.Outcome is Computed && View.InFlight.TryGetValue(work, out var since))
            _timings.Note(_now - since);
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
            _aloneSince ??= _now;
        View = View with { MayBeJoined = _aloneSince is { } since && _now - since < settings.Patience };
        foreach (var single in _audits.Single())
            if (!View.MayBeCompared(new HashSet<NodeId> { single.Node }))
                Accept(single);
    }

    private string? WhyNot(WorkResult result) =>
        result.Job != id.Job ? $"it belongs to {result.Job}"
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
        _failures.Succeeded(work);
        _health.MarkHealthy(work.Node);
        Send(work.Node, new NodeCommand.DropWork(id, [work.Work]));
    }

    private void TakeBack(WorkResult result, WorkFailed failed)
    {
        Send(result.Node, new NodeCommand.DropWork(id, [result.Key]));
        // A node that was lost, or is a round behind, may fail at work that is long done: its blobs are gone.
        if (TakesBack(result))
            TakeBack(new InFlightWork(result.Key, result.Node), failed);
    }

    /// <summary>
    /// Whether a failure takes work back from its node: not where it is repeated, as it is until DropWork reaches the node, nor where
    /// another stage has ended the attempt by saying the same.
    /// </summary>
    public bool TakesBack(WorkResult result) => new InFlightWork(result.Key, result.Node) is var work
        && View.InFlight.ContainsKey(work) && !_failures.IsResting(work) && !IsOfEarlierAttempt(result);

    // The work rests where it failed, before it is given out again.
    private void TakeBack(InFlightWork work, WorkFailed failed)
    {
        EndAttemptOf(work);
        var attempts = _failures.Note(work, failed, _now, _chance.NextDouble());
        var (key, kind) = (work.Work, WorkKinds.Of(work.Work));
        // A replica of several stages needs so many other nodes.
        var others = View.Nodes.Count(n => n.Key != work.Node && IsOfUse(n.Key)
            && (!kind.NeedsDevice || n.Value.Devices.Length > 0)) >= (ComputeWork.ReplicaOf(key) is null ? 1 : Stages);
        if (Plan!.Streams)
            _opened.Remove(work.Node);                                 // it may not know yet of the shards that the work reads
        if (IsStopping && ComputeWork.ReplicaOf(key) is { } replica)
            Fail($"replica {replica} could not be handed over, and takes its steps of this round again next time: {failed.Why}");
        else if (_failures.IsHopeless(key) || (failed.Kind == WorkFailure.Permanent && !others))
            Fail(failed.Why);
        else if (!settings.GoesOn
            && (_failures.IsTedious(key, View.Nodes.Count) || (failed.Kind == WorkFailure.Exhausted && !others)))
            Fail(failed.Why);                                          // where runs go on by themselves, nothing waits for a person
        else if (failed.Kind is WorkFailure.Permanent or WorkFailure.Exhausted || (others && _failures.IsStubborn(work)))
            Rest(work.Node, failed.Why);
        if (Failure is not null)
            return;
        if (attempts > 1)
            _outputs.Add(new RunOutput.Notice(
                $"the {key} has failed {attempts} times, last on {Names([work.Node])}: {failed.Why}; trying again"));
        if (failed.Kind != WorkFailure.Lost)
            return;
        if (attempts > 1)
            _relaysUntil = _now + RelayFor;                            // the last survey found everything
        if (View.Surveyed)
            SurveyAgain();
    }

    private void Tick()
    {
        foreach (var work in _failures.Wake(_now))
            View = View.Answered(work.Work, work.Node);
        if (_health.Recover(_now))
            ReviewNodes();
        foreach (var node in _inventory.Overdue(_now))
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
            .Where(w => ComputeWork.ReplicaOf(w.Key.Work) is null && _now - _stalls.Alive(w.Key, w.Value) > Overlong).ToList())
            Rest(stuck.Node, $"it has not finished its {stuck.Work} for {Overlong.TotalMinutes} minutes");
        // Slow is not dead: the node goes on, and its result counts. Another one takes the steps, too.
        _stalls.Keep(View.InFlight.ContainsKey);
        foreach (var (hung, since) in View.InFlight.Where(w => w.Key.Work.Kind == ComputeWork.Kind.Name).ToList())
            // The nodes of several stages notice themselves which of them hangs, and name it: later than that is for when all hang.
            if (_stalls.IsStalled(hung, since, View.Attempts.ContainsKey(hung) ? _now - Overlong : _now)
                && View.Workers.Count(n => n != hung.Node) >= Stages)
                Rest(hung.Node, $"its {hung.Work} makes no progress");
    }

    private void Enlist(NodeReport.Enlist report)
    {
        var isNew = !_health.Knows(report);
        if (isNew)
            Forget(report.Node);
        if (isNew && !View.Surveyed)
            _inventory.Begin(_now);                                    // other nodes may be about to enlist as well
        _released.Remove(report.Node);                                 // the node is still waiting for Release, or stays
        _health.Note(report);
        View = _health.Enlist(View, Run, report, Plan?.Needs);
        if (Plan is not null)
            Reconcile(report);
    }

    private void Forget(NodeId node)
    {
        _health.Forget(node);
        _inventory.Forget(node);
        _opened.Remove(node);
        _openedAt.Remove(node);
        _busy.Remove(node);
        _released.Remove(node);
        _failures.Forget(node);
        _audits.Forget(node);
        Without(view => view.Lose(node));
    }

    // The node is asked anew what it stores: its copies of what is committed may be the last ones.
    private void Quarantine(RunEvent.NodeQuarantined quarantined)
    {
        var report = _health.Of(quarantined.Node);
        Forget(quarantined.Node);
        if (report is null)
            Send(quarantined.Node, new NodeCommand.Exclude(id, quarantined.Why));
        else
            Enlist(report);
        _outputs.Add(new RunOutput.Distrust(quarantined.Node));
    }

    private void ReleaseLeavers()
    {
        // A finished run is durable and gives out no work: what a leaver waits for would never be copied.
        if (IsIdleAfterFinish)
        {
            foreach (var leaver in _health.Reports.Where(r => r.Leaving && _released.Add(r.Node)))
                Send(leaver.Node, new NodeCommand.Release(id, leaver.Drains));
            return;
        }

        if (!View.Surveyed)
            return;
        // Where no node stays but one rests, leaving nodes wait: the resting node may take copies later.
        if (!View.Staying.Any() && View.Nodes.Keys.Any(n => _health.IsUnhealthy(n) && !Run.IsQuarantined(n)))
            return;
        foreach (var leaver in View.Nodes.Keys.Select(_health.Of).OfType<NodeReport.Enlist>()
            .Where(r => r.Leaving && !_health.IsUnhealthy(r.Node)))
            if (!_inventory.IsAwaited(leaver.Node) && Replication.CanGo(Run, View, leaver.Node, isInNoHurry: leaver.Draining)
                && _released.Add(leaver.Node))
            {
                _busy.Remove(leaver.Node);                             // nothing of it is taken any more
                Send(leaver.Node, new NodeCommand.Release(id, leaver.Drains));
            }
    }

    // A run that is not started has no plan.
    private Digest? WorkStart => Plan is { } plan ? Run.WorkStart(plan) : Run.Version;

    // Neither resting nor in quarantine.
    private bool IsOfUse(NodeId node) => !_health.IsUnhealthy(node) && !Run.IsQuarantined(node);

    // Makes the view agree with the work that the node reports, and drops reported work that is not needed.
    private void Reconcile(NodeReport.Enlist report)
    {
        WarnOfLaterTerm(report);
        var isTrusted = !Run.IsQuarantined(report.Node);
        var own = report.Pieces().Where(w => w.Job == id.Job).ToLookup(
            w => isTrusted && w.From == WorkStart && IsAttempt(w), w => new InFlightWork(w.Key, report.Node));
        var attempts = report.Pieces().Where(w => w.Job == id.Job && w.Attempt is not null).DistinctBy(w => w.Key)
            .ToDictionary(w => new InFlightWork(w.Key, report.Node));
        var has = own[true].Where(w => !View.InFlight.ContainsKey(w)
            || View.Attempts.GetValueOrDefault(w) == attempts.GetValueOrDefault(w).Attempt).ToHashSet();
        foreach (var (work, since) in View.InFlight
            .Where(w => w.Key.Node == report.Node && !has.Contains(w.Key) && !_failures.IsResting(w.Key) && _now - w.Value > InTransit)
            .ToList())
            View = View.Answered(work.Work, work.Node);
        var unknown = has.Where(w => !View.InFlight.ContainsKey(w)).ToLookup(w => Scheduler.IsDone(Run, Plan!, w));
        if (!_health.IsUnhealthy(report.Node))
            foreach (var work in unknown[false])
            {
                View = View.Give(work.Work, work.Node, _now, attempts.GetValueOrDefault(work).Attempt);
                if (attempts.TryGetValue(work, out var held))
                    _attemptOrders[work] = held.Order;
            }
        if (unknown[true].Concat(own[false]).Select(w => w.Work).ToArray() is { Length: > 0 } over)
            Send(report.Node, new NodeCommand.DropWork(id, over));
        // The node reports RunIdle when it has handed everything over; that message may get lost.
        if (IsStopping && has.Count == 0 && View.InFlight.Keys.All(w => w.Node != report.Node))
            _busy.Remove(report.Node);
    }

    // Terms only grow: an order of a later one says that the database is an older state of itself, or that this supervisor is outdated.
    private void WarnOfLaterTerm(NodeReport.Enlist report)
    {
        var latest = report.Pieces().Where(w => w.Job == id.Job).Select(w => w.Order.Term).DefaultIfEmpty().Max();
        if (_term is not { } term || latest <= Math.Max(term, _laterTerm))
            return;
        _laterTerm = latest;
        _outputs.Add(new RunOutput.Notice(
            $"{Names([report.Node])} has an order of term {latest}, and this supervisor has term {term}: unless another seed has just "
            + "taken over, the database is an older copy, or its file journal.db-wal was lost. The run goes on from what the database "
            + "knows, and computes again what it lacks; where there is a newer copy of the database, stop the seeds and put it back"));
    }

    private void Rest(NodeId node, string why)
    {
        _health.MarkUnhealthy(node, why, _now);
        Send(node, new NodeCommand.Exclude(id, why));
        Without(view => view.PutDown(node));
        ReviewNodes();
    }

    private void ReviewNodes()
    {
        foreach (var report in _health.Reports.Where(r => View.Nodes.ContainsKey(r.Node)).ToList())
            View = _health.Enlist(View, Run, report, Plan?.Needs);
    }

    // Data planes of nodes that hold the needed sets, at most SourcesOfASet for each, in turn; then of seeds, which are meant to stay.
    private string[] SourcesOf(IEnumerable<Digest> needs, NodeId except) =>
    [
        .. needs.Distinct()
            .SelectMany(set => View.HoldersOf(set).Where(n => n != except).Order(View.Nodes.KeyComparer).ToList() is var holders
                ? Enumerable.Range(0, Math.Min(SourcesOfASet, holders.Count)).Select(i => holders[(int)((_orders + i) % holders.Count)])
                : [])
            .Select(n => _health.Of(n)?.Endpoint).OfType<string>()
            .Concat(Seeds(except)).Distinct().Take(MostSources),
    ];

    private string[] Seeds(NodeId except) =>
        [.. _health.Reports.Where(r => r.Seed && r.Node != except).Select(r => r.Endpoint)
            .Order(StringComparer.Ordinal).Take(SourcesOfASet)];

    // For people, who know nodes by their addresses; not all of a thousand nodes.
    private string Names(IEnumerable<NodeId> nodes)
    {
        var names = nodes.Select(n => _health.Of(n) is { } report ? $"{report.Address} ({n})" : n.Value)
            .Order(StringComparer.Ordinal).ToList();
        return string.Join(", ", names.Take(MostNames)) + (names.Count > MostNames ? $" and {names.Count - MostNames} more" : "");
    }
}
