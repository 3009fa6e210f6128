using Akka.Actor;
using Akka.Event;
using Akka.Persistence;
using Elastic.Actors.Serialization;
using Elastic.Coordination;
using Elastic.Foundation;
using Elastic.Messages;
using Elastic.Messages.Nodes;
using Elastic.Messages.Runs;
using Elastic.Messages.Work;
using Elastic.Storage;

namespace Elastic.Actors.Runs;

/// <summary>
/// Keeps one run: feeds its <see cref="RunCoordinator"/>, stores the events before any other output is carried out, and publishes the
/// run's views.
/// </summary>
internal sealed class RunSupervisor : ReceivePersistentActor, IWithTimers
{
    // What is computed twice must not follow from anything that a node could learn.
    private static readonly SecureRandom Chance = new();
    private static readonly TimeSpan BetweenWaits = TimeSpan.FromSeconds(2);
    private static readonly TimeSpan Beat = TimeSpan.FromMilliseconds(250);

    private readonly ILoggingAdapter _log = Context.GetLogger();
    private readonly Dictionary<NodeId, IActorRef> _nodes = [];
    private readonly HashSet<IActorRef> _watchers = [];
    private readonly CancellationTokenSource _ended = new();
    private readonly AwakeTime _time = new(TimeProvider.System, SupervisorContext.MostBetweenLooks);
    private readonly long _began;
    private readonly RunId _id;
    private readonly SupervisorContext _context;
    private readonly RunCoordinator _coordinator;
    private readonly RunObserver _observer;
    private string? _notice;
    private TimeSpan _published;

    /// <param name="givenUp">Why the run is only shown, until somebody starts it; null for nothing.</param>
    public RunSupervisor(RunId id, SupervisorContext context, string? givenUp)
    {
        _id = id;
        _began = _time.GetTimestamp();
        _context = context;
        _coordinator = new RunCoordinator(id, RunPlan.Of, context.Settings);
        _observer = new RunObserver(id, context.Observations);
        Recover<SnapshotOffer>(offer => _coordinator.Restore((RunState)offer.Snapshot));
        Recover<RunEvent>(_coordinator.Replay);
        Recover<RecoveryCompleted>(_ =>
        {
            _observer.Recovered(_coordinator.Run);
            Context.Parent.Tell(new RunRead(_id));
            if (givenUp is not null)
                Fail(givenUp);
            Step(new RunInput.Recovered());
            Timers.StartPeriodicTimer(Tick.Instance, Tick.Instance, Beat, Beat);
        });

        Command<RunRequest>(request => Step(new RunInput.Asked(request, Sender)));
        Command<FromNode>(from => Hear(from.Message));
        Command<NodeLost>(lost =>
        {
            _observer.Lost(lost.Node, _coordinator.View, Now);
            Step(new RunInput.Lost(lost.Node));
            _nodes.Remove(lost.Node);
        });
        Command<RunInput>(input => Step(input));                       // what the fence answers
        Command<JournalIsOlder>(_ =>
        {
            SetBack();
            Context.Stop(Self);
        });
        Command<RunDeleted>(_ =>
        {
            // For who watches it. Somebody wanted it: it is not recorded as a failure.
            _coordinator.Fail($"run {_id.Name} was deleted");
            Publish();
            Context.Stop(Self);
        });
        Command<Tick>(_ =>
        {
            // While a run waits, nothing else may be shown: for what it waits, and how long, changes with the time.
            var shows = _coordinator.WaitsFor is not null && Now - _published >= BetweenWaits;
            Step(new RunInput.Tick(), shows);
        });
        Command<Status.Failure>(failure => FenceFailed(failure.Cause));
        Command<RunWatch.Watch>(_ =>
        {
            Context.Watch(Sender);
            _watchers.Add(Sender);
            Publish();
        });
        Command<UnsendableMessage>(unsendable =>
        {
            if (RunOf(unsendable.Message) == _id)
                Fail($"{unsendable}; the run cannot go on without it");
        });
        Command<RunWatch.Look>(_ => Sender.Tell(_coordinator.Show()));
        Command<Terminated>(ended => _watchers.Remove(ended.ActorRef));
        Command<SaveSnapshotSuccess>(saved => DeleteSnapshots(new SnapshotSelectionCriteria(saved.Metadata.SequenceNr - 1)));
        Command<SaveSnapshotFailure>(failed => _log.Warning(
            failed.Cause, "run {0}: no snapshot was saved; a restart replays more of the journal", _id));
        Command<DeleteSnapshotsSuccess>(_ => { });
        Command<DeleteSnapshotsFailure>(failed => _log.Warning(failed.Cause, "run {0}: older snapshots stay", _id));
    }

    /// <inheritdoc/>
    public override string PersistenceId => JournalRows.KeyOf(_id);

    /// <inheritdoc/>
    public ITimerScheduler Timers { get; set; } = null!;

