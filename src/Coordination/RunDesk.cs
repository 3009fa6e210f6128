using Elastic.Messages;
using Elastic.Messages.Nodes;
using Elastic.Messages.Runs;

namespace Elastic.Coordination;

/// <summary>A message for a node.</summary>
public readonly record struct Outgoing(NodeId Node, NodeCommand Command);

// What a supervisor has before it: the run as the journal has it, the fleet, and what is to be sent. It decides and keeps
// count without actors, clocks or I/O, so that a simulation can run the very same code. Whoever owns it stores the events of a
// decision, then calls Fold for each and Settle for the command, sends what TakeOutbox gives and handles what TakeOwn gives.
/// <param name="patience">How long to wait for nodes that may hold a version before it is taken for lost.</param>
public sealed partial class RunDesk(RunId id, Func<RunState, RunPlan> planOf, TimeSpan patience)
{
    // A message to or from a node that lives may be lost with its connection. The node says every second what it has in hand.
    private static readonly TimeSpan InFlight = TimeSpan.FromSeconds(3);

    // Results on a node that has just fallen silent: it may be back in a moment.
    private static readonly TimeSpan Grace = TimeSpan.FromSeconds(2);

    // No piece of work but a replica's round takes so long on a node that is well. (A slow replica gets a second runner.)
    private static readonly TimeSpan Overlong = TimeSpan.FromMinutes(5);

    private readonly Roster _roster = new();
    private readonly Inventory _inventory = new(patience);
    private readonly HashSet<NodeId> _opened = [];
    private readonly HashSet<NodeId> _busy = [];
    private readonly HashSet<NodeId> _released = [];
    private readonly Failures _failures = new();
    private readonly Timings _timings = new();
    private readonly List<Outgoing> _outbox = [];
    private readonly Queue<RunCommand> _own = new();
    private readonly HashSet<Type> _asked = [];
    private TimeSpan _now;
    private TimeSpan? _lostSince;
    private bool _goesOn;

    public RunState Run { get; private set; } = RunState.Empty(id);

    public RunPlan? Plan { get; private set; }

    public Fleet Fleet { get; private set; } = Fleet.Empty;

    /// <summary>Why the run cannot go on; null while it can.</summary>
    public string? Failure { get; private set; }

    /// <summary>Where the run stands, for people.</summary>
    public RunPhase Phase => Run.IsFinished ? RunPhase.Finished
        : Fleet.Stopping && _busy.Count == 0 ? RunPhase.Stopped
        : Fleet.DeviceCount == 0 ? RunPhase.Waiting
        : Run.Phase(Plan!);

    /// <summary>What is to be stored for a command.</summary>
    public Decision Decide(RunCommand command)
    {
        var decision = IsLate(command) ? Decision.AlreadyDone : Coordination.Run.Decide(Run, command, Plan);
        // Noted before the events are folded: what is in the journal and on no node counts as lost.
        if (decision.Refusal is null)
            Fleet = Fleet.Hold(command);
        return decision;
    }

    /// <summary>A stored event, new or replayed.</summary>
    public void Fold(RunEvent e)
    {
        Run = Coordination.Run.Apply(Run, e);
        if (e is RunEvent.RunStarted or RunEvent.SettingsChanged)
            Plan = planOf(Run);
    }

    /// <summary>The state that a snapshot kept; the events after it are folded next.</summary>
    public void Restore(RunState run)
    {
        Run = run;
        Plan = run.Exists ? planOf(run) : null;
    }

    /// <summary>The journal is replayed.</summary>
    /// <param name="goOn">False where nothing is to be given out before somebody says Start, and says the same as the journal.</param>
    public void Recovered(bool goOn)
    {
        _goesOn = goOn;
        Fleet = Fleet with { Surveyed = Run.Version is null, Stopping = !goOn || Run.IsPaused };
        _inventory.Begin(_now);
    }

    /// <summary>It is that late now; whatever happens next happens then.</summary>
    public void At(TimeSpan now) => _now = now;

