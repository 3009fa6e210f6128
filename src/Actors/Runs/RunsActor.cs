using Akka.Actor;
using Akka.Cluster;
using Akka.Event;
using Akka.Persistence.Query;
using Akka.Persistence.Sql.Query;
using Akka.Streams;
using Akka.Streams.Dsl;
using Elastic.Actors.Hosting;
using Elastic.Foundation;
using Elastic.Messages;
using Elastic.Messages.Nodes;
using Elastic.Messages.Observations;
using Elastic.Messages.Runs;
using Elastic.Transfer;

namespace Elastic.Actors.Runs;

/// <summary>What the singleton is told about the process that it happens to run in.</summary>
/// <param name="Endpoint">Of that process's data plane.</param>
/// <param name="Version">Of Elastic.</param>
internal sealed record RunsPlace(SupervisorPlace Supervisors, string Endpoint, string Version, LivenessConnections Liveness);

/// <summary>
/// The cluster singleton above all runs: one <see cref="RunSupervisor"/> each, and the nodes' first address. The list of runs is the
/// journal's: there is no second copy of it.
/// </summary>
internal sealed class RunsActor : ReceiveActor, IWithTimers
{
    public const string JournalPrefix = "run-";
    private static readonly TimeSpan LookAround = TimeSpan.FromMilliseconds(500);
    private static readonly Backoff Retry = new(TimeSpan.FromMilliseconds(250), TimeSpan.FromSeconds(15));
    private static readonly TimeSpan QueryDeadline = TimeSpan.FromSeconds(15);

    private readonly ILoggingAdapter _log = Context.GetLogger();
    private readonly RunsPlace _place;
    private readonly NodeTable _nodes = new();
    private readonly Dictionary<RunId, int> _retries = [];

    // Who asked for a run last: told when its journal turns out to be unreadable, since its supervisor cannot.
    private readonly Dictionary<RunId, IActorRef> _starts = [];
    private readonly List<(RunCommand.Start Start, IActorRef Sender)> _early = [];
    private readonly ActorMaterializer _materializer = Context.Materializer();
    private IDisposable? _lifelines;
    private int _listAttempts;
    private bool _listed;

    public RunsActor(RunsPlace place)
    {
        _place = place;
        Receive<RunCommand.Start>(Start);
        Receive<RunCommand>(command => Forward(command.RunId, command));
        Receive<RunWatch>(watch => Forward(watch.RunId, watch));
        Receive<NodeReport.Enlist>(Enlist);
        Receive<NodeReport.StepTaken>(report => Forward(report.RunId, report));
        Receive<NodeReport.VersionHeld>(report => Forward(report.RunId, report));
        Receive<NodeReport.SetHeld>(report => Forward(report.RunId, report));
        Receive<NodeReport.Surveyed>(report => Forward(report.RunId, report));
        Receive<NodeReport.RunIdle>(report => Forward(report.RunId, report));
        Receive<NodeReport.RunUnopened>(report => Forward(report.RunId, report));
        Receive<NodeReport.WorkFailed>(report => Forward(report.Work.RunId, report));
        Receive<NodeDistrusted>(distrusted => _nodes.Distrust(distrusted.Node));
        Receive<LifelineConnected>(c => _nodes.Connected(c.Node, c.Incarnation));
        Receive<LifelineBroken>(b =>
        {
            if (_nodes.IsCurrent(b.Node, b.Incarnation))
                Lose(b.Node, $"its liveness connection is gone ({b.Why})");
        });
        Receive<Look>(_ => _nodes.Silent().ToList().ForEach(n => Lose(n, "it says nothing")));
        Receive<Terminated>(Ended);
        Receive<RunUnreadable>(Unreadable);
        Receive<Again>(again => Supervisor(again.RunId));
        Receive<RunList>(Listed);
        Receive<Status.Failure>(NotListed);
        Receive<List>(_ => ListRuns());
        Receive<RunsQuery.Names>(_ => Sender.Tell(new RunsAnswer.Names([.. Supervisors.Select(c => new RunId(c.Path.Name[JournalPrefix.Length..]))])));
        Receive<RunsQuery.Nodes>(_ => Sender.Tell(new RunsAnswer.Nodes([.. _nodes.Views()], Cluster.Get(Context.System).SelfAddress.ToString())));
    }

    /// <inheritdoc/>
    public ITimerScheduler Timers { get; set; } = null!;

    /// <inheritdoc cref="RunsActor"/>
    public static Props Props(RunsPlace place) => Akka.Actor.Props.Create(() => new RunsActor(place));

    /// <inheritdoc/>
    protected override void PreStart()
    {
        _log.Info("the runs are supervised here from now on");
        _place.Supervisors.Observations.Record(new SupervisionBegan(_place.Endpoint));
        var self = Self;
        _lifelines = _place.Liveness.Listen(
            (node, incarnation) => self.Tell(new LifelineConnected(node, incarnation)),
            (node, incarnation, why) => self.Tell(new LifelineBroken(node, incarnation, why)));
        Timers.StartPeriodicTimer(Look.Instance, Look.Instance, LookAround, LookAround);
        ListRuns();
    }

