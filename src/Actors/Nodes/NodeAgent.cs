using Akka.Actor;
using Akka.Event;
using Elastic.Actors.Nodes.Devices;
using Elastic.Actors.Nodes.Replicas;
using Elastic.Actors.Work;
using Elastic.Coordination;
using Elastic.Foundation;
using Elastic.Messages;
using Elastic.Messages.Nodes;
using Elastic.Messages.Settings;
using Elastic.Messages.Work;
using Elastic.Model.Training;

namespace Elastic.Actors.Nodes;

/// <summary>
/// One per process: carries out what its <see cref="NodeCoordinator"/> decides, on devices and blobs. It lives outside the cluster's actor
/// system, so that computing goes on while the process is cut off from the cluster, or joins it anew.
/// </summary>
internal sealed class NodeAgent : ReceiveActor, IWithTimers
{
    // Pieces of work on devices that people are shown: a message holds them.
    private const int MostShown = 50;

    private static readonly TimeSpan Heartbeat = TimeSpan.FromSeconds(1);

    private readonly ILoggingAdapter _log = Context.GetLogger();
    private readonly NodeContext _context;
    private readonly NodeCoordinator _coordinator;
    private readonly RunOpener _opener;
    private readonly KnownSources _sources;
    private readonly FileListings _listings;
    private readonly CorpusDeletions _deletions;
    private readonly Dictionary<RunId, NodeRun> _runs = [];
    private readonly Dictionary<RunId, NodePieces> _builds = [];
    private readonly Trainers _trainers;
    private readonly Dictionary<int, (IActorRef Actor, ReplicaMemory Memory, int Pieces, WorkActivity Activity)> _working = [];
    private readonly ReplicaMemories _memories;
    private readonly IActorRef _sums;
    private readonly IActorRef _store;
    private readonly IActorRef _surveys;
    private readonly IActorRef _corpusKeeper;
    private IActorRef _link = ActorRefs.Nobody;
    private IActorRef? _leaver;

    public NodeAgent(NodeContext context)
    {
        _context = context;
        _coordinator = new NodeCoordinator(context.Facts);
        _opener = new RunOpener(context, Context.GetLogger());
        _sources = new KnownSources(context.Peers, context.Endpoint);
        _listings = new FileListings(context, TimeProvider.System);
        _deletions = new CorpusDeletions(context);
        _trainers = new Trainers(Context, context);
        _memories = new ReplicaMemories(Warn);
        _sums = Context.ActorOf(BlobWorkActor.Props(lanes: 2), "sums");
        _store = Context.ActorOf(BlobWorkActor.Props(lanes: 1), "store");
        _surveys = Context.ActorOf(BlobWorkActor.Props(lanes: 1), "surveys");
        _corpusKeeper = context.Facts.Seed
            ? Context.ActorOf(CorpusKeeperActor.Props(context.Corpora.CompleteAsync), "corpus-keeper") : ActorRefs.Nobody;

        Receive<Link>(link =>
        {
            _link = link.Actor;
            Step(new NodeInput.Beat(FreeMemoryBytes));
        });
        Receive<Beat>(_ =>
        {
            foreach (var forgotten in _builds.Values.Where(b => b.IsForgotten).Select(b => b.Id).ToList())
                Step(new NodeInput.Commanded(new NodeCommand.DeleteRun(forgotten)));
            _listings.EndForgotten();
            Step(new NodeInput.Beat(FreeMemoryBytes));
        });
        Receive<FetchFrom>(from => _sources.Use(from.Endpoints));
        Receive<NodeNews.UseDevices>(Use);
        Receive<NodeNews.ShowThreads>(Show);
        Receive<NodeNews.ListFiles>(list => _link.Tell(_listings.Answer(list)));
        Receive<NodeNews.DeleteCorpus>(delete =>
        {
            _log.Info("the corpus {0} is to be deleted here: a person wants it", delete.Corpus.Short);
            _corpusKeeper.Tell(new CorpusKeeperActor.Forget(delete.Corpus));
            _deletions.Answer(delete, _link);
        });
        Receive<NodeNews>(news => Step(new NodeInput.Told(news)));
        Receive<NodeCommand>(command => Step(new NodeInput.Commanded(command)));
        Receive<WorkOrder>(order => Step(new NodeInput.Ordered(order)));
        Receive<RunOpened>(Opened);
        Receive<NodeReport.StepTaken>(step => _link.Tell(step));
        Receive<NodeReport.Fetching>(fetching => _link.Tell(fetching));
        Receive<NodeReport.Surveyed>(surveyed => _link.Tell(surveyed));
        Receive<Schedule>(_ => Step(new NodeInput.Schedule()));
        Receive<WorkEnded>(End);
        Receive<WorkMoved>(moved => Step(new NodeInput.Moved(moved.Number)));
        Receive<WorkGoesBack>(back =>
        {
            _log.Warning("work {0} repeats its step: {1}", back.Number, back.Why);
            _trainers.Outlive(back.Device);
            Step(new NodeInput.DeviceLost(back.Number, back.Device, back.Why, RepeatsStep: true));
        });
        Receive<WorkLostDevice>(Lose);
        Receive<Leave>(_ =>
        {
            _leaver = Sender;
            Step(new NodeInput.Leave());
        });
    }

