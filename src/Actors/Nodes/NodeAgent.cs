using Akka.Actor;
using Akka.Event;
using Elastic.Actors.Nodes.Devices;
using Elastic.Actors.Nodes.Replicas;
using Elastic.Messages;
using Elastic.Messages.Nodes;

namespace Elastic.Actors.Nodes;

/// <summary>What a node agent is told about its process.</summary>
/// <param name="Runs">The way to the <c>runs</c> singleton.</param>
/// <param name="ShardReaders">The shard region.</param>
internal sealed record NodePlace(
    NodeId Node, IReadOnlyList<DeviceId> Devices, int ThreadsPerDevice, DataPaths Paths, IActorRef Runs, IActorRef ShardReaders);

/// <summary>One per process: enlists with the supervisors, and shares its devices among the work they give it.</summary>
internal sealed class NodeAgent : ReceiveActor, IWithTimers
{
    private static readonly TimeSpan Heartbeat = TimeSpan.FromSeconds(1);

    private readonly ILoggingAdapter _log = Context.GetLogger();
    private readonly NodePlace _place;
    private readonly Dictionary<RunId, NodeRun> _runs = [];
    private readonly Dictionary<RunId, string> _unopened = [];
    private readonly Queue<(NodeCommand Command, IActorRef Supervisor)> _waiting = [];
    private readonly Dictionary<IActorRef, DeviceWork> _working = [];
    private readonly Dictionary<RunId, IActorRef> _stopping = [];
    private readonly List<(DeviceId Id, IActorRef Trainer)> _free;
    private readonly ReplicaMemories _memories = new();
    private readonly IActorRef _keeper;
    private readonly IActorRef _averager;
    private int _works;

    public NodeAgent(NodePlace place)
    {
        _place = place;
        _free = [.. place.Devices.Select(d => (d, Context.ActorOf(TrainerActor.Props(d, place.ThreadsPerDevice), $"trainer-{d.Value.Replace(':', '-')}")))];
        _keeper = Context.ActorOf(KeeperActor.Props(), "keeper");
        _averager = Context.ActorOf(AveragerActor.Props(), "averager");

        var incarnation = Guid.NewGuid().ToString("N");
        Receive<Beat>(_ => place.Runs.Tell(new NodeReport.Enlist(place.Node, [.. place.Devices], incarnation)));
        Receive<NodeCommand.OpenRun>(Open);
        Receive<NodeCommand.StopRun>(Stop);
        Receive<NodeCommand>(Take);
        Receive<Schedule>(_ => StartWork());
        Receive<DeviceWorkEnded>(End);
        Receive<Messages.Runs.RunReply>(_ => { });                    // the supervisor logs its own refusals
    }

    /// <inheritdoc/>
    public ITimerScheduler Timers { get; set; } = null!;

    /// <inheritdoc cref="NodeAgent"/>
    public static Props Props(NodePlace place) => Akka.Actor.Props.Create(() => new NodeAgent(place)).WithDispatcher("elastic.reading-dispatcher");

    /// <inheritdoc/>
    protected override void PreStart() =>
        Timers.StartPeriodicTimer(Beat.Instance, Beat.Instance, TimeSpan.Zero, Heartbeat);

    /// <inheritdoc/>
    protected override void PostStop() => _memories.Dispose();

    private void Open(NodeCommand.OpenRun command)
    {
        _unopened.Remove(command.RunId);
        if (_runs.TryGetValue(command.RunId, out var known) && known.SettingsCanonical == command.Settings && known.CorpusId == command.Corpus)
            return;
        try
        {
            _runs[command.RunId] = new NodeRun(command, _place.Node, _place.Paths, known?.Blobs);
        }
        catch (Exception e)
        {
            _log.Error(e, "run {0} cannot be opened", command.RunId);
            _unopened[command.RunId] = e.Message;
        }
    }

    private void Take(NodeCommand command)
    {
        if (!_runs.TryGetValue(command.RunId, out var run))
        {
            Sender.Tell(new NodeReport.WorkFailed(_place.Node, command, _unopened.GetValueOrDefault(command.RunId, "the run is not open here"), WorkFailure.Permanent));
            return;
        }

        if (RoundOf(command) is { } round)
            run.Blobs.Begin(round);
        switch (command)
        {
            case NodeCommand.RunReplica or NodeCommand.Evaluate:
                _waiting.Enqueue((command, Sender));
                Self.Tell(Schedule.Instance);                          // after what else has come with it, so that devices are shared fairly
                break;
            case NodeCommand.AverageChunks or NodeCommand.Assemble or NodeCommand.Initialize:
                _averager.Forward(new BlobWork(run, command));
                break;
            default:
                _keeper.Forward(new BlobWork(run, command));
                break;
        }
    }

    // An evaluation is short and takes all devices; replicas get one each, and what is left over speeds them up.
    private void StartWork()
    {
        while (_waiting.Count > 0 && _free.Count > 0)
        {
            var (command, supervisor) = _waiting.Dequeue();
            var run = _runs[command.RunId];
            var devices = _free.Take(Math.Clamp(_free.Count / (command is NodeCommand.Evaluate ? 1 : _waiting.Count + 1), 1, MostDevices(run, command))).ToList();
            DeviceWork work;
            try
            {
                work = new DeviceWork(command, supervisor, devices, _memories.Take(run, devices[0].Id, (command as NodeCommand.RunReplica)?.InnerState));
            }
            catch (Exception e)
            {
                _log.Error(e, "no memory for {0}", command.GetType().Name);
                supervisor.Tell(WorkFailures.Of(_place.Node, command, e));
                continue;
            }

            _free.RemoveRange(0, devices.Count);
            var actor = Context.ActorOf(
                Akka.Actor.Props.Create(() => new ReplicaActor(work, run, _place.ShardReaders)), $"work-{_works++}");
            _working[actor] = work;
        }
    }

    // Several GPUs on one piece of work need a collective between them; CPU devices fold gradients through shared memory.
    private int MostDevices(NodeRun run, NodeCommand command) =>
        !_place.Devices.All(d => d.IsCpu) ? 1 : command is NodeCommand.Evaluate ? _place.Devices.Count : run.Plan.MicroBatches;

    private static int? RoundOf(NodeCommand command) => command switch
    {
        NodeCommand.RunReplica c => c.Round,
        NodeCommand.AverageChunks c => c.Round,
        NodeCommand.Assemble c => c.Round,
        _ => null,
    };

    private void End(DeviceWorkEnded ended)
    {
        _working.Remove(Sender);
        if (ended.Failed)
            _memories.Abandon(ended.Work.Memory);
        else
            _memories.GiveBack(ended.Work.Memory);
        _free.AddRange(ended.Work.Devices);
        Self.Tell(Schedule.Instance);
        TellIfIdle(ended.Work.Command.RunId);
    }

    private void Stop(NodeCommand.StopRun command)
    {
        _stopping[command.RunId] = Sender;
        var others = _waiting.Where(w => w.Command.RunId != command.RunId).ToList();
        _waiting.Clear();
        others.ForEach(_waiting.Enqueue);
        foreach (var (actor, work) in _working.Where(w => w.Value.Command.RunId == command.RunId))
            actor.Tell(ReplicaActor.StopAtStep.Instance);
        TellIfIdle(command.RunId);
    }

    private void TellIfIdle(RunId run)
    {
        if (_working.Values.All(w => w.Command.RunId != run) && _stopping.Remove(run, out var supervisor))
            supervisor.Tell(new NodeReport.RunIdle(_place.Node, run));
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
