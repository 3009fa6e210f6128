using Akka.Actor;
using Akka.Event;
using Elastic.Actors.Corpora;
using Elastic.Actors.Nodes.Replicas;
using Elastic.Coordination;
using Elastic.Foundation;
using Elastic.Messages;
using Elastic.Messages.Nodes;
using Elastic.Storage;
using Elastic.Transfer;

namespace Elastic.Actors.Nodes;

/// <summary>What a node agent is told about its process.</summary>
/// <param name="Seed">True for a process that is meant to stay.</param>
/// <param name="Say">Tells the person at this process what happens.</param>
internal sealed record NodePlace(
    NodeId Node, string Incarnation, bool Seed, IReadOnlyList<DeviceId> Devices, int ThreadsPerDevice, string Arithmetic, string Version, DataPaths Paths,
    string Endpoint, BlobLocations Blobs, BlobFetcher Fetcher, Peers Peers, LivenessConnection Liveness, CorpusFiles Corpora, ReaderWay Readers, NodeFaults Faults,
    Action<string> Say, Action<string> Refuse);

/// <summary>
/// One per process: enlists with the supervisors, and shares its devices among the work they give it. It lives outside the cluster's actor
/// system, so that computing goes on while the process is cut off from the cluster, or joins it anew.
/// </summary>
internal sealed class NodeAgent : ReceiveActor, IWithTimers
{
    private static readonly TimeSpan Heartbeat = TimeSpan.FromSeconds(1);

    private readonly ILoggingAdapter _log = Context.GetLogger();
    private readonly NodePlace _place;
    private readonly RunBook _runs;
    private readonly Workbench _bench;
    private readonly PendingResults _answers = new();
    private readonly MessageParts _parts = new();
    private readonly Dictionary<RunId, string> _excluded = [];
    private readonly HashSet<RunId> _stopping = [];
    private readonly HashSet<RunId> _released = [];
    private readonly IActorRef _keeper;
    private readonly IActorRef _averager;
    private readonly IActorRef _corpusKeeper;
    private IActorRef _link = ActorRefs.Nobody;
    private IActorRef? _leaver;

    public NodeAgent(NodePlace place)
    {
        _place = place;
        _runs = new RunBook(place, Context.GetLogger());
        _bench = new Workbench(place, Context);
        _keeper = Context.ActorOf(KeeperActor.Props(), "keeper");
        _averager = Context.ActorOf(AveragerActor.Props(), "averager");
        _corpusKeeper = place.Seed ? Context.ActorOf(CorpusKeeperActor.Props(place.Corpora), "corpus-keeper") : ActorRefs.Nobody;

        Receive<Link>(link =>
        {
            _link = link.Actor;
            Report();
        });
        Receive<Beat>(_ => Report());
        Receive<NodeNews>(Hear);
        Receive<NodeCommand.OpenRun>(command => _ = _runs.OpenAsync(command).PipeTo(Self, success: opened => opened));
        Receive<RunOpened>(Note);
        Receive<NodeCommand.StopRun>(command => Stop(command.RunId));
        Receive<NodeCommand.DropWork>(Drop);
        Receive<NodeCommand.Release>(command => Release(command.RunId));
        Receive<NodeCommand.Exclude>(Exclude);
        Receive<NodeCommand>(command =>
        {
            if (_parts.Join(command) is { } whole)
                Take(whole);
        });
        Receive<NodeReport.StepTaken>(step => _link.Tell(step));
        Receive<NodeReport.Surveyed>(surveyed => _link.Tell(surveyed));
        Receive<Schedule>(_ => _bench.StartWork().ForEach(Answer));
        Receive<DeviceWorkEnded>(End);
        Receive<BlobWorkEnded>(ended => Answer(new WorkAnswer(ended.Command, ended.Result)));
        Receive<Leave>(_ => StartLeaving());
    }

    /// <inheritdoc/>
    public ITimerScheduler Timers { get; set; } = null!;

    /// <inheritdoc cref="NodeAgent"/>
    public static Props Props(NodePlace place) => Akka.Actor.Props.Create(() => new NodeAgent(place)).WithDispatcher("elastic.reading-dispatcher");

    /// <inheritdoc/>
    protected override void PreStart() => Timers.StartPeriodicTimer(Beat.Instance, Beat.Instance, Heartbeat, Heartbeat);

    // What it had in hand is gone, and the cluster would wait for it: a process that begins anew is better.
    /// <inheritdoc/>
    protected override void PreRestart(Exception reason, object message)
    {
        _place.Refuse($"the node failed ({reason.Message}); start it again, and report this: log.txt in its data directory has the details");
        base.PreRestart(reason, message);
    }

    /// <inheritdoc/>
    protected override void PostStop() => _bench.Dispose();

    // The heartbeat. Whatever a supervisor has not acknowledged it hears again: it may be another one than it was told to first.
    private void Report()
    {
        _link.Tell(new NodeReport.Enlist(
            _place.Node, [.. _place.Devices], _place.Incarnation, _place.Endpoint, _place.Seed, _place.Version, _place.Arithmetic,
            [.. _answers.Works.Concat(_runs.Held).Distinct()], _leaver is not null));
        foreach (var answer in _answers.Overdue())
            _link.Tell(answer);
    }