    /// <inheritdoc/>
    public ITimerScheduler Timers { get; set; } = null!;

    /// <inheritdoc cref="NodeAgent"/>
    public static Props Props(NodeContext context) =>
        Akka.Actor.Props.Create(() => new NodeAgent(context)).WithDispatcher("elastic.reading-dispatcher");

    /// <inheritdoc/>
    protected override void PreStart()
    {
        var devices = _trainers.Devices;
        DeviceBackends.Measure(devices);
        Step(new NodeInput.HasDevices(devices));
        Timers.StartPeriodicTimer(Beat.Instance, Beat.Instance, Heartbeat, Heartbeat);
    }

    // The failed agent's work in flight is lost, and the cluster would wait for it: the process must be started anew.
    /// <inheritdoc/>
    protected override void PreRestart(Exception reason, object message)
    {
        _context.Refuse(
            $"the node failed ({reason.Message}); start it again, and report this: log.txt in its data directory has the details");
        base.PreRestart(reason, message);
    }

    /// <inheritdoc/>
    protected override void PostStop() => _memories.Dispose();

    private long FreeMemoryBytes => _context.Faults.FreeMemoryBytes ?? MachineMemory.Now().FreeBytes;

    private void Step(NodeInput input)
    {
        foreach (var output in _coordinator.Step(input))
            Carry(output);
    }

    private void Carry(NodeOutput output)
    {
        switch (output)
        {
            case NodeOutput.Send send:
                _link.Tell(send.Message);
                break;
            case NodeOutput.Open open:
                _ = _opener.OpenAsync(open.Command).PipeTo(Self, success: opened => opened);
                break;
            case NodeOutput.BeginRound begin:
                _runs[begin.Run].Blobs.Begin(begin.Round);
                break;
            case NodeOutput.UseSources use:
                _sources.Use(use.Endpoints);
                break;
            case NodeOutput.Start start:
                Start(start);
                break;
            case NodeOutput.Move move:
                if (_working.TryGetValue(move.Work, out var moving))
                    moving.Actor.Tell(new DeviceWorkActor.MoveTo(_trainers.Group(move.Devices, moving.Pieces)));
                break;
            case NodeOutput.RepeatStep repeat:
                if (_working.TryGetValue(repeat.Work, out var repeating))
                    repeating.Actor.Tell(new DeviceWorkActor.GoOnWith(_trainers.Group(repeat.Devices, repeating.Pieces)));
                break;
            case NodeOutput.CloseDevice close:
                _trainers.Close(close.Device);
                break;
            case NodeOutput.Stop stop:
                Tell(stop.Work, DeviceWorkActor.StopAtStep.Instance);
                break;
            case NodeOutput.Abandon abandon:
                Tell(abandon.Work, DeviceWorkActor.DropAtStep.Instance);
                break;
            case NodeOutput.Survey { Command: var survey }:
                _surveys.Tell(new StoreCommand(_runs[survey.RunId], survey));
                break;
            case NodeOutput.Retain { Command: var retain }:
                _store.Tell(new StoreCommand(_runs[retain.RunId], retain));
                break;
            case NodeOutput.Delete { Run: var deleted }:
                _runs.Remove(deleted);
                _builds.Remove(deleted);
                _store.Tell(_opener.Close(deleted));
                break;
            case NodeOutput.Reschedule:
                Self.Tell(Schedule.Instance);
                break;
            case NodeOutput.PointTo point:
                _context.Liveness?.PointTo(Endpoint.TryParse(point.Endpoint, out var seed, out _) ? seed : null);
                break;
            case NodeOutput.Refused refused:
                _context.Refuse(refused.Why);
                break;
            case NodeOutput.Say say:
                Warn(say.Text);
                break;
            case NodeOutput.Left:
                _leaver?.Tell(Status.Success.Instance);
                break;
        }
    }

