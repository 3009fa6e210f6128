using System.Diagnostics;
using Akka.Actor;
using Akka.Event;
using Akka.Persistence;
using Elastic.Coordination;
using Elastic.Foundation;
using Elastic.Messages;
using Elastic.Messages.Nodes;
using Elastic.Messages.Runs;
using Elastic.Storage;

namespace Elastic.Actors.Runs;

/// <summary>What a supervisor is told about its process.</summary>
/// <param name="GoOn">True where a run that nobody stopped goes on by itself after a restart.</param>
/// <param name="Patience">How long to wait for nodes that may hold a version before it is taken for lost.</param>
/// <param name="Fence">Keeps a stale supervisor from committing.</param>
internal sealed record SupervisorPlace(bool GoOn, TimeSpan Patience, CommitFence Fence);

/// <summary>
/// Keeps one run: stores what the <see cref="RunDesk"/> decides, sends what it wants sent, and shows people what goes on.
/// </summary>
internal sealed class RunSupervisor : ReceivePersistentActor, IWithTimers
{
    private static readonly TimeSpan Beat = TimeSpan.FromMilliseconds(250);

    // A restart replays at most so many rounds. Some 30,000 events a second are replayed (SQLite, two cores), so 100 rounds of 64 replicas cost
    // less than half a second; and a snapshot is a few KiB in 100 rounds, against some 100 KiB of events.
    private const int RoundsPerSnapshot = 100;

    private readonly ILoggingAdapter _log = Context.GetLogger();
    private readonly Dictionary<NodeId, IActorRef> _nodes = [];
    private readonly HashSet<IActorRef> _watchers = [];
    private readonly RunProgress _progress = new();
    private readonly CancellationTokenSource _ended = new();
    private readonly long _began = Stopwatch.GetTimestamp();
    private readonly RunId _id;
    private readonly SupervisorPlace _place;
    private readonly RunDesk _desk;
    private RunCommand.CommitRound? _unfenced;
    private long? _term;
    private string? _notice;

    public RunSupervisor(RunId id, SupervisorPlace place)
    {
        _id = id;
        _place = place;
        _desk = new RunDesk(id, RunPlan.Of, place.Patience);
        Recover<SnapshotOffer>(offer => _desk.Restore((RunState)offer.Snapshot));
        Recover<RunEvent>(_desk.Fold);
        Recover<RecoveryCompleted>(_ =>
        {
            _desk.Recovered(place.GoOn);
            BeginTerm();
            Timers.StartPeriodicTimer(Tick.Instance, Tick.Instance, Beat, Beat);
        });

        Command<RunCommand.CommitRound>(commit =>
        {
            _unfenced = commit;
            AskFence();
        });
        Command<RunCommand>(Handle);
        Command<TermBegun>(begun =>
        {
            _term = begun.Term;
            AskFence();
        });
        Command<Fenced>(fenced => Fence(fenced));
        Command<Status.Failure>(failure => GiveUp($"the database cannot be reached ({failure.Cause.GetBaseException().Message})", failure.Cause));
        Command<Tick>(_ => Then(_desk.Tick, shows: false));
        Command<NodeReport.Enlist>(Enlist);
        Command<NodeLost>(lost => Then(() => Lose(lost.Node)));
        Command<NodeReport.StepTaken>(Count);
        Command<NodeReport.VersionHeld>(held => Then(() => _desk.Hold(held)));
        Command<NodeReport.SetHeld>(held => Then(() => _desk.Hold(held)));
        Command<NodeReport.Surveyed>(surveyed => Then(() => _desk.Hold(surveyed)));
        Command<NodeReport.RunIdle>(idle => Then(() => _desk.PutDown(idle)));
        Command<NodeReport.RunUnopened>(report => Then(() =>
        {
            Tell(report.Why is { } why ? $"{report.Node} cannot open the run: {why}" : null);
            _desk.Unopened(report);
        }));
        Command<NodeReport.WorkFailed>(TakeBack);
        Command<GiveOutAgain>(again => Then(() => _desk.GiveOutAgain(again.Work)));
        Command<RunWatch.Watch>(_ =>
        {
            Context.Watch(Sender);
            _watchers.Add(Sender);
            Publish();
        });
        Command<RunWatch.Look>(_ => Sender.Tell(View()));
        Command<SaveSnapshotSuccess>(saved => DeleteSnapshots(new SnapshotSelectionCriteria(saved.Metadata.SequenceNr - 1)));
        Command<SaveSnapshotFailure>(failed => _log.Warning(failed.Cause, "run {0}: no snapshot was saved; a restart replays more of the journal", _id));
        Command<DeleteSnapshotsSuccess>(_ => { });
        Command<DeleteSnapshotsFailure>(failed => _log.Warning(failed.Cause, "run {0}: older snapshots stay", _id));
        Command<RunReply>(_ => { });                                   // our own commands to ourselves
        Command<Terminated>(ended => _watchers.Remove(ended.ActorRef));
    }