    /// <summary>Time passes, and nothing else happens.</summary>
    public void Tick()
    {
        if (_roster.Recover(_now))
            ReviewNodes();
        foreach (var node in _inventory.Overdue(_now))
        {
            if (!_inventory.IsMute(node))
            {
                _outbox.AddRange(_inventory.Ask(Run, node, _now).Select(s => new Outgoing(node, s)));
                continue;
            }

            _inventory.Forget(node);
            _opened.Remove(node);                                      // so that it is asked once more when it has rested
            Rest(node, "it does not say what it stores: its disk may hang");
        }

        foreach (var (stuck, since) in Fleet.InHand.Where(w => w.Key.Work.Kind != WorkKind.Replica && _now - w.Value > Overlong).ToList())
            Rest(stuck.Node, $"it has not finished its {stuck.Work.Kind.ToString().ToLowerInvariant()} of round {stuck.Work.Number} for {Overlong.TotalMinutes} minutes");
        Advance();
    }

    /// <summary>What follows from a command once its events are stored.</summary>
    /// <returns>Something worth telling a person; null where there is nothing.</returns>
    public string? Settle(RunCommand command, Decision decision)
    {
        _asked.Remove(command.GetType());
        if (Dispatch.AnsweredBy(command) is { } answered)
        {
            if (command is RunCommand.FinishReplica && Fleet.InHand.TryGetValue(answered, out var since))
                _timings.Note(_now - since);
            Answer(answered);
        }

        switch (command)
        {
            case RunCommand.FinishSurvey when decision.Refusal is null:
                Fleet = Fleet with { Surveyed = true };
                break;
            case RunCommand.Start when decision.Refusal is null:
                Fleet = Fleet with { Stopping = false };
                Failure = null;                                        // whoever says so has mended it
                _failures.Clear();
                break;
            case RunCommand.FinishReplica c when decision.Refusal is null && Run.BallotOf(c.Result.Replica).Votes is [var only] && only.Node == c.Node:
                Fleet = Fleet with { Homes = Fleet.Homes.SetItem(c.Result.Replica, c.Node) };
                break;
        }

        var notices = decision.Events.Select(React).OfType<string>().ToList();
        Advance();
        return notices.Count > 0 ? string.Join("; ", notices) : null;
    }

    /// <summary>A node holds the version that is due.</summary>
    public void Hold(NodeReport.VersionHeld held)
    {
        Answer(new Holding(new WorkKey(WorkKind.Assemble, held.Round), held.Node));
        // What it holds may be of sums that do not count any more.
        if (held.Round == Run.Round && Fleet.Nodes.ContainsKey(held.Node) && Run.Phase(Plan!) == RunPhase.Assembling && held.Version == Run.NextVersion(Plan!).Digest)
            Fleet = Fleet.Hold(held.Node, held.Version) with { Assembled = Fleet.Assembled.Add(held.Node) };
        Advance();
    }

    /// <summary>A node holds a vector set that it was asked to.</summary>
    public void Hold(NodeReport.SetHeld held)
    {
        Answer(new Holding(new WorkKey(WorkKind.Copy, held.Round, held.Copy), held.Node));
        Fleet = Fleet.Hold(held.Node, held.Set);
        Advance();
    }

    /// <summary>A node says what it still has.</summary>
    public void Hold(NodeReport.Surveyed report)
    {
        Fleet = _inventory.Note(Fleet, report);
        Advance();
    }