    /// <inheritdoc cref="RunSupervisor(RunId, SupervisorContext, string)"/>
    public static Props Props(RunId id, SupervisorContext context, string? givenUp) =>
        Akka.Actor.Props.Create(() => new RunSupervisor(id, context, givenUp));

    /// <inheritdoc/>
    protected override void PreStart()
    {
        Context.System.EventStream.Subscribe(Self, typeof(UnsendableMessage));
        base.PreStart();
    }

    /// <inheritdoc/>
    protected override void PostStop()
    {
        _ended.Cancel();
        _ended.Dispose();
        base.PostStop();
    }

    // Akka would make it anew at once and without end. RunsActor does so after a pause, a number of times.
    /// <inheritdoc/>
    protected override bool AroundReceive(Receive receive, object message)
    {
        try
        {
            return base.AroundReceive(receive, message);
        }
        catch (Exception e)
        {
            EndOf(e);
            return true;
        }
    }

    /// <inheritdoc/>
    protected override void OnPersistRejected(Exception cause, object @event, long sequenceNr) =>
        OnPersistFailure(cause, @event, sequenceNr);

    /// <inheritdoc/>
    protected override void OnPersistFailure(Exception cause, object @event, long sequenceNr)
    {
        _log.Error(cause, "run {0}: the journal did not take event {1}", _id, sequenceNr);
        if (cause.ToString().Contains(DatabaseTables.GapRefused, StringComparison.Ordinal))
        {
            SetBack();
            return;
        }

        Unreadable($"the journal cannot be written ({cause.GetBaseException().Message}): free some space or mend the database");
    }

    /// <inheritdoc/>
    protected override void OnRecoveryFailure(Exception reason, object? message = null)
    {
        _log.Error(reason, "run {0}: the journal cannot be read", _id);
        Unreadable(UnreadableJournal.Why(_id, reason));
    }

    private TimeSpan Now => _time.GetElapsedTime(_began);

    private static RunId? RunOf(object message) => message switch
    {
        WorkOrder order => new RunId(order.Job.Value),
        NodeCommand command => command.RunId,
        _ => null,
    };

    private void Hear(IWireMessage message)
    {
        switch (message)
        {
            case WorkResult result:
                Answered(result);
                break;
            case NodeReport.Enlist report:
                _nodes[report.Node] = Sender;
                Step(new RunInput.Reported(report), shows: false);
                break;
            case NodeReport report:
                if (report is NodeReport.StepTaken step)
                    _observer.Step(step, Now);
                else if (report is NodeReport.DeviceLost lost)
                    _observer.Lost(lost);
                Step(new RunInput.Reported(report));
                break;
        }
    }

    private void Answered(WorkResult result)
    {
        if (((result.Outcome as WorkFailed)?.Why ?? (result.Outcome as StageLost)?.Why) is { } why)
        {
            _log.Warning("run {0}: the {1} failed on {2}: {3}", _id, result.Key, result.Node, why);
            if (_coordinator.TakesBack(result))
                _observer.GivenAgain(new InFlightWork(result.Key, result.Node), why, Now);
        }

        Step(new RunInput.Answered(result));
    }

    // The coordinator's state already contains its decisions; the other outputs wait until the events are stored. If storing fails, this
    // actor and its coordinator end, and a new one is made from the journal. Akka delivers no other message in between: with DeferAsync it
    // would, between the events and the outputs, and a view would show what the next message decides before that is stored.
    private void Step(RunInput input, bool shows = true) => Carry(_coordinator.Step(input, Now, Chance), 0, shows);

    private void Carry(IReadOnlyList<RunOutput> outputs, int from, bool shows)
    {
        for (var i = from; i < outputs.Count; i++)
        {
            if (outputs[i] is RunOutput.Store store)
            {
                var (next, left) = (i + 1, store.Events.Count);
                PersistAll(store.Events, _ =>
                {
                    if (--left > 0)
                        return;
                    _observer.Stored(store.Events);
                    Carry(outputs, next, shows);
                });
                return;
            }

            Carry(outputs[i]);
        }

        // All of them: one step may both exclude a node and have work done again.
        if (string.Join("; ", outputs.OfType<RunOutput.Notice>().Select(n => n.Text)) is { Length: > 0 } notice)
            _notice = notice;
        _observer.Look(_coordinator, Now);
        if (shows)
            Publish();
    }

