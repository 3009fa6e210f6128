using System.Diagnostics;
using System.Net.Sockets;
using Akka.Actor;
using Akka.Actor.Setup;
using Akka.Cluster;
using Akka.Cluster.Tools.Singleton;
using Akka.Configuration;
using Akka.Event;
using Elastic.Actors.Corpora;
using Elastic.Actors.Remoting;
using Elastic.Actors.Runs;
using Elastic.Foundation;
using Elastic.Messages.Settings;

namespace Elastic.Actors.Hosting;

/// <summary>How a process belongs to the cluster.</summary>
/// <param name="Settings">Gives the configuration of an actor system on a port.</param>
/// <param name="Transport">Transport of the control plane, as of everything else in this process.</param>
/// <param name="Runs">What the supervisors' singleton needs here; null for a worker.</param>
/// <param name="Lease">True where several seeds share the database, so that the singleton takes a lease on it.</param>
/// <param name="Say">Tells the person at this process what happens.</param>
/// <param name="Refuse">Receives the reason why the cluster refuses this process.</param>
internal sealed record MemberContext(
    NodeSettings Node, Func<int, Config> Settings, Transport Transport, RunsContext? Runs, bool Lease, Contacts Contacts,
    CorpusFiles Corpora, ReaderWay Readers, Action<string> Say, Action<string> Refuse);

/// <summary>
/// This process's membership of the cluster. When the actor system ends unasked, because the process was downed or no seed was left, or
/// when an actor in it stops that must run, this class makes a fresh actor system in the same process, on the same port, which joins again.
/// </summary>
internal sealed class ClusterMembership : IAsyncDisposable
{
    private static readonly TimeSpan EndDeadline = TimeSpan.FromSeconds(15);
    private static readonly Backoff Retry = new(TimeSpan.FromMilliseconds(200), TimeSpan.FromSeconds(5));

    private readonly MemberContext _context;
    private readonly CancellationTokenSource _ending = new();
    private readonly TaskCompletionSource _joined = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private ActorSystem _system;
    private IActorRef? _agent;
    private Task _life = Task.CompletedTask;

    // Only the loop below replaces it; readers take the reference that is there.
    private volatile IActorRef? _runs;

    private ClusterMembership(MemberContext context, ActorSystem system)
    {
        (_context, _system) = (context, system);
        Address = Cluster.Get(system).SelfAddress;
    }

    /// <summary>The address at which the control plane listens.</summary>
    public Address Address { get; }

    /// <summary>The reference to the supervisors' singleton; null while this process is in no cluster.</summary>
    public IActorRef? Runs => _runs;

    /// <summary>The present actor system, for looking at the cluster.</summary>
    public ActorSystem System => _system;

    /// <summary>Ends when the process has joined for the first time.</summary>
    public Task Joined => _joined.Task;

    /// <summary>Binds the port.</summary>
    /// <exception cref="ElasticException">The port is taken.</exception>
    public static ClusterMembership Bind(MemberContext context)
    {
        try
        {
            return new ClusterMembership(context, SystemOn(context, context.Node.Port));
        }
        catch (Exception e) when (SocketError(e) is { } socket)
        {
            throw new ElasticException(
                $"the control plane cannot listen on {Endpoint.Bracketed(context.Node.Host)}:{context.Node.Port} ({socket.Message}): " +
                "give another port with --port (0 takes any free one; of a seed, its workers need the port that it then shows), or " +
                "another address of this machine with --host", e);
        }
    }

    /// <summary>Joins, and joins again after each loss of the membership, until this object is disposed.</summary>
    public void Live(IActorRef agent)
    {
        _agent = agent;
        _life = Task.Run(LiveAsync);
    }

    /// <summary>Waits for the actor system that takes the place of one that has ended.</summary>
    /// <returns>False where there will be none: this process leaves.</returns>
    public async Task<bool> RejoinsAsync(ActorSystem ended, CancellationToken cancel)
    {
        while (_system == ended && !_life.IsCompleted)
            await Task.Delay(TimeSpan.FromMilliseconds(100), cancel);
        return _system != ended;
    }

    /// <summary>Why the newest attempt to join came to nothing, for people; null where it has joined, or nothing was said.</summary>
    public string? Trouble { get; private set; }