    private void Opened(RunOpened opened)
    {
        if (opened.Job is NodeRun run)
        {
            _runs[run.Id] = run;
            var setup = run.Setup;
            _corpusKeeper.Tell(setup.Corpus);
            Step(new NodeInput.Opened(run.Id, setup.MostDevices, null, setup.Pieces, setup.Plan.Priority)
            {
                GroupSizes = setup.Splits.GroupSizes,
            });
            return;
        }

        if (opened.Job is NodePieces build)
            _builds[build.Id] = build;
        Step(new NodeInput.Opened(opened.RunId, 1, opened.Why, 1));
    }

    private void Start(NodeOutput.Start start)
    {
        var (id, executor) = (new RunId(start.Order.Job.Value), WorkExecutors.Of(start.Order.Key));
        if (executor.Lane == WorkLane.Cores)
        {
            // Each waits for a core by itself, off the mailbox.
            var self = Self;
            if (!_builds.TryGetValue(id, out var build))
                Self.Tell(new WorkEnded(start.Work, null));
            else
                _ = FetchReports.DuringAsync(
                    build, start.Order.Key, 0, report => self.Tell(report), executor.ExecuteAsync(build, start.Order.Content, null))
                    .PipeTo(Self, success: outcome => new WorkEnded(start.Work, outcome),
                        failure: cause => new WorkEnded(start.Work, WorkFailures.Of(cause)));
            return;
        }

        var run = _runs[id];
        if (executor.Lane != WorkLane.Devices)
        {
            (executor.Lane == WorkLane.Sums ? _sums : _store).Tell(new BlobWork(start.Work, run, start.Order));
            return;
        }

        RunSetup setup;
        ReplicaMemory memory;
        var replica = ComputeWork.Of(start.Order.Content);
        try
        {
            setup = replica is null ? run.Setup : run.SetupIn(replica.Segment);
            memory = _memories.Take(setup, start.Devices, _trainers.ThreadsPerDevice, start.Order.Content);
        }
        catch (Exception e)
        {
            _log.Error(e, "no memory for the {0}", start.Order.Key);
            Self.Tell(new WorkEnded(start.Work, WorkFailures.Of(e)));
            return;
        }

        // A stage is one device's, and the others lend it their threads.
        var pieces = replica is null ? int.MaxValue : replica.Stages.Length > 1 ? 1 : setup.Pieces;
        var (kind, number, index) = start.Order.Key;
        var (devices, activity) = (_trainers.Group(start.Devices, pieces), new WorkActivity($"{run.Id} {kind} {number} {index}"));
        var actor = Context.ActorOf(
            Akka.Actor.Props.Create(() => new DeviceWorkActor(start.Work, start.Order, run, devices, memory, activity)),
            $"work-{start.Work}");
        _working[start.Work] = (actor, memory, pieces, activity);
        if (replica is not null)
            _log.Info("run {0} round {1} replica {2}{3}: begins at step {4} on {5}",
                run.Id, replica.Round, replica.Replica,
                replica.Stages.Length > 1 ? $", stage {ComputeStageWork.StageOf(start.Order.Key)} of {replica.Stages.Length}" : "",
                replica.HandOver?.Step ?? 0, string.Join(' ', start.Devices));
    }

