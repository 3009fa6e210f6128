using Akka.Actor;
using Akka.Event;
using Akka.Persistence;
using Elastic.Messages;
using Elastic.Messages.Nodes;
using Elastic.Messages.Runs;

namespace Elastic.Actors.Runs;

/// <summary>
/// Keeps one run: stores what the <see cref="RunDesk"/> decides, sends what it wants sent, and shows people what goes on.
/// </summary>
public sealed class RunSupervisor : ReceivePersistentActor, IWithTimers
{
    private readonly ILoggingAdapter _log = Context.GetLogger();
    private readonly Dictionary<NodeId, IActorRef> _nodes = [];
    private readonly HashSet<IActorRef> _watchers = [];
    private readonly RunProgress _progress = new(TimeProvider.System);
    private readonly RunId _id;
    private readonly RunDesk _desk;
    private string? _notice;

    public RunSupervisor(RunId id)
    {
        _id = id;
        _desk = new RunDesk(id, RunPlan.Of);
        Recover<RunEvent>(_desk.Fold);
        Recover<RecoveryCompleted>(_ => _desk.Recovered());

        Command<RunCommand>(Handle);
        Command<NodeReport.Enlist>(Enlist);
        Command<NodeReport.StepTaken>(Count);
        Command<NodeReport.VersionHeld>(held => Then(() => _desk.Hold(held)));
        Command<NodeReport.RunIdle>(idle => Then(() => _desk.PutDown(idle)));
        Command<NodeReport.WorkFailed>(TakeBack);
        Command<GiveOutAgain>(again => Then(() => _desk.GiveOutAgain(again.Work)));
        Command<RunWatch.Watch>(_ =>
        {
            Context.Watch(Sender);
            _watchers.Add(Sender);
            Publish();
        });
        Command<RunWatch.Stop>(_ => Then(_desk.Stop));
        Command<RunReply>(_ => { });                                   // our own commands to ourselves
        Command<Terminated>(Forget);
    }

    /// <inheritdoc/>
    public override string PersistenceId => $"run-{_id}";

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
        _log.Error(cause, "run {0}: the journal did not take event {1}", _id, sequenceNr);
        var why = $"the journal cannot be written ({cause.GetBaseException().Message}): free some space or mend the database, " +
                  "then give the same command again; nothing that was committed is lost";
        Fail(why);
        Context.Parent.Tell(new RunUnreadable(_id, why));
    }

    /// <inheritdoc/>
    protected override void OnRecoveryFailure(Exception reason, object? message = null)
    {
        _log.Error(reason, "run {0}: the journal cannot be read", _id);
        Context.Parent.Tell(new RunUnreadable(_id,
            $"the journal of run {_id} cannot be read ({reason.GetBaseException().Message}): restore journal.db from a copy, or start a new run with --run NAME"));
    }

    private void Handle(RunCommand command)
    {
        var sender = Sender;
        var decision = _desk.Decide(command);
        PersistAll(decision.Events, _desk.Fold);
        // Runs once all of the above is stored, or at once if there was nothing: each command gets exactly one answer.
        DeferAsync(decision, d =>
        {
            sender.Tell(d.Refusal is { } why ? new RunReply.Refused(_id, why) : new RunReply.Accepted(_id));
            if (d.Refusal is { } reason)
                _log.Warning("run {0} refused {1}: {2}", _id, command.GetType().Name, reason);
            Then(() => Tell(_desk.Settle(command, d)));
        });
    }

    // Whatever happens on the desk: send what follows, and show it.
    private void Then(Action happens)
    {
        happens();
        foreach (var (node, command) in _desk.TakeOutbox())
            _nodes.GetValueOrDefault(node, ActorRefs.Nobody).Tell(command);
        if (_desk.TakeCommit() is { } commit)
            Self.Tell(commit);
        Publish();
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
            if (!_desk.Enlist(report))
                return;
            _nodes[report.Node] = agent;
            Context.Watch(agent);
        });
    }

    private void Count(NodeReport.StepTaken step)
    {
        if (_desk.Plan is not { } plan)
            return;
        _progress.Count(step, (long)plan.Sequences * plan.Context);
        Publish();
    }

    private void TakeBack(NodeReport.WorkFailed failed) => Then(() =>
    {
        _log.Warning("run {0}: {1} failed on {2}: {3}", _id, failed.Work.GetType().Name, failed.Node, failed.Why);
        if (_desk.TakeBack(failed) is not var (work, attempt))
            return;
        // 0.5, 1, 2 s and up to as much again, so that nodes that failed together do not come back together.
        var delay = TimeSpan.FromMilliseconds(250 * Math.Pow(2, attempt) * (1 + Random.Shared.NextDouble()));
        Timers.StartSingleTimer(work, new GiveOutAgain(work), delay);
    });

    private void Forget(Terminated terminated) => Then(() =>
    {
        _watchers.Remove(terminated.ActorRef);
        foreach (var (node, _) in _nodes.Where(n => n.Value.Equals(terminated.ActorRef)).ToList())
        {
            _desk.Lose(node);
            _nodes.Remove(node);
        }
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
        var view = _desk.Plan is { } plan
            ? _progress.View(_desk.Run, plan, _desk.Fleet, _desk.Phase, _notice, _desk.Failure)
            : new RunView(_id, RunPhase.Waiting, 0, 0, 0, 0, 0, 0, 0, null, null, null, 0, null, null, null, 0, 0, null, _desk.Failure);
        foreach (var watcher in _watchers)
            watcher.Tell(view);
        _notice = null;
    }

    private sealed record GiveOutAgain(WorkKey Work);
}

/// <summary>A supervisor cannot read or write its journal, and why; it is gone.</summary>
internal sealed record RunUnreadable(RunId RunId, string Why);
