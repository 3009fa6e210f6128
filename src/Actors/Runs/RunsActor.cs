using Akka.Actor;
using Akka.Cluster;
using Akka.Event;
using Elastic.Actors.Hosting;
using Elastic.Coordination;
using Elastic.Foundation;
using Elastic.Messages;
using Elastic.Messages.Nodes;
using Elastic.Messages.Observations;
using Elastic.Messages.Runs;
using Elastic.Messages.Work;

namespace Elastic.Actors.Runs;

/// <summary>
/// The cluster singleton above all runs: it makes one <see cref="RunSupervisor"/> for each, and nodes report to it first. The list of
/// runs is a table of the database; a run is entered there before any event of it is stored.
/// </summary>
internal sealed class RunsActor : ReceiveActor, IWithTimers
{
    private const string SupervisorPrefix = "run-";
    private const int MostMisplaced = 100;                     // whoever makes up names must not fill the log
    private static readonly TimeSpan LookAround = TimeSpan.FromMilliseconds(500);
    private static readonly Backoff Retry = new(TimeSpan.FromMilliseconds(500), TimeSpan.FromSeconds(15));

    private readonly ILoggingAdapter _log = Context.GetLogger();
    private readonly RunsContext _context;
    private readonly NodeTable _nodes = new(new AwakeTime(TimeProvider.System, SupervisorContext.MostBetweenLooks));
    private readonly RunDirectory _runs = new();
    private readonly CertificateExchange _certificates;
    private readonly PiecesJobs _jobs;
    private readonly RunRetries _retries;
    private readonly UnansweredWatches _watches;

    // The last asker for each run that has no answer yet: RunsActor answers it when the journal turns out to be unreadable, since the
    // supervisor cannot.
    private readonly Dictionary<RunId, (RunName Name, IActorRef Sender)> _starts = [];

    // Starts that wait until the list is read, or until their run is entered in the list.
    private readonly List<(RunRequest.Start Start, IActorRef Sender)> _waiting = [];
    private readonly EarlyQuestions _early = new();
    private readonly HashSet<RunName> _entering = [];
    private readonly HashSet<NodeId> _misplaced = [];
    private readonly MessageParts _parts = new();
    private readonly CancellationTokenSource _ended = new();
    private IDisposable? _listening;
    private int _listAttempts;
    private bool _listed;

