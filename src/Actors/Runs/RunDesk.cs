using Elastic.Messages;
using Elastic.Messages.Nodes;
using Elastic.Messages.Runs;

namespace Elastic.Actors.Runs;

/// <summary>A message for a node.</summary>
public readonly record struct Outgoing(NodeId Node, NodeCommand Command);

// What a supervisor has before it: the run as the journal has it, the fleet, and what is to be sent. It decides and keeps
// count without actors, clocks or I/O, so that a simulation can run the very same code. Whoever owns it stores the events of a
// decision, then calls Fold for each and Settle for the command, and sends what TakeOutbox gives.
public sealed class RunDesk(RunId id, Func<RunState, RunPlan> planOf)
{
    private const int MostAttempts = 4;

    private readonly Dictionary<NodeId, string> _incarnations = [];
    private readonly HashSet<NodeId> _opened = [];
    private readonly HashSet<NodeId> _busy = [];
    private readonly Dictionary<WorkKey, int> _attempts = [];
    private readonly List<Outgoing> _outbox = [];
    private int _committing = -1;

    public RunState Run { get; private set; } = RunState.Empty(id);

    public RunPlan? Plan { get; private set; }

    public Fleet Fleet { get; private set; } = Fleet.Empty;

    /// <summary>Why the run cannot go on; null while it can.</summary>
    public string? Failure { get; private set; }

    /// <summary>Where the run stands, for people.</summary>
    public RunPhase Phase => Fleet.Stopping && _busy.Count == 0 && !Run.IsFinished ? RunPhase.Stopped : Run.Phase(Plan!);

    public Decision Decide(RunCommand command) =>
        // A survey counts once. One that comes late speaks of an older state, and would take for lost whatever was stored since.
        command is RunCommand.FinishSurvey && Fleet.Surveyed ? Decision.AlreadyDone : Runs.Run.Decide(Run, command, Plan);

    /// <summary>A stored event, new or replayed.</summary>
    public void Fold(RunEvent e)
    {
        Run = Runs.Run.Apply(Run, e);
        if (e is RunEvent.RunStarted or RunEvent.SettingsChanged)
            Plan = planOf(Run);
    }

    /// <summary>The journal is replayed. Nothing is given out before somebody says Start, and says the same as the journal.</summary>
    public void Recovered() => Fleet = Fleet with { Surveyed = Run.Version is null, Stopping = true };

    /// <summary>What follows from a command once its events are stored.</summary>
    /// <returns>Something worth telling a person; null where there is nothing.</returns>
    public string? Settle(RunCommand command, Decision decision)
    {
        if (Dispatch.AnsweredBy(command) is { } work)
        {
            Fleet = Fleet.Answered(work);
            _attempts.Remove(work);
        }

        switch (command)
        {
            case RunCommand.FinishSurvey when decision.Refusal is null:
                Fleet = Fleet with { Surveyed = true };
                break;
            case RunCommand.Start when decision.Refusal is null:
                Fleet = Fleet with { Stopping = false };
                break;
            case RunCommand.CommitRound when decision.Refusal is not null:
                _committing = -1;
                break;
        }

        var notices = decision.Events.Select(React).OfType<string>().ToList();
        Advance();
        return notices.Count > 0 ? string.Join("; ", notices) : null;
    }

    /// <summary>A node says that it is there.</summary>
    /// <returns>True when it is new, or began anew.</returns>
    public bool Enlist(NodeReport.Enlist report)
    {
        if (_incarnations.GetValueOrDefault(report.Node) == report.Incarnation)
            return false;
        Lose(report.Node);
        _incarnations[report.Node] = report.Incarnation;
        Fleet = Fleet.Enlist(report.Node, report.Devices);
        Advance();
        return true;
    }

    /// <summary>A node is gone: its work may be given to others.</summary>
    public void Lose(NodeId node)
    {
        _incarnations.Remove(node);
        _opened.Remove(node);
        _busy.Remove(node);
        Fleet = Fleet.Lose(node);
        Advance();
    }

    /// <summary>A node has handed over or finished all that its devices did.</summary>
    public void PutDown(NodeReport.RunIdle idle)
    {
        _busy.Remove(idle.Node);
        Fleet = Fleet.PutDown(idle.Node);
        Advance();
    }

    /// <summary>A node holds the version that is due.</summary>
    public void Hold(NodeReport.VersionHeld held)
    {
        Fleet = Fleet.Answered(new WorkKey(WorkKind.Assemble, held.Round, Node: held.Node));
        if (held.Round != Run.Round || !Fleet.Devices.ContainsKey(held.Node))
            return;
        Fleet = Fleet with { Holders = Fleet.Holders.SetItem(held.Node, new HeldVersion(held.Version, held.Fingerprint)) };
        Advance();
    }