    /// <inheritdoc/>
    public override string PersistenceId => JournalRows.KeyOf(_id);

    /// <inheritdoc/>
    public ITimerScheduler Timers { get; set; } = null!;

    /// <inheritdoc cref="RunSupervisor"/>
    public static Props Props(RunId id, SupervisorPlace place) => Akka.Actor.Props.Create(() => new RunSupervisor(id, place));

    /// <inheritdoc/>
    protected override void PostStop()
    {
        _ended.Cancel();
        _ended.Dispose();
        base.PostStop();
    }

    /// <inheritdoc/>
    protected override void PreRestart(Exception? reason, object? message)
    {
        Fail($"the supervisor failed ({reason?.Message}): give the same command again, it goes on from the journal; log.txt has the details");
        base.PreRestart(reason!, message!);
    }

    /// <inheritdoc/>
    protected override void OnPersistRejected(Exception cause, object @event, long sequenceNr) => OnPersistFailure(cause, @event, sequenceNr);

    /// <inheritdoc/>
    protected override void OnPersistFailure(Exception cause, object @event, long sequenceNr)
    {
        _log.Error(cause, "run {0}: the journal did not take event {1}", _id, sequenceNr);
        Unreadable($"the journal cannot be written ({cause.GetBaseException().Message}): free some space or mend the database");
    }

    /// <inheritdoc/>
    protected override void OnRecoveryFailure(Exception reason, object? message = null)
    {
        _log.Error(reason, "run {0}: the journal cannot be read", _id);
        Unreadable(ElasticException.In(reason) is { } known
            ? $"run {_id} cannot be read: {known.Message}"
            : $"the journal of run {_id} cannot be read ({reason.GetBaseException().Message}): restore journal.db from a copy, or start a new run with --run NAME");
    }

    // A stored event. Right after a commit the state is at its smallest: nothing of a round is under way.
    private void Fold(RunEvent e)
    {
        _desk.Fold(e);
        if (e is RunEvent.RoundCommitted && _desk.Run.Round % RoundsPerSnapshot == 0)
            SaveSnapshot(_desk.Run);
    }

    private TimeSpan Now => Stopwatch.GetElapsedTime(_began);

    private void Handle(RunCommand command)
    {
        var sender = Sender;
        var decision = _desk.Decide(command);
        if (decision.Events.Any(e => e is RunEvent.RolledBack))
            _term = null;                                              // nothing is committed until the fence knows of it, see below
        PersistAll(decision.Events, Fold);
        // Runs once all of the above is stored, or at once if there was nothing: each command gets exactly one answer.
        DeferAsync(decision, d =>
        {
            sender.Tell(d.Refusal is { } why ? new RunReply.Refused(_id, why) : new RunReply.Accepted(_id));
            if (d.Refusal is { } reason)
                _log.Warning("run {0} refused {1}: {2}", _id, command.GetType().Name, reason);
            Then(() => Tell(_desk.Settle(command, d)));
            foreach (var quarantined in d.Events.OfType<RunEvent.NodeQuarantined>())
                Context.Parent.Tell(new NodeDistrusted(quarantined.Node));
            if (d.Events.Any(e => e is RunEvent.RolledBack))
                _progress.Forget();
            // The fence has to be told where the run stands: it is an older round, or one that the fence has let pass and the run has not.
            if (d.Events.Any(e => e is RunEvent.RolledBack) || (command is RunCommand.CommitRound && d.Refusal is not null))
                BeginTerm();
        });
    }

    // Whatever happens on the desk: send what follows, and show it.
    private void Then(Action happens, bool shows = true)
    {
        _desk.At(Now);
        happens();
        foreach (var (node, command) in _desk.TakeOutbox())
            _nodes.GetValueOrDefault(node, ActorRefs.Nobody).Tell(command);
        while (_desk.TakeOwn() is { } own)
            Self.Tell(own);
        if (shows)
            Publish();
    }