    public RunsActor(RunsContext context)
    {
        _context = context;
        _retries = new RunRetries(Retry, TimeProvider.System, context.Supervisors.Settings.GoesOn);
        _watches = new UnansweredWatches(_runs, _retries);
        var requests = new NodeRequests(_nodes);
        _jobs = new PiecesJobs(() => Context, _nodes, SupervisorPrefix);
        _certificates = new CertificateExchange(context.Credentials, text => _log.Info("{0}", text));
        Receive<RunRequest.Start>(part =>
        {
            if (_parts.Join(part) is { } start)
                Start(start, Sender);
        });
        // Until the list is read nobody knows which runs there are.
        Receive<IWireMessage>(message => !_listed && message is RunRequest or RunsQuery.Names, message => _early.Keep(message, Sender));
        Receive<RunRequest>(request => ForwardByName(request.Run, request, why => Sender.Tell(new RunReply.Refused(request.Run, why))));
        Receive<RunWatch>(watch =>
        {
            if (!_watches.Take(watch, Sender))
                ForwardByName(watch.Run, watch, _ => _watches.Show(watch, Sender));
        });
        Receive<NodeReport.Enlist>(Enlist);
        Receive<WorkResult>(result => !_nodes.MaySpeakFor(result.Node, Sender), result => Impostor(result.Node, result));
        Receive<NodeReport>(report => !_nodes.MaySpeakFor(report.Node, Sender), report => Impostor(report.Node, report));
        Receive<WorkResult>(result => Forward(result.Job.Value, new FromNode(result)));
        Receive<JobRequest>(request => _jobs.Take(request, Sender));
        Receive<NodeRequest>(request => requests.Ask(request, Sender));
        Receive<NodeReport>(requests.Answer);
        Receive<NodeReport.Revoked>(revoked => _certificates.Take(revoked.List));
        Receive<NodeReport.StepTaken>(report => Forward(report.RunId.Value, new FromNode(report)));
        Receive<NodeReport.Fetching>(report => Forward(report.RunId.Value, new FromNode(report)));
        Receive<NodeReport.DeviceLost>(report => Forward(report.RunId.Value, new FromNode(report)));
        Receive<NodeReport.Queued>(report => Forward(report.RunId.Value, new FromNode(report)));
        Receive<NodeReport.Surveyed>(report => Forward(report.RunId.Value, new FromNode(report)));
        Receive<NodeReport.RunIdle>(
            report => IsUnknown(report.RunId),
            report => Sender.Tell(new NodeCommand.Release(report.RunId, _nodes.DrainsOf(report.Node))));
        Receive<NodeReport.RunIdle>(report => Forward(report.RunId.Value, new FromNode(report)));
        Receive<NodeReport.RunUnopened>(report => Forward(report.RunId.Value, new FromNode(report)));
        Receive<NodeDistrusted>(distrusted => _nodes.Distrust(distrusted.Node));
        Receive<LivenessBegan>(c => _nodes.Connected(c.Node, c.Incarnation));
        Receive<LivenessEnded>(b =>
        {
            if (_nodes.IsCurrent(b.Node, b.Incarnation))
                Lose(b.Node, $"its liveness connection is gone ({b.Why})");
        });
        Receive<Look>(_ => LookAtNodes());
        Receive<Terminated>(Ended);
        Receive<RunUnreadable>(Unreadable);
        Receive<JobFailed>(failed => _jobs.Failed(failed.Job, failed.Why));
        Receive<JournalIsOlder>(_ => ListRuns());
        Receive<SuperviseAgain>(again =>
        {
            if (_runs.Knows(again.RunId))
                Supervisor(again.RunId);
        });
        Receive<RunRead>(read =>
        {
            _retries.HasRead(read.RunId);
            _watches.AskAgain(Self);
        });
        Receive<RunAnswered>(Answered);
        Receive<RunDiscarded>(Delete);
        Receive<RunRemoved>(EndDelete);
        Receive<RunsListed>(Listed);
        Receive<RunEntered>(Enter);
        Receive<Status.Failure>(NotListed);
        Receive<List>(_ => ListRuns());
        Receive<RunsQuery.Names>(asked => Sender.Tell(RunsAnswer.Names.Page(
            _runs.Names(id => _retries.View(id) is not null || !Context.Child($"{SupervisorPrefix}{id}").IsNobody()), asked.After)));
        Receive<RunsQuery.Nodes>(asked => Sender.Tell(RunsAnswer.Nodes.Page(
            _nodes.Views(), asked.After, Cluster.Get(Context.System).SelfAddress.ToString())));
    }

    /// <inheritdoc/>
    public ITimerScheduler Timers { get; set; } = null!;

    /// <inheritdoc cref="RunsActor"/>
    public static Props Props(RunsContext context) => Akka.Actor.Props.Create(() => new RunsActor(context));

    /// <inheritdoc/>
    protected override void PreStart()
    {
        _log.Info("the runs are supervised here from now on");
        _context.Supervisors.Observations.Begin(_context.Endpoint);
        var self = Self;
        _listening = _context.Liveness.Listen(
            (node, incarnation) => self.Tell(new LivenessBegan(node, incarnation)),
            (node, incarnation, why) => self.Tell(new LivenessEnded(node, incarnation, why)));
        Timers.StartPeriodicTimer(Look.Instance, Look.Instance, LookAround, LookAround);
        ListRuns();
    }

    /// <inheritdoc/>
    protected override void PostStop()
    {
        _ended.Cancel();
        _ended.Dispose();
        _listening?.Dispose();
        _context.Supervisors.Observations.End();
    }

    private static IEnumerable<IActorRef> Supervisors =>
        Context.GetChildren().Where(c => c.Path.Name.StartsWith(SupervisorPrefix, StringComparison.Ordinal));

    private void Start(RunRequest.Start start, IActorRef sender)
    {
        if (!_listed || _entering.Contains(start.Run))
        {
            _waiting.Add((start, sender));
            return;
        }

        if (_runs.Find(start.Run) is { } known)
        {
            _starts[known] = (start.Run, sender);
            Supervisor(known).Tell(start, sender);
            return;
        }

        var id = _runs.Draw(start.Run);
        _entering.Add(start.Run);
        _waiting.Add((start, sender));
        _ = _context.List.AddAsync(id, start.Run.Value, _ended.Token)
            .PipeTo(Self, success: run => new RunEntered(start.Run, run, null), failure: why => new RunEntered(start.Run, null, why));
    }

