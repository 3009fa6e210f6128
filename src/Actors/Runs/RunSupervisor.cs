using Akka.Actor;
using Akka.Event;
using Akka.Persistence;
using Elastic.Messages;
using Elastic.Messages.Nodes;
using Elastic.Messages.Runs;
using Elastic.Messages.Settings;

namespace Elastic.Actors.Runs;

/// <summary>
/// Keeps one run: feeds the pure <see cref="Run"/>, stores what it decides, and gives out the work that <see cref="Dispatch"/> names.
/// </summary>
public sealed class RunSupervisor : ReceivePersistentActor, IWithTimers
{
    private const int MostAttempts = 4;

    private readonly ILoggingAdapter _log = Context.GetLogger();
    private readonly Dictionary<NodeId, IActorRef> _nodes = [];
    private readonly Dictionary<NodeId, string> _incarnations = [];
    private readonly HashSet<NodeId> _opened = [];
    private readonly HashSet<NodeId> _busy = [];
    private readonly HashSet<IActorRef> _watchers = [];
    private readonly Dictionary<WorkKey, int> _attempts = [];
    private readonly RunProgress _progress = new(TimeProvider.System);
    private RunState _run;
    private RunPlan? _plan;
    private Fleet _fleet = Fleet.Empty;
    private int _committing = -1;
    private string? _notice;
    private string? _failure;

    public RunSupervisor(RunId id)
    {
        _run = RunState.Empty(id);
        Recover<RunEvent>(Fold);
        // Nothing is given out before somebody says Start, and says the same as the journal.
        Recover<RecoveryCompleted>(_ => _fleet = _fleet with { Surveyed = _run.Version is null, Stopping = true });

        Command<RunCommand>(Handle);
        Command<NodeReport.Enlist>(Enlist);
        Command<NodeReport.StepTaken>(Count);
        Command<NodeReport.VersionHeld>(Hold);
        Command<NodeReport.WorkFailed>(TakeBack);
        Command<NodeReport.RunIdle>(idle =>
        {
            _busy.Remove(idle.Node);
            _fleet = _fleet.PutDown(idle.Node);
            Advance();
        });
        Command<RunWatch.Watch>(_ =>
        {
            Context.Watch(Sender);
            _watchers.Add(Sender);
            Publish();
        });
        Command<RunWatch.Stop>(_ => Stop());
        Command<RunReply>(_ => { });                                   // our own commands to ourselves
        Command<GiveOutAgain>(again =>
        {
            _fleet = _fleet.Answered(again.Work);
            Advance();
        });
        Command<Terminated>(Forget);
    }

    /// <inheritdoc/>
    public override string PersistenceId => $"run-{_run.Id}";

    /// <inheritdoc/>
    public ITimerScheduler Timers { get; set; } = null!;

