using Akka.Actor;
using Akka.Cluster;
using Akka.Event;
using Elastic.Messages;
using Elastic.Messages.Nodes;
using Elastic.Messages.Runs;
using Elastic.Storage;
using Elastic.Transfer;

namespace Elastic.Actors.Runs;

/// <summary>What the singleton is told about the process that it happens to run in.</summary>
/// <param name="List">Of all runs, in the database.</param>
/// <param name="Endpoint">Of that process's data plane.</param>
/// <param name="Version">Of Elastic.</param>
internal sealed record RunsPlace(SupervisorPlace Supervisors, RunList List, string Endpoint, string Version, Lifelines Lifelines);

/// <summary>
/// The cluster singleton above all runs: one <see cref="RunSupervisor"/> each, and the nodes' first address. The list of runs is a table of
/// the database; a run is entered there before anything of it is stored.
/// </summary>
internal sealed class RunsActor : ReceiveActor, IWithTimers
{
    private const string SupervisorPrefix = "run-";
    private static readonly TimeSpan LookAround = TimeSpan.FromMilliseconds(500);
    private static readonly TimeSpan LongestRetry = TimeSpan.FromSeconds(15);

    private readonly ILoggingAdapter _log = Context.GetLogger();
    private readonly RunsPlace _place;
    private readonly NodeTable _nodes = new();
    private readonly Dictionary<RunId, int> _retries = [];

    // Who asked for a run last: told when its journal turns out to be unreadable, since its supervisor cannot.
    private readonly Dictionary<RunId, IActorRef> _starts = [];
    private readonly List<(RunCommand.Start Start, IActorRef Sender)> _early = [];
    private readonly CancellationTokenSource _ended = new();
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
                Lose(b.Node, $"its lifeline is gone ({b.Why})");
        });
        Receive<Look>(_ => _nodes.Silent().ToList().ForEach(n => Lose(n, "it says nothing")));
        Receive<Terminated>(Ended);
        Receive<RunUnreadable>(Unreadable);
        Receive<Again>(again => Supervisor(again.RunId));
        Receive<RunsListed>(Listed);
        Receive<Entered>(entered => Supervise(entered.Start, entered.Sender));
        Receive<NotEntered>(failed => failed.Sender.Tell(new RunReply.Refused(failed.Start.RunId,
            $"the database cannot be reached ({failed.Why.GetBaseException().Message}): see that it runs, then start the run again")));
        Receive<Status.Failure>(NotListed);
        Receive<List>(_ => ListRuns());
        Receive<RunsQuery.Names>(_ => Sender.Tell(new RunsAnswer.Names([.. Supervisors.Select(c => new RunId(c.Path.Name[SupervisorPrefix.Length..]))])));
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
        var self = Self;
        _lifelines = _place.Lifelines.Listen(
            (node, incarnation) => self.Tell(new LifelineConnected(node, incarnation)),
            (node, incarnation, why) => self.Tell(new LifelineBroken(node, incarnation, why)));
        Timers.StartPeriodicTimer(Look.Instance, Look.Instance, LookAround, LookAround);
        ListRuns();
    }

    /// <inheritdoc/>
    protected override void PostStop()
    {
        _ended.Cancel();
        _ended.Dispose();
        _lifelines?.Dispose();
    }

    private static IEnumerable<IActorRef> Supervisors => Context.GetChildren().Where(c => c.Path.Name.StartsWith(SupervisorPrefix, StringComparison.Ordinal));

    private void Start(RunCommand.Start start)
    {
        if (!_listed)
        {
            _early.Add((start, Sender));
            return;
        }

        var sender = Sender;
        if (!Context.Child($"{SupervisorPrefix}{start.RunId}").IsNobody())
            Supervise(start, sender);
        else
            _ = _place.List.AddAsync(start.RunId, start.RunId.Value, _ended.Token)
                .PipeTo(Self, success: () => new Entered(start, sender), failure: why => new NotEntered(start, sender, why));
    }

    private void Supervise(RunCommand.Start start, IActorRef sender)
    {
        _starts[start.RunId] = sender;
        Supervisor(start.RunId).Tell(start, sender);
    }

    private static void Forward(RunId run, object message)
    {
        var supervisor = Context.Child($"{SupervisorPrefix}{run}");
        if (!supervisor.IsNobody())
            supervisor.Forward(message);
    }

    private void Enlist(NodeReport.Enlist report)
    {
        if (report.Version != _place.Version)
        {
            Sender.Tell(new NodeNews.Refused(
                $"this node is Elastic {report.Version}, the cluster is {_place.Version}: results of different versions must not be mixed; install {_place.Version} here"));
            return;
        }

        if (_nodes.Note(report, Sender))
        {
            _log.Info("node {0} is here with {1} devices", report.Node, report.Devices.Length);
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
        foreach (var run in Supervisors)
            run.Tell(new NodeLost(node));
    }

    private IActorRef Supervisor(RunId id)
    {
        var name = $"{SupervisorPrefix}{id}";
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
        if (!ended.ActorRef.Path.Name.StartsWith(SupervisorPrefix, StringComparison.Ordinal))
        {
            _nodes.Of(ended.ActorRef).ToList().ForEach(n => Lose(n, "its process has left the cluster"));
            return;
        }

        if (!_place.Supervisors.GoOn)
            return;
        var run = new RunId(ended.ActorRef.Path.Name[SupervisorPrefix.Length..]);
        var attempt = _retries[run] = _retries.GetValueOrDefault(run) + 1;
        Timers.StartSingleTimer($"again {run}", new Again(run), Delay(attempt));
    }

    private void ListRuns()
    {
        _ = _place.List.ReadAsync(_ended.Token).PipeTo(Self, success: runs => new RunsListed([.. runs.Select(r => r.Run)]));
    }

    private void Listed(RunsListed list)
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
        var delay = Delay(++_listAttempts);
        _log.Warning(failure.Cause, "the list of runs cannot be read; trying again in {0} s", delay.TotalSeconds);
        Timers.StartSingleTimer(List.Instance, List.Instance, delay);
    }

    private static TimeSpan Delay(int attempt)
    {
        var seconds = Math.Min(LongestRetry.TotalSeconds, 0.25 * Math.Pow(2, Math.Min(attempt, 10)));
        return TimeSpan.FromSeconds(seconds * (0.5 + Random.Shared.NextDouble() / 2));
    }

    private sealed record LifelineConnected(NodeId Node, string Incarnation);

    private sealed record LifelineBroken(NodeId Node, string Incarnation, string Why);

    private sealed record RunsListed(RunId[] Runs);

    private sealed record Entered(RunCommand.Start Start, IActorRef Sender);

    private sealed record NotEntered(RunCommand.Start Start, IActorRef Sender, Exception Why);

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