    private void Hear(NodeNews news)
    {
        switch (news)
        {
            case NodeNews.Welcome welcome:
                _place.Peers.Set([.. Endpoint.Among(welcome.Peers.Where(p => p != _place.Endpoint))]);
                _place.Liveness.PointTo(Endpoint.TryParse(welcome.Lifeline, out var seed, out _) ? seed : null);
                break;
            case NodeNews.Refused refused:
                _place.Refuse(refused.Why);
                break;
        }
    }

    private void Note(RunOpened opened)
    {
        _runs.Note(opened).ForEach(Take);
        if (opened.Run is { } run)
            _corpusKeeper.Tell(run.Corpus);
        else
            _link.Tell(new NodeReport.RunUnopened(_place.Node, opened.Command.RunId, opened.Why!));
    }

    private void Take(NodeCommand command)
    {
        if (_runs.Hold(command))
            return;                                                    // the run is just being opened
        if (_leaver is not null && command is NodeCommand.RunReplica or NodeCommand.Evaluate)
            return;                                                    // sent before the supervisor knew
        if (_runs.Find(command.RunId) is not { } run)
        {
            _link.Tell(new NodeReport.RunUnopened(_place.Node, command.RunId, _runs.WhyNot(command.RunId)));
            return;
        }

        if (WorkKey.Of(command) is not null)
        {
            if (_answers.Given(command, run.Blobs.IsThere) is { } answer)
                _link.Tell(answer);
            if (!_answers.TakeUp(command))
                return;                                                // in hand, or answered, already
        }

        if (RoundOf(command) is { } round)
            run.Blobs.Begin(round);
        switch (command)
        {
            case NodeCommand.RunReplica or NodeCommand.Evaluate:
                _stopping.Remove(command.RunId);
                _bench.Enqueue(run, command);
                Self.Tell(Schedule.Instance);                          // after what else has come with it, so that devices are shared fairly
                break;
            case NodeCommand.AverageChunks or NodeCommand.Assemble or NodeCommand.Initialize:
                _averager.Tell(new BlobWork(run, command));
                break;
            default:
                _keeper.Tell(new BlobWork(run, command));
                break;
        }
    }

    private static int? RoundOf(NodeCommand command) => command switch
    {
        NodeCommand.RunReplica c => c.Round,
        NodeCommand.AverageChunks c => c.Round,
        NodeCommand.Assemble c => c.Round,
        NodeCommand.CopySet c => c.Round,
        _ => null,
    };

    private void End(DeviceWorkEnded ended)
    {
        if (_bench.End(Sender, ended))
            Answer(new WorkAnswer(ended.Work.Command, ended.Result));
        Self.Tell(Schedule.Instance);
        TellIfIdle(ended.Work.Command.RunId);
    }

    private void Answer(WorkAnswer answer)
    {
        if (_answers.Finish(answer) is { } message)
            _link.Tell(message);
    }

    private void Stop(RunId run)
    {
        _stopping.Add(run);
        _runs.Forget(run, c => c is NodeCommand.RunReplica or NodeCommand.Evaluate);
        foreach (var command in _bench.Stop(run))
            _answers.PutDown(command);
        TellIfIdle(run);
    }

    private void TellIfIdle(RunId run)
    {
        if (_stopping.Contains(run) && !_bench.IsBusy(run))
            _link.Tell(new NodeReport.RunIdle(_place.Node, run));
    }

    private void Drop(NodeCommand.DropWork command)
    {
        foreach (var work in command.Works)
        {
            _answers.Drop(new RunWork(command.RunId, work));
            _bench.Drop(command.RunId, work);
            _runs.Forget(command.RunId, c => WorkKey.Of(c) == work);
        }

        Self.Tell(Schedule.Instance);
    }

    private void Exclude(NodeCommand.Exclude command)
    {
        if (_excluded.GetValueOrDefault(command.RunId) == command.Why)
            return;
        _excluded[command.RunId] = command.Why;
        _log.Warning("run {0}: {1}", command.RunId, command.Why);
        _place.Say($"run {command.RunId}: {command.Why}");
    }

    private void StartLeaving()
    {
        _leaver = Sender;
        foreach (var run in _runs.Open)
            Stop(run);
        Report();
        Release(null);
    }

    // The node may go when every run that it worked for has what only it held.
    private void Release(RunId? run)
    {
        if (run is { } id)
            _released.Add(id);
        if (_leaver is not null && _runs.Open.All(_released.Contains))
            _leaver.Tell(Status.Success.Instance);
    }

    /// <summary>The way to the cluster, new each time that the process joins it.</summary>
    internal sealed record Link(IActorRef Actor) : INoSerializationVerificationNeeded;

    /// <summary>Hand everything over; answered when the process may end.</summary>
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