    /// <summary>Work that failed.</summary>
    /// <returns>The work and how often it has failed, when it is to be given out again after a while; null when it is not.</returns>
    public (WorkKey Work, int Attempt)? TakeBack(NodeReport.WorkFailed failed)
    {
        // A node that was given up, or is a round behind, may fail at what is done long since: its blobs are gone.
        if (Dispatch.KeyOf(failed.Work, failed.Node) is not { } work || !Fleet.InHand.TryGetValue(work, out var holder) || holder != failed.Node)
            return null;
        var attempt = _attempts[work] = _attempts.GetValueOrDefault(work) + 1;
        if (Fleet.Stopping && work.Kind == WorkKind.Replica)
            Fail($"replica {work.Index} could not be handed over, and takes its steps of this round again next time: {failed.Why}");
        else if (failed.Kind == WorkFailure.Permanent || attempt >= MostAttempts)
            Fail(failed.Why);
        if (Failure is not null)
            return null;
        if (failed.Kind == WorkFailure.Lost)
            Fleet = Fleet with { Surveyed = false };
        return (work, attempt);
    }

    /// <summary>Work that was taken back may be given out.</summary>
    public void GiveOutAgain(WorkKey work)
    {
        Fleet = Fleet.Answered(work);
        Advance();
    }

    /// <summary>A person asks to stop at the next step boundary.</summary>
    public void Stop()
    {
        if (Fleet.Stopping)
            return;
        Fleet = Fleet with { Stopping = true };
        _outbox.AddRange(_opened.Select(node => new Outgoing(node, new NodeCommand.StopRun(id))));
    }

    /// <summary>The run cannot go on.</summary>
    public void Fail(string why) => Failure ??= why;

    /// <summary>The commit that is due and was not asked for yet; the owner handles it as it does any command.</summary>
    public RunCommand.CommitRound? TakeCommit()
    {
        if (Failure is not null || Plan is null || Dispatch.Commit(Run, Fleet, Plan) is not { } commit || _committing == commit.Round)
            return null;
        _committing = commit.Round;
        return commit;
    }

    /// <summary>What is to be sent, in this order.</summary>
    public IReadOnlyList<Outgoing> TakeOutbox()
    {
        Outgoing[] outgoing = [.. _outbox];
        _outbox.Clear();
        return outgoing;
    }

    private void Advance()
    {
        if (Plan is null || Failure is not null)
            return;
        foreach (var node in Fleet.Devices.Keys)
            if (_opened.Add(node))
                _outbox.Add(new Outgoing(node, new NodeCommand.OpenRun(id, Run.Settings!, Run.Corpus)));
        (Fleet, var work) = Dispatch.Next(Run, Fleet, Plan);
        foreach (var assignment in work)
        {
            _busy.Add(assignment.Node);
            _outbox.Add(new Outgoing(assignment.Node, assignment.Command));
        }
    }

    private string? React(RunEvent e)
    {
        switch (e)
        {
            case RunEvent.RoundCommitted:
                NextVersion();
                if (!Plan!.Checkpoints(Run.Round))
                    Retain();
                return null;
            case RunEvent.CheckpointTaken:
                Retain();
                return null;
            case RunEvent.SettingsChanged:
                _opened.Clear();                                       // the nodes are told again
                return null;
            case RunEvent.RolledBack rolledBack:
                NextVersion();
                return rolledBack.Why;
            case RunEvent.WorkLost lost:
                NextVersion();
                return lost.Replicas.Length > 0 ? $"{lost.Why}: they are computed again" : null;
            case RunEvent.ReplicaDisputed { Accepted: var accepted, Other: var other }:
                return $"replica {other.Replica} of round {other.Round} was computed twice with different bytes " +
                       $"({accepted.Contribution.Short} and {other.Contribution.Short}): check memory and disks";
            default:
                return null;
        }
    }

    // What was assembled, and committed, is no longer the version that is due.
    private void NextVersion()
    {
        Fleet = Fleet with { Holders = Fleet.Holders.Clear() };
        _committing = -1;
    }

    // A version that is to be a checkpoint is current until its checkpoint is stored (see Dispatch.Commit), so it is among the references.
    private void Retain()
    {
        var retain = new NodeCommand.Retain(id, Run.Round, [.. Run.References()], [.. Run.Checkpoints.Select(c => c.Version)]);
        _outbox.AddRange(_opened.Select(node => new Outgoing(node, retain)));
    }
}
