using Elastic.Actors.Runs;
using Elastic.Messages;
using Elastic.Messages.Nodes;
using Elastic.Messages.Runs;
using static Elastic.Actors.Tests.Runs.RunSamples;

namespace Elastic.Actors.Tests.Runs.Simulation;

/// <summary>
/// RunSupervisor without actors: the same <see cref="RunDesk"/>, and a journal that is a list. Checks after every command what must hold
/// of every run.
/// </summary>
internal sealed class VirtualSupervisor(RunPlan plan, Action<NodeId, NodeCommand> tell, Action<NodeCommand.Retain> retain)
{
    private readonly Queue<RunCommand> _toSelf = [];
    private RunDesk _desk = new(Id, _ => plan);

    public List<RunEvent> Journal { get; } = [];

    public RunState Run => _desk.Run;

    public Fleet Fleet => _desk.Fleet;

    /// <summary>True when a piece of work failed too often: the real one says why and waits for a restart.</summary>
    public bool HasFailed => _desk.Failure is not null;

    /// <summary>Starts anew from the journal; everything else is forgotten.</summary>
    public void Crash()
    {
        var before = _desk.Run;
        _desk = new RunDesk(Id, _ => plan);
        Journal.ForEach(_desk.Fold);
        Assert.Equal(Deep(before), Deep(_desk.Run));
        _desk.Recovered();
        _toSelf.Clear();
    }

    public void Handle(RunCommand command)
    {
        var before = Run;
        var tooLate = command is RunCommand.FinishSurvey && Fleet.Surveyed;
        var decision = _desk.Decide(command);
        Assert.True(decision.Refusal is null || decision.Events.Count == 0);
        foreach (var e in decision.Events)
        {
            Check(e);
            Journal.Add(e);
            _desk.Fold(e);
        }

        if (decision.Refusal is null && !tooLate)
            Assert.Empty(Actors.Runs.Run.Decide(Run, command, plan).Events);                   // asking twice is always safe
        if (decision.Refusal is not null)
            Assert.Same(before, Run);
        Then(() => _desk.Settle(command, decision));
    }

    public void Handle(NodeReport report) => Then(() =>
    {
        switch (report)
        {
            case NodeReport.Enlist enlist:
                _desk.Enlist(enlist);
                break;
            case NodeReport.VersionHeld held:
                _desk.Hold(held);
                break;
            case NodeReport.RunIdle idle:
                _desk.PutDown(idle);
                break;
            case NodeReport.WorkFailed failed:
                if (_desk.TakeBack(failed) is var (work, _))
                    _desk.GiveOutAgain(work);
                break;
        }
    });

    public void Forget(NodeId node) => Then(() => _desk.Lose(node));

    /// <summary>A person asks to stop.</summary>
    public void Stop() => Then(_desk.Stop);

    /// <summary>Handles one of its own messages.</summary>
    public void HandleOwn()
    {
        if (_toSelf.TryDequeue(out var own))
            Handle(own);
    }

    private void Then(Action happens)
    {
        happens();
        var outgoing = _desk.TakeOutbox();
        foreach (var (node, command) in outgoing)
        {
            Assert.True(Fleet.Devices.ContainsKey(node));
            if (command is not (NodeCommand.Retain or NodeCommand.OpenRun))
                tell(node, command);
        }

        // The world's nodes share their blobs, so that they collect as one, at once.
        if (outgoing.Select(o => o.Command).OfType<NodeCommand.Retain>().FirstOrDefault() is { } order)
            retain(order);
        if (_desk.TakeCommit() is { } commit)
            _toSelf.Enqueue(commit);
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
        Assert.Equal(Enumerable.Range(0, plan.Replicas), Run.Finished.Keys);
        Assert.All(Run.Finished.Values, r => Assert.Equal(committed.Round, r.Round));
        Assert.Equal((committed.Round + 1) * plan.TokensPerRound, committed.TokensSeen);
    }
}