    private void Enter(RunEntered entered)
    {
        _entering.Remove(entered.Name);
        var starts = _waiting.Where(w => w.Start.Run == entered.Name).ToList();
        _waiting.RemoveAll(w => w.Start.Run == entered.Name);
        _runs.Entered(entered.Name, entered.Run);
        if (entered.Failure is { } failure)
            _log.Warning(failure, "run {0} cannot be entered in the list of runs", entered.Name);
        foreach (var (start, sender) in starts)
        {
            if (entered.Failure is { } why)
                sender.Tell(new RunReply.Refused(start.Run, ListProblems.OfStart(why)));
            else
                Start(start, sender);
        }
    }

    // Starts of the name wait meanwhile. Once the run is not in the list any more, no seed makes a supervisor for it.
    private void Delete(RunDiscarded discarded)
    {
        _entering.Add(discarded.Request.Run);
        _ = _context.List.RemoveAsync(discarded.RunId, _ended.Token)
            .PipeTo(Self, success: () => new RunRemoved(discarded, null), failure: why => new RunRemoved(discarded, why));
    }

    private void EndDelete(RunRemoved removed)
    {
        var (id, request, asker) = removed.Run;
        _entering.Remove(request.Run);
        if (removed.Failure is { } why)
        {
            _log.Warning(why, "run {0} cannot be taken out of the list of runs", id);
            asker.Tell(new RunReply.Refused(request.Run, $"run {request.Run} stays: {ListProblems.OfDelete(why)}"));
        }
        else
        {
            _log.Info("run {0} is deleted ({1})", id, request.Origin.Who);
            Context.Child($"{SupervisorPrefix}{id}").Tell(RunDeleted.Instance);
            _runs.Forget(request.Run);
            _retries.Forget(id);
            _starts.Remove(id);
            foreach (var link in _nodes.Links)
                link.Tell(new NodeCommand.DeleteRun(id));
            if (request is RunRequest.Start start)
                _waiting.Insert(0, (start, asker));
            else
                asker.Tell(new RunReply.Accepted(request.Run, id));
        }

        var starts = _waiting.Where(w => w.Start.Run == request.Run).ToList();
        _waiting.RemoveAll(w => w.Start.Run == request.Run);
        foreach (var (start, sender) in starts)
            Start(start, sender);
    }

    private void ForwardByName(RunName name, object message, Action<string> refuse)
    {
        if (_runs.Existing(name) is not { } id)
            refuse($"there is no run {name}: start it first");
        else if (Context.Child($"{SupervisorPrefix}{id}").IsNobody())
            refuse(_context.Supervisors.Settings.GoesOn ? $"nobody supervises run {name} for the moment: try again in some seconds"
                : $"run {name} is not at work in this process: start it first");
        else
            Forward(id.Value, message);
    }

    private static void Forward(string run, object message)
    {
        var supervisor = Context.Child($"{SupervisorPrefix}{run}");
        if (!supervisor.IsNobody())
            supervisor.Forward(message);
    }

    private void LookAtNodes()
    {
        _nodes.Silent().ToList().ForEach(n => Lose(n, "it says nothing"));
        _watches.AskAgain(Self);
        if (_nodes.Change() is { } there)
            _context.Supervisors.Observations.Record(there);
    }

    private void Impostor(NodeId node, object message) => _log.Info(
        "a {0} in the name of node {1} ({2}) counts for nothing: it comes from {3}",
        message.GetType().Name, _nodes.AddressOf(node), node, Sender.Path.Address);

    private void Enlist(NodeReport.Enlist report)
    {
        if (NodeVersion.Of(report.Version).Refusal(NodeVersion.Of(_context.Version)) is { } why)
        {
            Sender.Tell(new NodeNews.Refused(why));
            return;
        }

        if (NodeTable.ProblemOf(report, Sender.Path.Address) is { } problem)
        {
            // One line for each that comes anew, not for each heartbeat.
            if (_misplaced.Count < MostMisplaced && _misplaced.Add(report.Node))
                _log.Warning("the node {0} is not let in: {1}", report.Node, problem);
            if (NodeTable.IsFrom(report, Sender.Path.Address))
                Sender.Tell(new NodeNews.Wait(problem));
            return;
        }

        if (_nodes.Clash(report) is { } clash)
        {
            Sender.Tell(clash);
            return;
        }

        if (_nodes.Note(report, Sender))
        {
            _log.Info("node {0} ({1}) is here with {2}", report.Address, report.Node, Plural.Of(report.Devices.Length, "device"));
            _context.Supervisors.Observations.Record(new NodeJoined(report.Node, report.Devices.Length));
            Context.Watch(Sender);
        }

        Sender.Tell(_certificates.Complete(new NodeNews.Welcome(_context.Endpoint), report));
        foreach (var run in Supervisors)
            run.Forward(new FromNode(report));
        DropUnknown(report);
    }

