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
/// <remarks>
/// This class takes each input and each stored event to the parts that it concerns, and says in which order they decide. Each part keeps
/// what only it needs; <see cref="RunCoordinatorContext"/> is what all of them see.
/// </remarks>
public sealed class RunCoordinator
{
    // Recovery from a snapshot replays at most so many rounds: some thousands of small events, a fraction of a second.
    private const int SnapshotEvery = 100;

    private readonly Func<RunState, RunPlan> _planOf;
    private readonly RunCoordinatorContext _context;
    private readonly SupervisorTerm _term;                              // numbers orders, asks the fence
    private readonly Inventory _inventory;                              // what is intact, and where
    private readonly NodeOpenings _openings;                            // which nodes know what the run is
    private readonly NodeReleases _releases;                            // which nodes may go
    private readonly ReplicaAttempts _attempts;                         // which nodes compute a replica together
    private readonly EnlistedNodes _nodes;                              // which nodes are here
    private readonly OrderedWork _ordered;                              // what is due, given out
    private readonly AnsweredWork _answered;                            // results, and whether they count
    private readonly FailedWork _failed;                                // what nodes could not do
    private readonly HungWork _hung;                                    // work without progress
    private readonly RequestAnswers _requests;                          // what people ask
    private readonly OutcomeAudits _audits = new();
    private readonly LossDetector _losses = new();
    private readonly CorpusWindows _windows = new();
    private readonly RunProgress _progress = new();
    private readonly RunOutlook _outlook;                               // where the run stands, for people

    /// <param name="planOf">What the settings of a run come to.</param>
    public RunCoordinator(RunId id, Func<RunState, RunPlan> planOf, CoordinatorSettings settings)
    {
        ArgumentNullException.ThrowIfNull(settings);
        (_planOf, _context) = (planOf, new RunCoordinatorContext(id, settings));
        var sources = new BlobSources(_context.Health);
        _term = new SupervisorTerm(_context);
        _inventory = new Inventory(settings.Patience, settings.MostDigests);
        _openings = new NodeOpenings(_context, _term, sources, _inventory);
        _releases = new NodeReleases(_context, _inventory);
        _attempts = new ReplicaAttempts(_context);
        _nodes = new EnlistedNodes(_context, _term, _inventory, _openings, _releases, _audits, _attempts);
        _ordered = new OrderedWork(_context, _term, sources, _releases, _attempts, _audits);
        _failed = new FailedWork(_context, _nodes, _openings, sources, _attempts, _inventory);
        _answered = new AnsweredWork(_context, _audits, _releases, _attempts, _failed, Carry);
        _hung = new HungWork(_context, _nodes, _attempts);
        _requests = new RequestAnswers(_context, _windows, _releases, Carry);
        _outlook = new RunOutlook(_context, _term, _inventory, _ordered, _releases, _windows, _progress);
    }

    /// <summary>The run as its journal has it.</summary>
    public RunState Run => _context.Run;

    /// <summary>What the run's settings come to: its rounds, replicas and blocks; null until the run has been started.</summary>
    public RunPlan? Plan => _context.Plan;

    /// <summary>The nodes, what they have and what they work on, as far as this term has heard.</summary>
    public ClusterView View
    {
        get => _context.View;
        private set => _context.View = value;
    }

    /// <summary>Why the run cannot go on; null while it can.</summary>
    public string? Failure => _context.Failure;

    /// <inheritdoc cref="Coordination.Lifecycle"/>
    public Lifecycle Lifecycle => _outlook.Lifecycle;

    /// <inheritdoc cref="RunOutlook.Phase"/>
    public RunPhase Phase => _outlook.Phase;

    /// <inheritdoc cref="RunOutlook.WaitsFor"/>
    public string? WaitsFor => _outlook.WaitsFor;

    /// <inheritdoc cref="RunOutlook.Show"/>
    public RunView Show(string? notice = null) => _outlook.Show(notice);