    private void Use(NodeNews.UseDevices use)
    {
        try
        {
            _trainers.Use(use.Devices, devices =>
            {
                TrainingSettings[] replicas =
                    [.. _memories.InTraining.Where(r => _runs.ContainsKey(r.Run)).Select(r => r.Settings)];
                return devices[0].IsCpu ? MemoryGrowth.Problem(
                    replicas, _trainers.Devices.Count, replicas, devices.Count, FreeMemoryBytes, _context.Facts.Sharing) : null;
            });
        }
        catch (ElasticException e)
        {
            _link.Tell(new NodeReport.DevicesRefused(_context.Facts.Id, use.Request, e.Message));
            return;
        }

        _log.Info("the devices of this node are {0} from now on", string.Join(' ', _trainers.Devices));
        Step(new NodeInput.HasDevices(_trainers.Devices, use.Request));
    }

    private void Show(NodeNews.ShowThreads show)
    {
        string[] lines =
        [
            .. _working.OrderBy(w => w.Key).Take(MostShown).Select(w => w.Value.Activity.ToString()),
            PoolLine(ThreadPool.ThreadCount, ThreadPool.PendingWorkItemCount),
        ];
        _ = Task.Run(() => ThreadSurvey.TakeAsync()).PipeTo(
            _link, Self,
            success: threads => Shown(lines, threads),
            failure: e => Shown([.. lines, $"the threads cannot be told: {OneLine.Of(e.GetBaseException().Message)}"], []));

        NodeReport.ThreadsShown Shown(string[] all, ThreadView[] threads) =>
            new(_context.Facts.Id, show.Request, Environment.ProcessId, all, threads);
    }

    /// <summary>How busy the thread pool is, for people.</summary>
    public static string PoolLine(int threads, long waiting) => $"the thread pool has {Plural.Of(threads, "thread")}, and "
        + (waiting == 1 ? "1 piece of work waits for one" : $"{waiting} pieces of work wait for one");

    // The device may still write to the memory of the work that it was lost from.
    private void Lose(WorkLostDevice lost)
    {
        _log.Warning("work {0} ends: {1}", lost.Number, lost.Why);
        if (_working.Remove(lost.Number, out var working))
            _memories.Abandon(working.Memory);
        _trainers.Outlive(lost.Device);
        Step(new NodeInput.DeviceLost(lost.Number, lost.Device, lost.Why));
    }

    private void Warn(string text)
    {
        _log.Warning(text);
        _context.Say(text);
    }

    private void Tell(int work, object message)
    {
        if (_working.TryGetValue(work, out var working))
            working.Actor.Tell(message);
    }

    private void End(WorkEnded ended)
    {
        if (_working.Remove(ended.Number, out var working))
        {
            if (ended.Outcome is WorkFailed)
                _memories.Abandon(working.Memory);
            else
                _memories.GiveBack(working.Memory);
        }

        Step(new NodeInput.Ended(ended.Number, ended.Outcome));
    }

    /// <summary>Blobs that this process needs are at these data planes, too.</summary>
    internal sealed record FetchFrom(string[] Endpoints) : INoSerializationVerificationNeeded;

    /// <summary>The reference to this node's <c>LinkActor</c>, new each time that the process joins the cluster.</summary>
    internal sealed record Link(IActorRef Actor) : INoSerializationVerificationNeeded;

    /// <summary>Asks the node to hand everything over; answered when the process may end.</summary>
    internal sealed record Leave : INoSerializationVerificationNeeded
    {
        public static readonly Leave Instance = new();
    }

    private sealed record Beat
    {
        public static readonly Beat Instance = new();
    }

    private sealed record Schedule
    {
        public static readonly Schedule Instance = new();
    }
}
