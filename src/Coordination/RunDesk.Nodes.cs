using Elastic.Messages;
using Elastic.Messages.Nodes;
using Elastic.Messages.Runs;

namespace Elastic.Coordination;

// The desk's view of the nodes: who comes, goes, rests, leaves, and what each has in hand.
public sealed partial class RunDesk
{
    /// <summary>A node says that it is there, and what it has in hand.</summary>
    /// <returns>True when it is new, or began anew.</returns>
    public bool Enlist(NodeReport.Enlist report)
    {
        if (Run.IsQuarantined(report.Node))
        {
            if (!_roster.Knows(report))
                _outbox.Add(new Outgoing(report.Node, new NodeCommand.Exclude(id, Run.Quarantined[report.Node.Value])));
            _roster.Note(report);
            return false;
        }

        var isNew = !_roster.Knows(report);
        if (isNew)
            Forget(report.Node);
        if (isNew && !Fleet.Surveyed)
            _inventory.Begin(_now);                                    // others may be on their way as well
        if (report.Leaving)
            _released.Remove(report.Node);                             // it is still waiting for the word
        _roster.Note(report);
        Fleet = _roster.Enlist(Fleet, Run, report);
        if (Plan is not null)
            Reconcile(report);
        Advance();
        return isNew;
    }

    /// <summary>A node is gone, or is thought to be: its work may be given to others.</summary>
    public void Lose(NodeId node)
    {
        Forget(node);
        Advance();
    }

    private void Forget(NodeId node)
    {
        _roster.Forget(node);
        _inventory.Forget(node);
        _opened.Remove(node);
        _busy.Remove(node);
        _released.Remove(node);
        _failures.Forget(node);
        Fleet = Fleet.Lose(node);
    }

    /// <summary>A node has handed over or finished all that its devices did.</summary>
    public void PutDown(NodeReport.RunIdle idle)
    {
        _busy.Remove(idle.Node);
        Fleet = Fleet.PutDown(idle.Node);
        Advance();
    }

    /// <summary>A node could not open the run, and is asked again after a while; or was not asked to, because that message was lost, and is asked at once.</summary>
    public void Unopened(NodeReport.RunUnopened report)
    {
        _opened.Remove(report.Node);
        _inventory.Forget(report.Node);
        if (report.Why is null)
        {
            Advance();
            return;
        }

        if (Fleet.Nodes.Keys.All(n => n == report.Node || _roster.IsAiling(n)) && !_goesOn)
            Fail(report.Why);
        else
            Rest(report.Node, report.Why);
        Advance();
    }

    // Nobody asks who has what of a run that was finished before this supervisor came: its checkpoint is durable.
    private void ReleaseLeavers()
    {
        if (!(Fleet.Surveyed || RestsInPeace) || _asked.Contains(typeof(RunCommand.LoseWork)))
            return;
        // Where nobody stays there is nothing to wait for, unless somebody is only resting.
        if (!Fleet.Staying.Any() && Fleet.Nodes.Keys.Any(_roster.IsAiling))
            return;
        foreach (var node in Fleet.Nodes.Where(n => n.Value.Leaving && !_roster.IsAiling(n.Key)).Select(n => n.Key))
            if (!_inventory.IsAwaited(node) && Replication.CanGo(Run, Fleet, node) && _released.Add(node))
                _outbox.Add(new Outgoing(node, new NodeCommand.Release(id)));
    }

    private void Open(NodeId node)
    {
        _outbox.Add(new Outgoing(node, new NodeCommand.OpenRun(id, Run.Settings!, Run.Corpus, Run.Manifest)));
        _outbox.AddRange(_inventory.Ask(Run, node, _now).Select(s => new Outgoing(node, s)));
        if (_roster.Reports.FirstOrDefault(r => r.Node == node) is { } report && Roster.Unfit(Run, report) is { } why)
            _outbox.Add(new Outgoing(node, new NodeCommand.Exclude(id, why)));
        if (Run.IsPaused)
            _outbox.Add(new Outgoing(node, new NodeCommand.StopRun(id)));
    }

    // What a node has in hand by its own account and what it should have, made the same.
    private void Reconcile(NodeReport.Enlist report)
    {
        var has = report.Works.Where(w => w.RunId == id).Select(w => new Holding(w.Work, report.Node)).ToHashSet();
        foreach (var (holding, since) in Fleet.InHand.Where(w => w.Key.Node == report.Node && !has.Contains(w.Key) && !_failures.IsResting(w.Key) && _now - w.Value > InFlight).ToList())
            Fleet = Fleet.Answered(holding.Work, holding.Node);
        var unknown = has.Where(w => !Fleet.InHand.ContainsKey(w)).ToList();
        foreach (var holding in unknown.Where(w => !Dispatch.IsDone(Run, Plan!, w)))
            Fleet = Fleet.Give(holding.Work, holding.Node, _now);
        if (unknown.Where(w => Dispatch.IsDone(Run, Plan!, w)).Select(w => w.Work).ToArray() is { Length: > 0 } over)
            _outbox.Add(new Outgoing(report.Node, new NodeCommand.DropWork(id, over)));
        // It says so itself when it has put everything down; that may get lost.
        if (Fleet.Stopping && has.Count == 0 && Fleet.InHand.Keys.All(w => w.Node != report.Node))
            _busy.Remove(report.Node);
    }

    private void Rest(NodeId node, string why)
    {
        _roster.Ail(node, why, _now);
        _outbox.Add(new Outgoing(node, new NodeCommand.Exclude(id, why)));
        Fleet = Fleet.PutDown(node);
        ReviewNodes();
    }

    private void ReviewNodes()
    {
        foreach (var report in _roster.Reports.Where(r => Fleet.Nodes.ContainsKey(r.Node)).ToList())
            Fleet = _roster.Enlist(Fleet, Run, report);
    }

    private void SurveyAgain()
    {
        Fleet = Fleet.Forget([]) with { Surveyed = false };
        _inventory.Begin(_now);
        // Read everything again: what a node believes to be whole may be what somebody found damaged.
        foreach (var node in _opened)
            _outbox.AddRange(_inventory.Ask(Run, node, _now).Select(s => new Outgoing(node, s with { Thorough = true })));
    }
}