    // Tells a node to drop the results of a run that is not in the database: that run has no supervisor that could tell it.
    private void DropUnknown(NodeReport.Enlist report)
    {
        foreach (var works in report.Pieces().GroupBy(w => new RunId(w.Job.Value)).Where(w => IsUnknown(w.Key)))
        {
            _log.Info("node {0} ({1}) works for run {2}, which is not in the database: its results are not wanted",
                report.Address, report.Node, works.Key);
            Sender.Tell(new NodeCommand.DropWork(works.Key, [.. works.Select(w => w.Key)]));
        }
    }

    private bool IsUnknown(RunId run) => _listed && !_runs.Knows(run) && !_jobs.Knows(run);

    // Gives a node up on mere suspicion: if the node lives, its next heartbeat brings it back, and its work has given the same bytes.
    private void Lose(NodeId node, string why)
    {
        var (address, leaving) = (_nodes.AddressOf(node), _nodes.IsLeaving(node));
        if (!_nodes.Lose(node))
            return;
        if (leaving)
            why = "it has left, as it said";
        _log.Log(leaving ? LogLevel.InfoLevel : LogLevel.WarningLevel, null, "node {0} ({1}) is {2}: {3}",
            address, node, leaving ? "gone" : "given up", why);
        _context.Supervisors.Observations.Record(new Messages.Observations.NodeLost(node, why));
        foreach (var run in Supervisors)
            run.Tell(new NodeLost(node));
    }

    private IActorRef Supervisor(RunId id)
    {
        var name = $"{SupervisorPrefix}{id}";
        var known = Context.Child(name);
        if (!known.IsNobody())
            return known;
        var supervisor = Context.Watch(Context.ActorOf(RunSupervisor.Props(id, _context.Supervisors, _retries.GivenUp(id)), name));
        _retries.Made(id);
        foreach (var (report, link) in _nodes.Enlisted)
            supervisor.Tell(new FromNode(report), link);
        return supervisor;
    }

    private void Answered(RunAnswered answered)
    {
        if (answered.Exists)
            _runs.Started(answered.RunId);
        if (_starts.TryGetValue(answered.RunId, out var start) && start.Sender.Equals(answered.Asker))
            _starts.Remove(answered.RunId);
    }

    private void Unreadable(RunUnreadable run)
    {
        _retries.Failed(run);
        if (_starts.Remove(run.RunId, out var start))
            start.Sender.Tell(new RunReply.Refused(start.Name, run.Why));
    }

    // Makes a supervisor that has ended anew, on this seed, after a pause; a node's link that has ended went with its process.
    private void Ended(Terminated ended)
    {
        if (!ended.ActorRef.Path.Name.StartsWith(SupervisorPrefix, StringComparison.Ordinal))
        {
            _nodes.Of(ended.ActorRef).ToList().ForEach(n => Lose(n, "its process has left the cluster"));
            return;
        }

        var run = new RunId(ended.ActorRef.Path.Name[SupervisorPrefix.Length..]);
        _jobs.Ended(run);
        if (!_context.Supervisors.Settings.GoesOn || !_runs.Knows(run))
            return;
        Timers.StartSingleTimer($"again {run}", new SuperviseAgain(run), _retries.Ended(run));
    }

    private void ListRuns() => _ = _context.List.ReadAsync(_ended.Token).PipeTo(Self, success: runs => new RunsListed(runs));

    private void Listed(RunsListed list)
    {
        (_listed, _listAttempts) = (true, 0);
        foreach (var lost in _runs.Read(list.Runs))
            _log.Error("run {0} is not in the database any more, which was set back to a state before the run began: "
                + "put the newer copy back, or start the run anew", lost);
        if (_context.Supervisors.Settings.GoesOn)
            foreach (var run in _runs.Runs.ToList())
                Supervisor(run);
        var early = _waiting.ToList();
        _waiting.Clear();
        foreach (var (start, sender) in early)
            Start(start, sender);
        _early.AskAgain(Self);
    }

    private void NotListed(Status.Failure failure)
    {
        var delay = Retry.After(_listAttempts++);
        _log.Warning(failure.Cause, "the list of runs cannot be read; trying again in {0} s", delay.TotalSeconds);
        Timers.StartSingleTimer(List.Instance, List.Instance, delay);
    }

    private sealed record Look { public static readonly Look Instance = new(); }

    private sealed record List { public static readonly List Instance = new(); }
}
