using Elastic.Foundation;
using Elastic.Messages;
using Elastic.Messages.Nodes;
using Elastic.Messages.Runs;
using Elastic.Messages.Work;
using static Elastic.Coordination.CoordinatorCommand;

namespace Elastic.Coordination;

/// <summary>What a coordinator knows of its process.</summary>
/// <param name="GoesOn">True where a run that nobody stopped goes on by itself after a restart.</param>
/// <param name="Patience">How long to wait for nodes that may hold a version, before the version is taken for lost.</param>
public sealed record CoordinatorSettings(bool GoesOn, TimeSpan Patience)
{
    /// <summary>Digests in one message: small ones put the joining of parts to the test.</summary>
    public int MostDigests { get; init; } = Part.MostDigests;
}

/// <summary>
/// Supervises a run: keeps the run as the journal has it and the view of the nodes, and decides what follows from both, without actors,
/// clocks, chance of its own or I/O, so that a simulation runs the very same code. The owner replays the journal, then calls Step for
/// every input and carries out the outputs, in order. See Lifecycle for its states.
/// </summary>
public sealed partial class RunCoordinator
{
    // Recovery from a snapshot replays at most so many rounds: some thousands of small events, a fraction of a second.
    private const int SnapshotEvery = 100;

    // A message to or from a live node may be lost with its connection. The node reports its work every second.
    private static readonly TimeSpan InTransit = TimeSpan.FromSeconds(3);

    // On a healthy node no work takes so long, but a replica's round. (A slow replica gets a second runner.)
    private static readonly TimeSpan Overlong = TimeSpan.FromMinutes(5);

    private readonly Func<RunState, RunPlan> _planOf;
    private readonly CoordinatorContext _context;
    private readonly SupervisorTerm _term;
    private readonly BlobSources _sources;
    private readonly Inventory _inventory;
    private readonly HashSet<NodeId> _opened = [];
    private readonly Dictionary<NodeId, TimeSpan> _openedAt = [];
    private readonly HashSet<NodeId> _busy = [];
    private readonly HashSet<NodeId> _released = [];
    private readonly OutcomeAudits _audits = new();
    private readonly Timings _timings = new();
    private readonly StallDetector _stalls = new();
    private readonly LossDetector _losses = new();
    private readonly RunProgress _progress = new();
    private TimeSpan? _aloneSince;
    private string? _reason;

    /// <param name="planOf">What the settings of a run come to.</param>
    public RunCoordinator(RunId id, Func<RunState, RunPlan> planOf, CoordinatorSettings settings)
    {
        ArgumentNullException.ThrowIfNull(settings);
        (_planOf, _context) = (planOf, new CoordinatorContext(id, settings));
        _term = new SupervisorTerm(_context);
        _sources = new BlobSources(_context.Health);
        _inventory = new Inventory(settings.Patience, settings.MostDigests);
    }

    /// <summary>The run as its journal has it.</summary>
    public RunState Run
    {
        get => _context.Run;
        private set => _context.Run = value;
    }

    /// <summary>What the run's settings come to: its rounds, replicas and blocks; null until the run has been started.</summary>
    public RunPlan? Plan
    {
        get => _context.Plan;
        private set => _context.Plan = value;
    }

    /// <summary>The nodes, what they have and what they work on, as far as this term has heard.</summary>
    public ClusterView View
    {
        get => _context.View;
        private set => _context.View = value;
    }

    /// <summary>Why the run cannot go on; null while it can.</summary>
    public string? Failure => _context.Failure;

    /// <inheritdoc cref="Lifecycle"/>
    public Lifecycle Lifecycle => new LifecycleFacts(
        _term.IsKnown, Failure is not null, Run.IsFinished, _context.Settings.GoesOn, _context.IsAsked, View.Surveyed, Run.IsPaused,
        _busy.Count > 0, View.DeviceCount > 0, Run.IsBreak).State;

    /// <summary>Begins with a state that was stored, instead of with the first event.</summary>
    public void Restore(RunState snapshot)
    {
        Run = snapshot;
        Plan = _planOf(Run);
    }

    /// <summary>An event of the journal, before <see cref="RunInput.Recovered"/>.</summary>
    public void Replay(RunEvent e) => Fold(e);

    /// <summary>Takes one input.</summary>
    /// <param name="now">Since any fixed moment; never smaller than before.</param>
    /// <param name="chance">Spreads retries; draws what is computed twice, so that nobody may predict it. No result depends on it.</param>
    /// <returns>What is to be done, in this order.</returns>
    public IReadOnlyList<RunOutput> Step(RunInput input, TimeSpan now, Random chance)
    {
        _context.Begin(now, chance);
        switch (input)
        {
            case RunInput.Recovered:
                Recover();
                break;
            case RunInput.TermBegun begun:
                _term.Take(begun);
                break;
            case RunInput.Fenced fenced:
                if (_term.Passed(fenced) is { } commit)
                    Decide(commit);
                break;
            case RunInput.Asked asked:
                Answer(asked);
                break;
            case RunInput.Answered { Result: var result }:
                Take(result);
                break;
            case RunInput.Reported { Report: var report }:
                var before = View;
                Hear(report);
                if (SaysNothingNew(report, before))
                    return [];
                break;
            case RunInput.Lost { Node: var node }:
                Forget(node);
                break;
            case RunInput.Tick:
                Tick();
                break;
        }

        Advance();
        if (Lifecycle != Lifecycle.Running)
            _progress.Rest();
        return _context.End();
    }