    /// <summary>Work that failed.</summary>
    /// <returns>The work and how often it has failed, when it is to be given out again after a while; null when it is not.</returns>
    public (Holding Work, int Attempt)? TakeBack(NodeReport.WorkFailed failed)
    {
        if (WorkKey.Of(failed.Work) is not { } work)
            return null;
        _outbox.Add(new Outgoing(failed.Node, new NodeCommand.DropWork(id, [work])));
        // A node that was given up, or is a round behind, may fail at what is done long since: its blobs are gone. And it says so until it hears.
        var holding = new Holding(work, failed.Node);
        if (!Fleet.InHand.ContainsKey(holding) || _failures.IsResting(holding))
            return null;
        var attempt = _failures.Note(holding, failed.Why, failed.Kind);
        var others = Fleet.Nodes.Any(n => n.Key != failed.Node && !_roster.IsAiling(n.Key)
            && (work.Kind is WorkKind.Checkpoint or WorkKind.Assemble or WorkKind.Copy || n.Value.Devices.Length > 0));
        if (Fleet.Stopping && work.Kind == WorkKind.Replica)
            Fail($"replica {work.Index} could not be handed over, and takes its steps of this round again next time: {failed.Why}");
        else if (_failures.IsHopeless(work, Fleet.Nodes.Count) || (failed.Kind == WorkFailure.Permanent && !others))
            Fail(failed.Why);
        else if (failed.Kind == WorkFailure.Permanent || (others && _failures.IsStubborn(holding)))
            Rest(failed.Node, failed.Why);
        if (Failure is not null)
            return null;
        if (failed.Kind == WorkFailure.Lost && Fleet.Surveyed)
            SurveyAgain();
        Advance();
        return (holding, attempt);
    }

    /// <summary>Work that was taken back may be given out.</summary>
    public void GiveOutAgain(Holding work)
    {
        if (_failures.Wake(work))
            Fleet = Fleet.Answered(work.Work, work.Node);
        Advance();
    }

    /// <summary>The run cannot go on.</summary>
    public void Fail(string why) => Failure ??= why;

    /// <summary>What the desk asks of itself, to be handled as any command is; null where there is nothing.</summary>
    public RunCommand? TakeOwn() => _own.TryDequeue(out var command) ? command : null;

    /// <summary>What is to be sent, in this order.</summary>
    public IReadOnlyList<Outgoing> TakeOutbox()
    {
        Outgoing[] outgoing = [.. _outbox];
        _outbox.Clear();
        return outgoing;
    }

    private void Advance()
    {
        if (Plan is null)
            return;
        var rests = Failure is not null || RestsInPeace;
        if (!rests)
            Inquire();
        foreach (var over in Fleet.InHand.Keys.Where(w => Dispatch.IsDone(Run, Plan, w)).GroupBy(w => w.Node).ToList())
            TakeAway(over.Key, [.. over.Select(w => w.Work)]);
        if (Run.Arithmetic.Length > 0)
            GiveOut(Plan, rests);
        ReleaseLeavers();
        if (!rests && Dispatch.Commit(Run, Fleet, Plan) is { } commit)
            Ask(commit);
    }

    // A finished run on a seed; one process that is asked to go on with it looks whether it is still whole.
    private bool RestsInPeace => Run.IsFinished && _goesOn;

    private void Inquire()
    {
        foreach (var node in Fleet.Nodes.Keys.Where(n => !_roster.IsAiling(n)))
            if (_opened.Add(node))
                Open(node);
        if (Run.Arithmetic.Length == 0 && _roster.CommonArithmetic() is { } arithmetic)
            Ask(new RunCommand.ChooseArithmetic(id, arithmetic));
        if (_inventory.Judge(Run, Fleet, _now) is { } judgement)
            Ask(judgement);
        var lost = Replication.Lost(Run, Fleet);
        _lostSince = lost is null ? null : _lostSince ?? _now;
        if (lost is not null && _now - _lostSince >= Grace)
            Ask(lost);
    }

    // Nobody waits for this any more.
    private void TakeAway(NodeId node, WorkKey[] works)
    {
        _outbox.Add(new Outgoing(node, new NodeCommand.DropWork(id, works)));
        foreach (var work in works)
            Fleet = Fleet.Answered(work, node);
    }

    // A run that rests gives out copies only: what it has is kept, whoever leaves.
    private void GiveOut(RunPlan plan, bool rests)
    {
        var stopping = Fleet.Stopping;
        (Fleet, var work) = Dispatch.Next(Run, Fleet with { Stopping = stopping || rests }, plan, new Pace(_now, _timings.Median));
        Fleet = Fleet with { Stopping = stopping };
        foreach (var assignment in work)
        {
            if (assignment.Key.Kind != WorkKind.Copy)
                _busy.Add(assignment.Node);
            _outbox.Add(new Outgoing(assignment.Node, assignment.Command));
        }
    }