    /// <inheritdoc cref="RunSupervisor"/>
    public static Props Props(RunId id) => Akka.Actor.Props.Create(() => new RunSupervisor(id));

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
        _log.Error(cause, "run {0}: the journal did not take event {1}", _run.Id, sequenceNr);
        var why = $"the journal cannot be written ({cause.GetBaseException().Message}): free some space or mend the database, " +
                  "then give the same command again; nothing that was committed is lost";
        Fail(why);
        Context.Parent.Tell(new RunUnreadable(_run.Id, why));
    }

    /// <inheritdoc/>
    protected override void OnRecoveryFailure(Exception reason, object? message = null)
    {
        _log.Error(reason, "run {0}: the journal cannot be read", _run.Id);
        Context.Parent.Tell(new RunUnreadable(_run.Id,
            $"the journal of run {_run.Id} cannot be read ({reason.GetBaseException().Message}): restore journal.db from a copy, or start a new run with --run NAME"));
    }

    private void Handle(RunCommand command)
    {
        var sender = Sender;
        // A survey counts once. One that comes late speaks of an older state, and would take for lost whatever was stored since.
        var decision = command is RunCommand.FinishSurvey && _fleet.Surveyed ? Decision.AlreadyDone : Run.Decide(_run, command, _plan);
        PersistAll(decision.Events, Fold);
        // Runs once all of the above is stored, or at once if there was nothing: each command gets exactly one answer.
        DeferAsync(decision, d =>
        {
            sender.Tell(d.Refusal is { } why ? new RunReply.Refused(_run.Id, why) : new RunReply.Accepted(_run.Id));
            if (d.Refusal is { } reason)
                _log.Warning("run {0} refused {1}: {2}", _run.Id, command.GetType().Name, reason);
            if (Dispatch.AnsweredBy(command) is { } work)
            {
                _fleet = _fleet.Answered(work);
                _attempts.Remove(work);
            }

            if (command is RunCommand.CommitRound && d.Refusal is not null)
                _committing = -1;
            if (command is RunCommand.Start && d.Refusal is null)
                _fleet = _fleet with { Stopping = false };
            if (command is RunCommand.FinishSurvey && d.Refusal is null)
                _fleet = _fleet with { Surveyed = true };
            foreach (var e in d.Events)
                React(e);
            Advance();
        });
    }

    private void Fold(RunEvent e)
    {
        _run = Run.Apply(_run, e);
        if (e is RunEvent.RunStarted or RunEvent.SettingsChanged)
            _plan = RunPlan.Of(SettingsText.Read(_run.Settings!), _run.Blocks, _run.HeldOutBlocks);
    }

    // What follows from a stored event besides the next work.
    private void React(RunEvent e)
    {
        switch (e)
        {
            case RunEvent.RoundCommitted:
                NextVersion();
                if (!_plan!.Checkpoints(_run.Round))
                    Retain();
                break;
            case RunEvent.CheckpointTaken:
                Retain();
                break;
            case RunEvent.SettingsChanged:
                _opened.Clear();                                       // the nodes are told again
                break;
            case RunEvent.RolledBack rolledBack:
                NextVersion();
                _notice = rolledBack.Why;
                _log.Warning("run {0}: {1}", _run.Id, rolledBack.Why);
                break;
            case RunEvent.WorkLost lost:
                NextVersion();
                _notice = lost.Replicas.Length > 0 ? $"{lost.Why}: they are computed again" : null;
                break;
            case RunEvent.ReplicaDisputed disputed:
                _log.Error("run {0}: replica {1} of round {2} was computed twice with different bytes ({3} and {4}): check memory and disks",
                    _run.Id, disputed.Other.Replica, disputed.Other.Round, disputed.Accepted.Contribution.Short, disputed.Other.Contribution.Short);
                break;
        }
    }

    // What was assembled, and committed, is no longer the version that is due.
    private void NextVersion()
    {
        _fleet = _fleet with { Holders = _fleet.Holders.Clear() };
        _committing = -1;
    }

    // A version that is to be a checkpoint is current until its checkpoint is stored (see Dispatch.Commit), so it is among the references.
    private void Retain() =>
        TellAll(new NodeCommand.Retain(_run.Id, _run.Round, [.. _run.References()], [.. _run.Checkpoints.Select(c => c.Version)]));

    private void Advance()
    {
        if (_plan is null || _failure is not null)
            return;
        foreach (var (node, agent) in _nodes)
            if (_opened.Add(node))
                agent.Tell(new NodeCommand.OpenRun(_run.Id, _run.Settings!, _run.Corpus));
        (_fleet, var work) = Dispatch.Next(_run, _fleet, _plan);
        foreach (var assignment in work)
        {
            _busy.Add(assignment.Node);
            _nodes[assignment.Node].Tell(assignment.Command);
        }

        if (Dispatch.Commit(_run, _fleet, _plan) is { } commit && _committing != commit.Round)
        {
            _committing = commit.Round;
            Self.Tell(commit);
        }

        Publish();
    }

    private void Enlist(NodeReport.Enlist report)
    {
        if (_nodes.TryGetValue(report.Node, out var known) && known.Equals(Sender) && _incarnations[report.Node] == report.Incarnation)
            return;
        _nodes[report.Node] = Sender;
        _incarnations[report.Node] = report.Incarnation;
        _opened.Remove(report.Node);
        Context.Watch(Sender);
        _fleet = _fleet.Lose(report.Node).Enlist(report.Node, report.Devices);
        Advance();
    }

    private void Hold(NodeReport.VersionHeld held)
    {
        _fleet = _fleet.Answered(new WorkKey(WorkKind.Assemble, held.Round, Node: held.Node));
        if (held.Round != _run.Round || !_fleet.Devices.ContainsKey(held.Node))
            return;
        _fleet = _fleet with { Holders = _fleet.Holders.SetItem(held.Node, new HeldVersion(held.Version, held.Fingerprint)) };
        Advance();
    }

    private void Count(NodeReport.StepTaken step)
    {
        if (_plan is null)
            return;
        _progress.Count(step, (long)_plan.Sequences * _plan.Context);
        Publish();
    }

    private void TakeBack(NodeReport.WorkFailed failed)
    {
        // A node that was given up, or is a round behind, may fail at what is done long since: its blobs are gone.
        if (failed.Work is NodeCommand.Retain)
            _log.Warning("run {0}: {1} could not delete what is no longer needed: {2}", _run.Id, failed.Node, failed.Why);
        if (Dispatch.KeyOf(failed.Work, failed.Node) is not { } work || !_fleet.InHand.TryGetValue(work, out var holder) || holder != failed.Node)
            return;
        var attempt = _attempts[work] = _attempts.GetValueOrDefault(work) + 1;
        _log.Warning("run {0}: {1} failed on {2} (attempt {3}): {4}", _run.Id, work.Kind, failed.Node, attempt, failed.Why);
        if (_fleet.Stopping && work.Kind == WorkKind.Replica)
        {
            Fail($"replica {work.Index} could not be handed over, and takes its steps of this round again next time: {failed.Why}");
            return;
        }

        if (failed.Kind == WorkFailure.Permanent || attempt >= MostAttempts)
        {
            Fail(failed.Why);
            return;
        }

        if (failed.Kind == WorkFailure.Lost)
            _fleet = _fleet with { Surveyed = false };

        // 0.5, 1, 2 s and up to as much again, so that nodes that failed together do not come back together.
        var delay = TimeSpan.FromMilliseconds(250 * Math.Pow(2, attempt) * (1 + Random.Shared.NextDouble()));
        Timers.StartSingleTimer(work, new GiveOutAgain(work), delay);
    }

    private void Stop()
    {
        if (!_fleet.Stopping)
        {
            _fleet = _fleet with { Stopping = true };
            TellAll(new NodeCommand.StopRun(_run.Id));
        }

        Advance();
    }

    private void Forget(Terminated terminated)
    {
        _watchers.Remove(terminated.ActorRef);
        foreach (var (node, _) in _nodes.Where(n => n.Value.Equals(terminated.ActorRef)).ToList())
        {
            _nodes.Remove(node);
            _opened.Remove(node);
            _busy.Remove(node);
            _fleet = _fleet.Lose(node);
        }

        Advance();
    }

    private void Fail(string why)
    {
        _failure = why;
        Publish();
    }

    private void TellAll(NodeCommand command)
    {
        foreach (var node in _opened)
            _nodes[node].Tell(command);
    }

    private void Publish()
    {
        if (_watchers.Count == 0)
            return;
        if (_plan is null)
        {
            if (_failure is not null)
                Send(new RunView(_run.Id, RunPhase.Waiting, 0, 0, 0, 0, 0, 0, 0, null, null, null, 0, null, null, null, 0, 0, null, _failure));
            return;
        }

        var stopped = _fleet.Stopping && _busy.Count == 0 && !_run.IsFinished;
        Send(_progress.View(_run, _plan, _fleet, stopped ? RunPhase.Stopped : _run.Phase(_plan), _notice, _failure));
        _notice = null;
    }

    private void Send(RunView view)
    {
        foreach (var watcher in _watchers)
            watcher.Tell(view);
    }

    private sealed record GiveOutAgain(WorkKey Work);
}

/// <summary>A supervisor cannot read or write its journal, and why; it is gone.</summary>
internal sealed record RunUnreadable(RunId RunId, string Why);