    /// <inheritdoc/>
    protected override void PostStop() => _lifelines?.Dispose();

    // Akka's streams put a child of their own here.
    private static IEnumerable<IActorRef> Supervisors => Context.GetChildren().Where(c => c.Path.Name.StartsWith(JournalPrefix, StringComparison.Ordinal));

    private void Start(RunCommand.Start start)
    {
        if (!_listed)
        {
            _early.Add((start, Sender));
            return;
        }

        _starts[start.RunId] = Sender;
        Supervisor(start.RunId).Forward(start);
    }

    private static void Forward(RunId run, object message)
    {
        var supervisor = Context.Child($"{JournalPrefix}{run}");
        if (!supervisor.IsNobody())
            supervisor.Forward(message);
    }

    private void Enlist(NodeReport.Enlist report)
    {
        if (NodeVersion.Of(report.Version).Refusal(NodeVersion.Of(_place.Version)) is { } why)
        {
            Sender.Tell(new NodeNews.Refused(why));
            return;
        }

        if (_nodes.Note(report, Sender))
        {
            _log.Info("node {0} is here with {1} devices", report.Node, report.Devices.Length);
            _place.Supervisors.Observations.Record(new NodeJoined(report.Node, report.Devices.Length));
            Context.Watch(Sender);
            foreach (var link in _nodes.Links)
                link.Tell(Welcome());
        }
        else
        {
            Sender.Tell(Welcome());
        }

        foreach (var run in Supervisors)
            run.Forward(report);
    }

    private NodeNews.Welcome Welcome() => new(_place.Endpoint, [.. _nodes.Endpoints]);

    // On mere suspicion: if the node lives after all, its next heartbeat brings it back, and what it did meanwhile is the same bytes.
    private void Lose(NodeId node, string why)
    {
        if (!_nodes.Lose(node))
            return;
        _log.Warning("node {0} is given up: {1}", node, why);
        _place.Supervisors.Observations.Record(new Messages.Observations.NodeLost(node, why));
        foreach (var run in Supervisors)
            run.Tell(new NodeLost(node));
    }

    private IActorRef Supervisor(RunId id)
    {
        var name = $"{JournalPrefix}{id}";
        var known = Context.Child(name);
        if (!known.IsNobody())
            return known;
        var supervisor = Context.Watch(Context.ActorOf(RunSupervisor.Props(id, _place.Supervisors), name));
        foreach (var (report, link) in _nodes.Enlisted)
            supervisor.Tell(report, link);
        return supervisor;
    }

    private void Unreadable(RunUnreadable run)
    {
        if (_starts.Remove(run.RunId, out var starter))
            starter.Tell(new RunReply.Refused(run.RunId, run.Why));
    }

    // A supervisor that is gone is made anew, here, once its name is free; a node's link that is gone went with its process.
    private void Ended(Terminated ended)
    {
        if (!ended.ActorRef.Path.Name.StartsWith(JournalPrefix, StringComparison.Ordinal))
        {
            _nodes.Of(ended.ActorRef).ToList().ForEach(n => Lose(n, "its process has left the cluster"));
            return;
        }

        if (!_place.Supervisors.GoOn)
            return;
        var run = new RunId(ended.ActorRef.Path.Name[JournalPrefix.Length..]);
        var attempt = _retries[run] = _retries.GetValueOrDefault(run) + 1;
        Timers.StartSingleTimer($"again {run}", new Again(run), Retry.After(attempt));
    }

    private void ListRuns()
    {
        _ = PersistenceQuery.Get(Context.System).ReadJournalFor<SqlReadJournal>(SqlReadJournal.Identifier)
            .CurrentPersistenceIds().RunWith(Sink.Seq<string>(), _materializer).WaitAsync(QueryDeadline)
            .PipeTo(Self, success: ids => new RunList([.. ids.Where(id => id.StartsWith(JournalPrefix, StringComparison.Ordinal)).Select(id => new RunId(id[JournalPrefix.Length..]))]));
    }

    private void Listed(RunList list)
    {
        _listed = true;
        if (_place.Supervisors.GoOn)
            foreach (var run in list.Runs)
                Supervisor(run);
        foreach (var (start, sender) in _early)
            Self.Tell(start, sender);
        _early.Clear();
    }

    private void NotListed(Status.Failure failure)
    {
        var delay = Retry.After(++_listAttempts);
        _log.Warning(failure.Cause, "the journal cannot be read; trying again in {0} s", delay.TotalSeconds);
        Timers.StartSingleTimer(List.Instance, List.Instance, delay);
    }

    private sealed record LifelineConnected(NodeId Node, string Incarnation);

    private sealed record LifelineBroken(NodeId Node, string Incarnation, string Why);

    private sealed record RunList(RunId[] Runs);

    private sealed record Again(RunId RunId);

    private sealed record Look
    {
        public static readonly Look Instance = new();
    }

    private sealed record List
    {
        public static readonly List Instance = new();
    }
}