    /// <summary>Ends when this process has seen no seed in the cluster for so long.</summary>
    public async Task WithoutSeedsAsync(TimeSpan span, CancellationToken cancel)
    {
        for (var since = Stopwatch.GetTimestamp(); Stopwatch.GetElapsedTime(since) < span;)
        {
            if (_runs is not null && Cluster.Get(_system).State.Members.Any(m => m.HasRole("seed") && m.Status != MemberStatus.Exiting))
                since = Stopwatch.GetTimestamp();
            await Task.Delay(span / 20, cancel);
        }
    }

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        await _ending.CancelAsync();
        try
        {
            await _life.WaitAsync(EndDeadline);
            await _context.Contacts.LeaveAsync(Address);
            await CoordinatedShutdown.Get(_system).Run(CoordinatedShutdown.ClusterLeavingReason.Instance).WaitAsync(EndDeadline);
        }
        catch (TimeoutException)
        {
            // What was acknowledged is stored, and the process is about to end: this error must not hide another one.
        }

        // Each phase of the shutdown has a deadline, the one that ends the actors, too: on a busy machine it returns while they go on, and
        // what they write appears in a data directory that its owner has been given back.
        await EndAsync();
        _ending.Dispose();
    }

    private static ActorSystem SystemOn(MemberContext context, int port) => ActorSystem.Create(
        "elastic", ActorSystemSetup.Create(
            BootstrapSetup.Create().WithConfig(context.Settings(port)), new TransportSetup(context.Transport)));

    // Remoting wraps the SocketException in several AggregateExceptions and one exception of its own, at which GetBaseException stops.
    private static SocketException? SocketError(Exception? e) =>
        e is null or SocketException ? e as SocketException : SocketError(e.InnerException);

    private async Task LiveAsync()
    {
        for (var attempt = 0; !_ending.IsCancellationRequested; attempt++)
        {
            try
            {
                if (await JoinAsync(attempt))
                {
                    if (Refusal() is { } why)
                    {
                        _context.Refuse(why);
                        _joined.TrySetResult();
                        return;
                    }

                    Trouble = null;
                    var stopped = Enter();
                    _joined.TrySetResult();
                    attempt = 0;
                    var first = await Task.WhenAny(_system.WhenTerminated, stopped, Task.Delay(Timeout.Infinite, _ending.Token));
                    if (_ending.IsCancellationRequested)
                        return;
                    _context.Say(first == stopped
                        ? $"{await stopped} has stopped, without which this process is of no use to the cluster: leaving, to join again; "
                            + $"log.txt in the data directory has the details{AboutCertificate}"
                        : "this process is out of the cluster: joining again; its work goes on meanwhile");
                }
            }
            catch (Exception e)
            {
                // Retries on any exception; otherwise the process never rejoins the cluster.
                _system.Log.Error(e, "joining failed");
            }

            _runs = null;
            _context.Readers.Region = null;
            if (_ending.IsCancellationRequested)
                return;
            await EndAsync();
            await PauseAsync(attempt);
            await BindAgainAsync();
        }
    }

    // The shutdown may wait for nodes that do not answer. Only the port matters, and BindAgainAsync waits for the port.
    private async Task EndAsync()
    {
        try
        {
            await _system.Terminate().WaitAsync(EndDeadline);
        }
        catch (Exception e)
        {
            _system.Log.Warning(e, "the actor system did not end in time");
        }
    }

    private async Task<bool> JoinAsync(int attempt)
    {
        var cluster = Cluster.Get(_system);
        using var timeout = CancellationTokenSource.CreateLinkedTokenSource(_ending.Token);
        // The cluster admits nobody until it has removed a dead member: that may take as long as a worker waits before it gives up.
        timeout.CancelAfter(2 * _system.Settings.Config.GetTimeSpan("elastic.membership.worker-patience"));
        Way? way = null;
        try
        {
            way = await _context.Contacts.FindAsync(Address, attempt, timeout.Token);
            var contacts = way.Members;
            if (way.AtMost is { } most)
                timeout.CancelAfter(most);
            if (contacts.Count == 0)
                return false;                                          // another seed is forming a cluster at this moment
            if (attempt == 0 && contacts[0] != Address)
                _context.Say($"asking {string.Join(", ", way.Named)} to let this process in");
            if (contacts is [var only] && only == Address)
                await cluster.JoinAsync(Address, timeout.Token);
            else
                await cluster.JoinSeedNodesAsync(contacts, timeout.Token);
            return true;
        }
        catch (Exception e) when (e is ClusterJoinFailedException or OperationCanceledException or TimeoutException or ElasticException)
        {
            Trouble = e is ElasticException ? e.Message : null;
            if (Trouble is { } trouble)
                _context.Say(trouble);
            else if (way is not null && !_ending.IsCancellationRequested)
                _context.Say($"no seed answers at {string.Join(", ", way.Named)} (attempt {attempt + 1}): "
                    + $"{await _context.Contacts.DiagnoseAsync(way, _ending.Token)}; trying again");
            return false;
        }
    }

    // A node that was revoked is shut out by the others, and may not have their list.
    private string AboutCertificate => _context.Transport.Credentials switch
    {
        null => "",
        { OwnProblem: { } problem } => $"; this node shows {problem}",
        _ => "; where it comes to this again, see the seed's output, which says whether this node's certificate was revoked",
    };

    // Compares with the seeds that joined earlier: they set the cluster's version.
    private string? Refusal()
    {
        var cluster = Cluster.Get(_system);
        var mine = NodeVersion.Parse(cluster.SelfMember.AppVersion.Version);
        return cluster.State.Members.Where(m => m.HasRole("seed") && m.IsOlderThan(cluster.SelfMember))
            .Select(m => mine.Refusal(NodeVersion.Parse(m.AppVersion.Version))).OfType<string>().FirstOrDefault();
    }

    // Makes the actors of a member, none of which may stop before the membership ends.
    // Returns a task that ends with the name of one that has stopped all the same.
    private Task<string> Enter()
    {
        var stopped = new TaskCompletionSource<string>(TaskCreationOptions.RunContinuationsAsynchronously);
        var system = _system;
        // A member that leaves or was downed stops its actors one after the other: that is no failure.
        Action<string> report = what =>
        {
            if (CoordinatedShutdown.Get(system).ShutdownReason is null && Cluster.Get(system).SelfMember.Status == MemberStatus.Up)
                stopped.TrySetResult(what);
        };
        var watch = system.ActorOf(Props.Create(() => new EssentialActors(report)), "essential-actors");
        if (_context.Runs is { } runs)
            Watched("the supervisors' singleton manager", system.ActorOf(ClusterSingletonManager.Props(
                RunsActor.Props(runs), PoisonPill.Instance,
                _context.Lease
                    ? Membership.MembershipConfig.SeedSingleton(system)
                    : ClusterSingletonManagerSettings.Create(system).WithRole("seed"))
                .WithSupervisorStrategy(EssentialActors.Reporting(watch, "the actor that supervises the runs")), "runs"));
        var proxy = Watched("the way to the supervisors", system.ActorOf(
            ClusterSingletonProxy.Props("/user/runs", ClusterSingletonProxySettings.Create(system).WithRole("seed")), "runs-proxy"));
        _context.Readers.Region = Watched("the region of the shard readers", ShardRegions.Start(system, _context.Corpora));
        _runs = proxy;
        var link = Props.Create(() => new LinkActor(_agent!, proxy, _context.Say, _context.Transport.Credentials));
        Watched("the link between node and cluster", system.ActorOf(link, "link"));
        Watched("the watch over the seeds", _context.Contacts.Enter(system));
        return stopped.Task;

        IActorRef Watched(string what, IActorRef actor)
        {
            watch.Tell(new EssentialActors.Watch(actor, what));
            return actor;
        }
    }

    private async Task PauseAsync(int attempt)
    {
        try
        {
            await Task.Delay(Retry.After(attempt), _ending.Token);
        }
        catch (OperationCanceledException)
        {
            // The loop checks the cancellation.
        }
    }

    // Binds the same port, by which other nodes know this process. The operating system may free the port late.
    private async Task BindAgainAsync()
    {
        for (var attempt = 0; !_ending.IsCancellationRequested; attempt++)
        {
            try
            {
                _system = SystemOn(_context, Address.Port!.Value);
                return;
            }
            catch (Exception e)
            {
                _context.Say($"the port {Address.Port} is not free again yet ({SocketError(e)?.Message ?? e.Message}): trying again");
                await PauseAsync(attempt);
            }
        }
    }
}