    private bool IsLate(RunCommand command) => command switch
    {
        // A survey counts once. One that comes late speaks of an older state, and would take for lost whatever was stored since.
        RunCommand.FinishSurvey => Fleet.Surveyed,
        // From a node that was given up or may go: what it has made may be on no other, and is gone when it is.
        RunCommand.FinishInitialization or RunCommand.FinishChunks => Dispatch.AnsweredBy(command) is { } answered && !Fleet.InHand.ContainsKey(answered),
        _ => false,
    };

    // Its own commands are asked for once, and again only when they were settled.
    private void Ask(RunCommand command)
    {
        if (_asked.Add(command.GetType()))
            _own.Enqueue(command);
    }

    // The node keeps an answer, and gives it again and again, until it hears that nobody waits for it any more.
    private void Answer(Holding answered)
    {
        Fleet = Fleet.Answered(answered.Work, answered.Node);
        _failures.Succeeded(answered.Work);
        _roster.Thrives(answered.Node);
        _outbox.Add(new Outgoing(answered.Node, new NodeCommand.DropWork(id, [answered.Work])));
    }

    private string? React(RunEvent e)
    {
        switch (e)
        {
            case RunEvent.RoundCommitted:
                Fleet = Fleet.Forget(Run.References()) with { Assembled = Fleet.Assembled.Clear() };
                if (!Plan!.Checkpoints(Run.Round))
                    Retain();
                return null;
            case RunEvent.CheckpointTaken:
                Retain();
                return null;
            case RunEvent.SettingsChanged or RunEvent.CorpusPublished:
                _opened.Clear();                                       // the nodes are told again
                return null;
            case RunEvent.ArithmeticChosen chosen:
                ReviewNodes();
                _opened.Clear();
                return $"the run is computed with the arithmetic \"{chosen.Arithmetic}\"";
            case RunEvent.RunPaused:
                Fleet = Fleet with { Stopping = true };
                _outbox.AddRange(_opened.Select(node => new Outgoing(node, new NodeCommand.StopRun(id))));
                return null;
            case RunEvent.RunResumed:
                Fleet = Fleet with { Stopping = false };
                return null;
            case RunEvent.RolledBack rolledBack:
                Fleet = Fleet with { Assembled = Fleet.Assembled.Clear() };
                return rolledBack.Why;
            case RunEvent.WorkLost lost:
                Fleet = Fleet with { Assembled = Fleet.Assembled.Clear() };
                DropSums();
                return lost.Replicas.Length > 0 ? $"{lost.Why}: they are computed again" : null;
            case RunEvent.ReplicaContested { Accepted: var accepted, Other: var other }:
                return $"replica {other.Replica} of round {other.Round} was computed twice with different bytes " +
                       $"({accepted.Contribution.Short} and {other.Contribution.Short}): a third computation on another node settles it";
            case RunEvent.NodeQuarantined quarantined:
                var report = _roster.Reports.FirstOrDefault(r => r.Node == quarantined.Node);
                _outbox.Add(new Outgoing(quarantined.Node, new NodeCommand.Exclude(id, quarantined.Why)));
                Forget(quarantined.Node);
                if (report is not null)
                    _roster.Note(report);
                return $"{quarantined.Why}; it gets no more work of this run";
            default:
                return null;
        }
    }

    // Sums over results that do not count any more.
    private void DropSums()
    {
        foreach (var sums in Fleet.InHand.Keys.Where(w => w.Work.Kind is WorkKind.Average or WorkKind.Assemble).GroupBy(w => w.Node).ToList())
            TakeAway(sums.Key, [.. sums.Select(w => w.Work)]);
    }

    // A version that is to be a checkpoint is current until its checkpoint is stored (see Dispatch.Commit), so it is among the references.
    private void Retain()
    {
        int[] checkpoints = [.. Run.Checkpoints.Select(c => c.Version)];
        foreach (var (sets, part) in Part.Cut([.. Run.References()], Part.MostDigests))
            _outbox.AddRange(_opened.Select(node => new Outgoing(node, new NodeCommand.Retain(id, Run.Round, sets, checkpoints, part))));
    }
}