    /// <summary>
    /// Whether a result is of an attempt that is over. The supervisor and the nodes of the other stages notice at about the same time that
    /// a node is lost. What these say of it may come when the next attempt is ordered already; it names the order of the one before. So
    /// does what a node handed over and repeated, because nothing had acknowledged it yet.
    /// </summary>
    /// <param name="now">When the result comes; null for the time of the input under way.</param>
    /// <remarks>
    /// A node that computes a replica alone keeps to an older order of it that it still has, and answers that one: what it repeats after
    /// the newer order must have come is its answer to both. Work that failed rests before it is given out anew.
    /// </remarks>
    public bool IsOfEarlierAttempt(WorkResult result, TimeSpan? now = null) => _attempts.IsOfEarlier(result, now ?? _context.Now);

    /// <summary>
    /// Whether a failure takes work back from its node: not where it is repeated, as it is until DropWork reaches the node, nor where
    /// another stage has ended the attempt by saying the same.
    /// </summary>
    public bool TakesBack(WorkResult result) => _failed.TakesBack(result);

    /// <summary>Begins with a state that was stored, instead of with the first event.</summary>
    public void Restore(RunState snapshot) => (_context.Run, _context.Plan) = (snapshot, _planOf(snapshot));

    /// <summary>An event of the journal, before <see cref="RunInput.Recovered"/>.</summary>
    public void Replay(RunEvent e) => Fold(e);

    /// <summary>Marks the run as unable to go on; the first reason stays.</summary>
    public void Fail(string why) => _context.Fail(why);

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
                View = View with { Surveyed = Run.Version is null };
                _inventory.Begin(now);
                _term.Begin();
                break;
            case RunInput.TermBegun begun:
                _term.Take(begun);
                break;
            case RunInput.Fenced fenced:
                if (_term.Passed(fenced) is { } commit)
                    Decide(commit);
                break;
            case RunInput.Asked asked:
                _requests.Answer(asked);
                break;
            case RunInput.Answered { Result: var result }:
                _answered.Take(result);
                break;
            case RunInput.Reported { Report: var report }:
                var before = View;
                Hear(report);
                if (SaysNothingNew(report, before))
                    return [];
                break;
            case RunInput.Lost { Node: var node }:
                _nodes.Forget(node);
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

    private void Hear(NodeReport report)
    {
        switch (report)
        {
            case NodeReport.Enlist enlist:
                _nodes.Enlist(enlist);
                break;
            case NodeReport.StepTaken step when Plan is { } plan:
                _progress.Count(step, (long)plan.At(step.Round).Sequences * plan.Context, _context.Now);
                _hung.NoteStep(new InFlightWork(ComputeWork.KeyOf(step.Round, step.Replica), step.Node));
                break;
            case NodeReport.Fetching fetching:
                _progress.Note(fetching);
                _hung.NoteAlive(new InFlightWork(fetching.Work, fetching.Node));
                break;
            case NodeReport.Queued queued:
                var waiting = new InFlightWork(queued.Work, queued.Node);
                _hung.NoteAlive(waiting);
                _attempts.NoteQueued(waiting);
                View = View.Queue(waiting, queued.Behind, queued.Priority);
                break;
            case NodeReport.Surveyed surveyed:
                View = _inventory.Note(View, surveyed);
                break;
            case NodeReport.RunIdle idle:
                _releases.NoteIdle(idle.Node);
                View = View.PutDown(idle.Node);
                break;
            case NodeReport.RunUnopened unopened:
                _failed.Take(unopened);
                break;
        }
    }

    private void Tick()
    {
        foreach (var work in _context.Failures.Wake(_context.Now))
            View = View.Answered(work.Work, work.Node);
        if (_context.Health.Recover(_context.Now))
            _nodes.Review();
        foreach (var node in _inventory.Overdue(_context.Now))
        {
            if (!_inventory.IsMute(node))
            {
                _openings.Survey(node, thorough: false);
                continue;
            }

            _inventory.Forget(node);
            _openings.Repeat(node);                                    // so that the node is asked again after its rest
            _nodes.Rest(node, "it does not say what it stores: its disk may hang");
        }

        _attempts.EndQueued();
        _hung.RestNodes();
    }