    // Most messages are heartbeats and steps that change nothing. What follows from time alone is decided at the next tick: a thousand
    // nodes would have everything decided anew a thousand times a second.
    private bool SaysNothingNew(NodeReport report, ClusterView before) =>
        report is NodeReport.StepTaken or NodeReport.Fetching or NodeReport.Queued or NodeReport.DeviceLost
            or NodeReport.Enlist { Leaving: false }
        && ReferenceEquals(before, View) && _context.IsQuiet && !_context.IsStopping;

    /// <summary>Marks the run as unable to go on; the first reason stays.</summary>
    public void Fail(string why) => _context.Fail(why);

    private void Recover()
    {
        View = View with { Surveyed = Run.Version is null };
        _inventory.Begin(_context.Now);
        _term.Begin();
    }

    private void Decide(CoordinatorCommand command)
    {
        var decision = Coordination.Run.Decide(Run, Plan!, command);
        if (decision.Refusal is { } why)
            _context.Add(new RunOutput.Dropped(command.GetType().Name, why));
        else if (command is FinishSurvey)
            View = View with { Surveyed = true };
        Carry(decision);
    }

    // Stores the events of a decision, and does what follows from them.
    private void Carry(Decision decision)
    {
        if (decision.Events.Count == 0)
            return;
        RunEvent[] events = [.. decision.Events.Select(WithSecret)];
        _context.Add(new RunOutput.Store(events));
        foreach (var e in events)
            Fold(e);
        // What follows from an event follows from the state after all of them: a checkpoint that is taken may push out an older one.
        foreach (var e in events)
        {
            if (React(e) is { } notice)
                _context.Add(new RunOutput.Notice(notice) { Warns = !IsNews(e) });
        }
    }

    // Draws what a round's audits are decided by when the round begins, so that no node knows before which of its results are compared.
    private RunEvent WithSecret(RunEvent e) => e switch
    {
        RunEvent.RunInitialized x when Plan!.AuditRate > 0 => x with { AuditSecret = Draw() },
        RunEvent.RoundCommitted x when Plan!.AuditRate > 0 => x with { AuditSecret = Draw() },
        _ => e,
    };

    private Digest Draw()
    {
        Span<byte> drawn = stackalloc byte[Digest.Length];
        _context.Chance.NextBytes(drawn);
        return Digest.Of(drawn);
    }

    private void Fold(RunEvent e)
    {
        Run = Coordination.Run.Apply(Run, e);
        if (e is RunEvent.RunStarted or RunEvent.SettingsChanged or RunEvent.SegmentPlanned or RunEvent.RunEndedEarly
            or RunEvent.CorpusCompleted)
            Plan = _planOf(Run);
    }

    // Decides what to do next in the present state.
    private void Advance()
    {
        if (Plan is null || Lifecycle == Lifecycle.Recovering)
            return;
        var rests = Failure is not null || _context.IsIdleAfterFinish;
        if (!rests)
            Inquire();
        else if (!_context.IsIdleAfterFinish && _context.Settings.GoesOn)
            OpenNodes();                                               // a node that comes after the failure may be needed for copies
        if (!_term.IsKnown)
            return;                                                    // the run has rolled back: it needs a new term first
        EndIncompleteAttempts();
        foreach (var over in View.InFlight.Keys.Where(w => Scheduler.IsDone(Run, Plan, w)).GroupBy(w => w.Node).ToList())
            _context.TakeAway(over.Key, [.. over.Select(w => w.Work)]);
        if (!rests)
            DropAudits();
        if (Run.Arithmetic.Length > 0 && !_context.IsIdleAfterFinish)
            GiveOut(Plan, rests);
        ReleaseLeavers();
        if (!rests)
            _term.AskFence(Plan);
    }

    private void Inquire()
    {
        OpenNodes();
        if (Run.Arithmetic.Length == 0 && _context.Health.CommonArithmetic(Plan!.Needs) is { } arithmetic)
            Decide(new ChooseArithmetic(arithmetic));
        // A node that is about to be told what the run is may have what others lack.
        if (View.Nodes.Keys.All(n => _opened.Contains(n) || _context.Health.IsUnhealthy(n))
            && _inventory.Judge(Run, View, _context.Now) is { } judgement)
            Decide(judgement);
        if (_losses.Lost(Run, View, _context.Now) is { } lost)
            Decide(lost);
    }

