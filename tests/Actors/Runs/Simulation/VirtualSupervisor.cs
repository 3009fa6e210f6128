using Elastic.Actors.Runs;
using Elastic.Messages;
using Elastic.Messages.Nodes;
using Elastic.Messages.Runs;
using static Elastic.Actors.Tests.Runs.RunSamples;

namespace Elastic.Actors.Tests.Runs.Simulation;

/// <summary>
/// RunSupervisor without actors: the same calls of <see cref="Run"/> and <see cref="Dispatch"/> in the same order, and a journal that
/// is a list. Checks after every command what must hold of every run.
/// </summary>
internal sealed class VirtualSupervisor(RunPlan plan, Action<NodeId, NodeCommand> tell, Action<NodeCommand.Retain> retain)
{
    private const int MostAttempts = 4;

    private readonly Dictionary<WorkKey, int> _attempts = [];
    private readonly Queue<RunCommand> _toSelf = [];
    private RunState _run = RunState.Empty(Id);
    private Fleet _fleet = Fleet.Empty with { Surveyed = true };
    private int _committing = -1;

    public List<RunEvent> Journal { get; } = [];

    public RunState Run => _run;

    public Fleet Fleet => _fleet;

    /// <summary>True when a piece of work failed too often: the real one says why and waits for a restart.</summary>
    public bool HasFailed { get; private set; }

    /// <summary>Starts anew from the journal; everything else is forgotten.</summary>
    public void Crash()
    {
        var folded = Fold(RunState.Empty(Id), [.. Journal]);
        Assert.Equal(Deep(_run), Deep(folded));
        _run = folded;
        _fleet = Fleet.Empty with { Surveyed = _run.Version is null, Stopping = true };
        _attempts.Clear();
        _toSelf.Clear();
        (_committing, HasFailed) = (-1, false);
    }

    public void Handle(RunCommand command)
    {
        var before = _run;
        var tooLate = command is RunCommand.FinishSurvey && _fleet.Surveyed;
        var decision = tooLate ? Decision.AlreadyDone : Actors.Runs.Run.Decide(_run, command, plan);
        Assert.True(decision.Refusal is null || decision.Events.Count == 0);
        foreach (var e in decision.Events)
        {
            Check(e);
            Journal.Add(e);
            _run = Actors.Runs.Run.Apply(_run, e);
        }

        if (decision.Refusal is null && !tooLate)
            Assert.Empty(Actors.Runs.Run.Decide(_run, command, plan).Events);                   // asking twice is always safe
        if (decision.Refusal is not null)
            Assert.Same(before, _run);

        if (Dispatch.AnsweredBy(command) is { } work)
        {
            _fleet = _fleet.Answered(work);
            _attempts.Remove(work);
        }

        if (command is RunCommand.CommitRound && decision.Refusal is not null)
            _committing = -1;
        if (command is RunCommand.FinishSurvey && decision.Refusal is null)
            _fleet = _fleet with { Surveyed = true };
        if (command is RunCommand.Start)
            _fleet = _fleet with { Stopping = false };
        foreach (var e in decision.Events)
            React(e);
        Advance();
    }

    public void Handle(NodeReport report)
    {
        switch (report)
        {
            case NodeReport.Enlist enlist:
                _fleet = _fleet.Lose(enlist.Node).Enlist(enlist.Node, enlist.Devices);
                break;
            case NodeReport.VersionHeld held:
                _fleet = _fleet.Answered(new WorkKey(WorkKind.Assemble, held.Round, Node: held.Node));
                if (held.Round == _run.Round && _fleet.Devices.ContainsKey(held.Node))
                    _fleet = _fleet with { Holders = _fleet.Holders.SetItem(held.Node, new HeldVersion(held.Version, held.Fingerprint)) };
                break;
            case NodeReport.RunIdle idle:
                _fleet = _fleet.PutDown(idle.Node);
                break;
            case NodeReport.WorkFailed failed:
                if (Dispatch.KeyOf(failed.Work, failed.Node) is not { } work || !_fleet.InHand.TryGetValue(work, out var holder) || holder != failed.Node)
                    return;
                HasFailed |= (_attempts[work] = _attempts.GetValueOrDefault(work) + 1) >= MostAttempts;
                _fleet = _fleet.Answered(work);
                break;
        }

        Advance();
    }

    public void Forget(NodeId node)
    {
        _fleet = _fleet.Lose(node);
        Advance();
    }

    /// <summary>A person asks to stop.</summary>
    public void Stop()
    {
        _fleet = _fleet with { Stopping = true };
        foreach (var node in _fleet.Devices.Keys)
            tell(node, new NodeCommand.StopRun(Id));
    }

    private void Advance()
    {
        if (HasFailed || !_run.Exists)
            return;
        var inHand = _fleet.InHand;
        (_fleet, var work) = Dispatch.Next(_run, _fleet, plan);
        Assert.Equal(work.Count, work.Select(w => w.Key).Distinct().Count());
        foreach (var (key, node, command) in work)
        {
            Assert.False(inHand.ContainsKey(key));                       // in nobody's hand
            Assert.True(_fleet.Devices.ContainsKey(node));
            tell(node, command);
        }

        if (Dispatch.Commit(_run, _fleet, plan) is { } commit && _committing != commit.Round)
        {
            _committing = commit.Round;
            _toSelf.Enqueue(commit);
        }
    }

    /// <summary>Handles one of its own messages.</summary>
    public void HandleOwn()
    {
        if (_toSelf.TryDequeue(out var own))
            Handle(own);
    }

    private void Check(RunEvent e)
    {
        if (e is not RunEvent.RoundCommitted committed)
            return;
        var before = Journal.LastOrDefault(x => x is RunEvent.RoundCommitted or RunEvent.RolledBack) switch
        {
            RunEvent.RoundCommitted x => x.Round + 1,
            RunEvent.RolledBack x => x.From?.Version ?? 0,
            _ => 0,
        };
        Assert.Equal(before, committed.Round);                           // in order, without gaps
        Assert.Equal(Enumerable.Range(0, plan.Replicas), _run.Finished.Keys);
        Assert.All(_run.Finished.Values, r => Assert.Equal(committed.Round, r.Round));
        Assert.Equal((committed.Round + 1) * plan.TokensPerRound, committed.TokensSeen);
    }

    private void React(RunEvent e)
    {
        if (e is RunEvent.RoundCommitted or RunEvent.RolledBack)
            _fleet = _fleet with { Holders = _fleet.Holders.Clear() };
        if (e is RunEvent.RolledBack or RunEvent.WorkLost)
            (_committing, _fleet) = (-1, _fleet with { Holders = _fleet.Holders.Clear() });
        if (e is RunEvent.CheckpointTaken || (e is RunEvent.RoundCommitted && !plan.Checkpoints(_run.Round)))
            retain(new NodeCommand.Retain(Id, _run.Round, [.. _run.References()], [.. _run.Checkpoints.Select(c => c.Version)]));
    }
}