    // Decides what to do next in the present state.
    private void Advance()
    {
        if (Plan is null || Lifecycle == Lifecycle.Recovering)
            return;
        var rests = Failure is not null || _context.IsIdleAfterFinish;
        if (!rests)
            Inquire(Plan);
        else if (!_context.IsIdleAfterFinish && _context.Settings.GoesOn)
        {
            _openings.OpenAll();                                       // a node that comes after the failure may be needed for copies
            JudgeSurvey(isOnlyOfWhole: true);                          // nodes that leave are let go once it is known what there is
        }

        if (!_term.IsKnown)
            return;                                                    // the run has rolled back: it needs a new term first
        _attempts.EndIncomplete();
        _ordered.TakeAwayDone(Plan);
        if (!rests)
            _answered.DropAudits();
        if (Run.Arithmetic.Length > 0 && !_context.IsIdleAfterFinish)
            _ordered.GiveOut(Plan, rests, _answered.Median);
        _releases.ReleaseLeavers();
        if (!rests)
            _term.AskFence(Plan);
    }

    private void Inquire(RunPlan plan)
    {
        _openings.OpenAll();
        if (Run.Arithmetic.Length == 0 && _context.Health.CommonArithmetic(plan.Needs) is { } arithmetic)
            Decide(new ChooseArithmetic(arithmetic));
        JudgeSurvey(isOnlyOfWhole: false);
        if (_losses.Lost(Run, View, _context.Now) is { } lost)
            Decide(lost);
    }

    private void JudgeSurvey(bool isOnlyOfWhole)
    {
        // A node that is about to be told what the run is may have what others lack.
        if (_openings.AreComplete && _inventory.Judge(Run, View, _context.Now, isOnlyOfWhole) is { } judgement)
            Decide(judgement);
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
            React(e);
            if (RunNotices.Of(_context, e) is { } notice)
                _context.Add(new RunOutput.Notice(notice) { Warns = RunNotices.Warns(e) });
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
        _context.Run = Coordination.Run.Apply(Run, e);
        if (e is RunEvent.RunStarted or RunEvent.SettingsChanged or RunEvent.SegmentPlanned or RunEvent.RunEndedEarly
            or RunEvent.CorpusCompleted)
            _context.Plan = _planOf(Run);
    }

    private void React(RunEvent e)
    {
        // The outcomes that wait are sums of this round's results, or version 0.
        if (e is RunEvent.RoundCommitted or RunEvent.RolledBack or RunEvent.WorkLost or RunEvent.ReplicaSettled)
            _audits.Clear();
        if (e is RunEvent.RunStarted or RunEvent.SettingsChanged)
            _nodes.Review();                                           // it may need labels that nodes lack
        switch (e)
        {
            case RunEvent.RoundCommitted:
                View = View.Forget(Run.References()) with { Assembled = View.Assembled.Clear() };
                _context.Failures.ForgetBefore(Run.Round);
                _attempts.ForgetTeams();
                if (!Plan!.Checkpoints(Run.Round))
                    _openings.Retain();
                if (Run.Round % SnapshotEvery == 0)
                    _context.Add(new RunOutput.Snapshot(Run));
                break;
            case RunEvent.CheckpointTaken:
                _openings.Retain();
                break;
            case RunEvent.SettingsChanged or RunEvent.CorpusPublished or RunEvent.CorpusCompleted or RunEvent.WindowAdded { Manifest: { } }:
                _openings.BeginAnew();
                break;
            case RunEvent.ArithmeticChosen:
                _nodes.Review();
                _openings.BeginAnew();
                break;
            case RunEvent.RunPaused:
                _openings.StopAll();
                break;
            case RunEvent.RolledBack:
                View = View with { Assembled = View.Assembled.Clear() };
                _progress.Forget();
                _term.Begin();                                         // nothing is committed until the fence knows of the rollback
                break;
            case RunEvent.WorkLost:
                View = View with { Assembled = View.Assembled.Clear() };
                _ordered.TakeAwaySums();
                break;
            case RunEvent.NodeQuarantined quarantined:
                _nodes.Quarantine(quarantined);
                _attempts.EndDoubtful();
                break;
        }
    }
}