    // A run that stops or rests gives out copies, so that no node that leaves takes anything with it, and what somebody has asked for.
    private void GiveOut(RunPlan plan, bool rests)
    {
        View = View with { Relays = _sources.Relays(_context.Now) };
        var stragglers = new StragglerDetector(_context.Now, _timings.Median);
        var scheduling = Scheduler.Next(Run, View, plan, stragglers, _context.IsStopping || rests, _context.Failures, _audits, DrawAttempt);
        View = scheduling.View;
        _reason = scheduling.Given.Count > 0 ? null : scheduling.Reason ?? "copies, scores or checkpoints on other nodes";
        foreach (var (key, node, content) in scheduling.Given)
        {
            var kind = WorkKinds.Of(key);
            if (!kind.IsUpkeep && !kind.IsAskedFor(Run))
                _busy.Add(node);
            var order = _term.NextOrder();
            NoteAttempt(new InFlightWork(key, node), order, content);
            foreach (var (piece, part) in kind.Cut(content, _context.Settings.MostDigests))
                _context.Send(node, new WorkOrder
                {
                    Job = _context.Id.Job,
                    Id = order,
                    Key = key,
                    From = Run.WorkStart(plan),
                    Sources = _sources.Of(View, kind.Needs(piece), node, order.Number),
                    Part = part,
                    Content = piece,
                });
        }
    }

    // Somebody asked for it, or it is how the run goes: nothing is wrong.
    private static bool IsNews(RunEvent e) => e is RunEvent.ArithmeticChosen or RunEvent.SettingsChanged or RunEvent.SegmentPlanned
        or RunEvent.RunEndedEarly;

    private string? React(RunEvent e)
    {
        // The outcomes that wait are sums of this round's results, or version 0.
        if (e is RunEvent.RoundCommitted or RunEvent.RolledBack or RunEvent.WorkLost or RunEvent.ReplicaSettled)
            _audits.Clear();
        if (e is RunEvent.RunStarted or RunEvent.SettingsChanged)
            ReviewNodes();                                             // it may need labels that nodes lack
        switch (e)
        {
            case RunEvent.RoundCommitted:
                View = View.Forget(Run.References()) with { Assembled = View.Assembled.Clear() };
                _context.Failures.ForgetBefore(Run.Round);
                _teamOf.Clear();
                if (!Plan!.Checkpoints(Run.Round))
                    Retain();
                if (Run.Round % SnapshotEvery == 0)
                    _context.Add(new RunOutput.Snapshot(Run));
                return null;
            case RunEvent.CheckpointTaken:
                Retain();
                return null;
            case RunEvent.SettingsChanged or RunEvent.CorpusPublished or RunEvent.CorpusCompleted or RunEvent.WindowAdded { Manifest: { } }:
                OpenAgain();
                return NoticeOf(Decision.Store(e));
            case RunEvent.ArithmeticChosen chosen:
                ReviewNodes();
                OpenAgain();
                return $"the run is computed with the arithmetic \"{chosen.Arithmetic}\"";
            case RunEvent.RunPaused:
                foreach (var node in _opened)
                    _context.Send(node, new NodeCommand.StopRun(_context.Id));
                return null;
            case RunEvent.RolledBack rolledBack:
                View = View with { Assembled = View.Assembled.Clear() };
                _progress.Forget();
                _term.Begin();                                           // nothing is committed until the fence knows of the rollback
                return rolledBack.Why;
            case RunEvent.WorkLost lost:
                View = View with { Assembled = View.Assembled.Clear() };
                DropSums();
                return lost.Replicas.Length > 0 ? $"{lost.Why}: they are computed again" : null;
            case RunEvent.ReplicaContested { Accepted: var accepted, Other: var other }:
                return $"replica {other.Replica} of round {other.Round} was computed twice with different bytes " +
                       $"({accepted.Contribution.Short} and {other.Contribution.Short}): a third computation on another node settles it"
                       + Suspects(other.Replica);
            case RunEvent.NodeQuarantined quarantined:
                Quarantine(quarantined);
                return $"{quarantined.Why}; it gets no more work of this run";
            default:
                return NoticeOf(e);
        }
    }

    // Takes sums over results that no longer count away from the nodes.
    private void DropSums()
    {
        foreach (var sums in View.InFlight.Keys.Where(w => WorkKinds.Find(w.Work.Kind) is { IsOfResults: true })
            .GroupBy(w => w.Node).ToList())
            _context.TakeAway(sums.Key, [.. sums.Select(w => w.Work)]);
    }

    // A version that is to be a checkpoint is current until its checkpoint is stored (see Scheduler.Commit), so it is among the references.
    private void Retain()
    {
        int[] checkpoints = [.. Run.Checkpoints.Select(c => c.Version)];
        var number = _term.NextOrder();
        foreach (var (sets, part) in Part.Cut([.. Run.References()], _context.Settings.MostDigests))
            foreach (var node in _opened)
                _context.Send(node, new NodeCommand.Retain(_context.Id, number, Run.Round, sets, checkpoints, part));
    }
}