    private void BeginTerm()
    {
        _term = null;
        _ = _place.Fence.BeginTermAsync(_id, _desk.Run.Round, _ended.Token).PipeTo(Self, success: term => new TermBegun(term));
    }

    private void AskFence()
    {
        if (_unfenced is not { } commit || _term is not { } term)
            return;
        _unfenced = null;
        _ = _place.Fence.CommitAsync(_id, term, commit.Round, commit.Version, _ended.Token).PipeTo(Self, success: passed => new Fenced(commit, passed));
    }

    private void Fence(Fenced fenced)
    {
        if (fenced.Passed)
            Handle(fenced.Commit);
        else
            GiveUp("another supervisor has taken this run over", null);
    }

    // Another supervisor is made from the journal, after a while; the nodes go on meanwhile.
    private void GiveUp(string why, Exception? cause)
    {
        _log.Warning(cause, "run {0}: {1}", _id, why);
        Unreadable(why);
        Context.Stop(Self);
    }

    private void Unreadable(string why)
    {
        if (_place.GoOn)
        {
            _notice = $"{why}; trying again, and nothing that was committed is lost";
            Publish();
        }
        else
        {
            Fail($"{why}, then give the same command again; nothing that was committed is lost");
        }

        Context.Parent.Tell(new RunUnreadable(_id, why));
    }

    private void Tell(string? notice)
    {
        if (notice is null)
            return;
        _notice = notice;
        _log.Warning("run {0}: {1}", _id, notice);
    }

    private void Enlist(NodeReport.Enlist report)
    {
        var agent = Sender;
        Then(() =>
        {
            _nodes[report.Node] = agent;
            _desk.Enlist(report);
        }, shows: false);
    }

    private void Lose(NodeId node)
    {
        _desk.Lose(node);
        _nodes.Remove(node);
    }

    private void Count(NodeReport.StepTaken step)
    {
        if (_desk.Plan is not { } plan)
            return;
        _progress.Count(step, (long)plan.Sequences * plan.Context, Now);
        Publish();
    }

    private void TakeBack(NodeReport.WorkFailed failed) => Then(() =>
    {
        _log.Warning("run {0}: {1} failed on {2}: {3}", _id, failed.Work.GetType().Name, failed.Node, failed.Why);
        if (_desk.TakeBack(failed) is not var (work, attempt))
            return;
        if (attempt > 1)
            Tell($"the {work.Work.Kind.ToString().ToLowerInvariant()} of round {work.Work.Number} has failed {attempt} times, last on {failed.Node}: {failed.Why}; trying again");
        // 0.5, 1, 2 s and up to as much again, so that nodes that failed together do not come back together.
        var delay = TimeSpan.FromMilliseconds(250 * Math.Pow(2, Math.Min(attempt, 6)) * (1 + Random.Shared.NextDouble()));
        Timers.StartSingleTimer(work, new GiveOutAgain(work), delay);
    });

    private void Fail(string why)
    {
        _desk.Fail(why);
        Publish();
    }

    private void Publish()
    {
        if (_watchers.Count == 0 || (_desk.Plan is null && _desk.Failure is null))
            return;
        var view = View();
        foreach (var watcher in _watchers)
            watcher.Tell(view);
        _notice = null;
    }

    private RunView View() => _desk.Plan is { } plan
        ? _progress.View(_desk.Run, plan, _desk.Fleet, _desk.Phase, _notice, _desk.Failure)
        : new RunView(_id, RunPhase.Waiting, 0, 0, 0, 0, 0, 0, 0, null, null, null, 0, null, null, null, 0, 0, null, _desk.Failure);

    private sealed record GiveOutAgain(Holding Work);

    private sealed record TermBegun(long Term);

    private sealed record Fenced(RunCommand.CommitRound Commit, bool Passed);

    private sealed record Tick
    {
        public static readonly Tick Instance = new();
    }
}

/// <summary>A supervisor cannot read or write its journal, or has lost it to another, and why; it is gone.</summary>
internal sealed record RunUnreadable(RunId RunId, string Why);

/// <summary>A node is gone, or is thought to be.</summary>
internal sealed record NodeLost(NodeId Node);

/// <summary>A node's results were wrong.</summary>
internal sealed record NodeDistrusted(NodeId Node);