    private void Carry(RunOutput output)
    {
        switch (output)
        {
            case RunOutput.Send send:
                _nodes.GetValueOrDefault(send.Node, ActorRefs.Nobody).Tell(send.Message);
                break;
            case RunOutput.Delete delete:
                Context.Parent.Tell(new RunDiscarded(_id, delete.Request, (IActorRef)delete.Asker!));
                break;
            case RunOutput.Reply reply:
                // Before the answer: who has it may ask for the list.
                Context.Parent.Tell(new RunAnswered(_id, (IActorRef)reply.Asker!, _coordinator.Run.Exists));
                ((IActorRef)reply.Asker!).Tell(reply.Answer);
                break;
            case RunOutput.BeginTerm begin:
                _ = _context.Fence.BeginTermAsync(_id, begin.Round, _ended.Token)
                    .PipeTo(Self, success: term => new RunInput.TermBegun(begin.Asking, term));
                break;
            case RunOutput.AskFence ask:
                _ = AskFenceAsync(_context.Fence, ask, LastSequenceNr, _ended.Token).PipeTo(Self);
                break;
            case RunOutput.Snapshot snapshot:
                SaveSnapshot(snapshot.State);
                break;
            case RunOutput.GiveUp giveUp:
                GiveUp(giveUp.Why, null);
                break;
            case RunOutput.Distrust distrust:
                Context.Parent.Tell(new NodeDistrusted(distrust.Node));
                break;
            case RunOutput.Notice notice:
                _log.Log(notice.Warns ? LogLevel.WarningLevel : LogLevel.InfoLevel, null, "run {0}: {1}", _id, notice.Text);
                break;
            case RunOutput.Dropped dropped:
                _log.Info("run {0}: {1} counts for nothing: {2}", _id, dropped.What, dropped.Why);
                break;
        }
    }

    // A commit rests on all events before it: they must be where the next supervisor will look for them.
    private async Task<object> AskFenceAsync(CommitFence fence, RunOutput.AskFence ask, long events, CancellationToken cancel) =>
        await fence.HoldsAsync(_id, events, cancel)
            ? new RunInput.Fenced(ask.Commit, await fence.CommitAsync(_id, ask.Term, ask.Commit.Round, ask.Commit.Version, cancel))
            : JournalIsOlder.Instance;

    // The next supervisor goes on from what the database says now: nodes hold nothing that it would not compute again to the same bits.
    private void SetBack()
    {
        var why = $"the database lacks events of run {_id} that it had: it, or its file, was replaced by an older copy while this seed ran";
        _log.Error("run {0}: {1}", _id, why);
        if (_context.Settings.GoesOn)
        {
            _notice = $"{why}. The run goes on from what the database knows, and computes again what it lacks; where there is a newer "
                + "copy, stop the seeds and put it back";
            Publish();
        }
        else
            Fail($"{why}: put the newer one back if there is one, then give the same command again; the run goes on from what the "
                + "database knows, and computes again what it lacks");

        Ends(why, isBug: false);
        Context.Parent.Tell(JournalIsOlder.Instance);
    }

    // What is no failure of the database is a bug: nobody should look for its cause in the database.
    private void FenceFailed(Exception cause)
    {
        if (cause is DatabaseUnavailableException)
        {
            GiveUp($"the database cannot be reached ({cause.GetBaseException().Message})", cause);
            return;
        }

        EndOf(cause);
    }

    private void EndOf(Exception bug)
    {
        _log.Error(bug, "run {0}: the supervisor failed", _id);
        Context.Stop(Self);
        var why = $"the supervisor failed ({ListProblems.Named(bug)}): see log.txt";
        try
        {
            Unreadable(why, isBug: true);
        }
        catch (Exception e)
        {
            // What failed may be the showing, or the state that is shown.
            _log.Error(e, "run {0}: nor can it be shown", _id);
            Context.Parent.Tell(new RunUnreadable(_id, why, null, IsBug: true));
        }
    }

    // RunsActor makes another supervisor from the journal, after a while; the nodes go on meanwhile.
    private void GiveUp(string why, Exception? cause)
    {
        _log.Warning(cause, "run {0}: {1}", _id, why);
        Unreadable(why);
        Context.Stop(Self);
    }

    private void Unreadable(string why, bool isBug = false)
    {
        if (_context.Settings.GoesOn)
        {
            _notice = $"{why}; trying again, and nothing that was committed is lost";
            Publish();
        }
        else
            Fail($"{why}, then give the same command again; nothing that was committed is lost");

        Ends(why, isBug);
    }

    // Connections that were open go on with a file that was replaced, where others have opened the new one.
    private void Ends(string why, bool isBug)
    {
        _context.Fence.Reopen();
        Context.Parent.Tell(new RunUnreadable(_id, why, IsShown ? _coordinator.Show() : null, isBug));
    }

    private void Fail(string why)
    {
        _coordinator.Fail(why);
        _observer.Look(_coordinator, Now);
        Publish();
    }

    // Before the journal is read there is nothing to show.
    private bool IsShown => _coordinator.Plan is not null || _coordinator.Failure is not null;

    private void Publish()
    {
        if (_watchers.Count == 0 || !IsShown)
            return;
        _published = Now;
        var view = _coordinator.Show(_notice);
        foreach (var watcher in _watchers)
            watcher.Tell(view);
        _notice = null;
    }

    private sealed record Tick
    {
        public static readonly Tick Instance = new();
    }
}
