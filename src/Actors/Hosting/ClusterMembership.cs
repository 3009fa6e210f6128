using System.Net.Sockets;
using Akka.Actor;
using Akka.Cluster;
using Akka.Cluster.Tools.Singleton;
using Akka.Configuration;
using Akka.Event;
using Elastic.Actors.Corpora;
using Elastic.Actors.Runs;
using Elastic.Foundation;
using Elastic.Messages.Settings;

namespace Elastic.Actors.Hosting;

/// <summary>How a process belongs to the cluster.</summary>
/// <param name="Settings">Of the actor system on a port.</param>
/// <param name="Runs">What the supervisors' singleton is told here; null for a worker.</param>
/// <param name="Lease">True where several seeds share the database, so that the singleton takes a lease on it.</param>
/// <param name="Say">Tells the person at this process what happens.</param>
/// <param name="Refuse">Is told why the cluster cannot have this process.</param>
internal sealed record MemberPlace(
    NodeSettings Node, Func<int, Config> Settings, RunsContext? Runs, bool Lease, Contacts Contacts, CorpusFiles Corpora, ReaderWay Readers, Action<string> Say,
    Action<string> Refuse);

/// <summary>
/// This process's membership of the cluster. When its actor system ends without our asking, because it was downed or no seed was left, a
/// fresh one is made in the same process, on the same port, and joins again.
/// </summary>
internal sealed class ClusterMembership : IAsyncDisposable
{
    private static readonly TimeSpan EndDeadline = TimeSpan.FromSeconds(15);
    private static readonly Backoff Retry = new(TimeSpan.FromMilliseconds(200), TimeSpan.FromSeconds(5));

    private readonly MemberPlace _place;
    private readonly CancellationTokenSource _ending = new();
    private readonly TaskCompletionSource _joined = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private ActorSystem _system;
    private IActorRef? _agent;
    private Task _life = Task.CompletedTask;

    // Replaced as a whole by the one loop below; whoever asks takes what is there.
    private volatile IActorRef? _runs;

    private ClusterMembership(MemberPlace place, ActorSystem system)
    {
        (_place, _system) = (place, system);
        Address = Cluster.Get(system).SelfAddress;
    }

    /// <summary>Where the control plane listens.</summary>
    public Address Address { get; }

    /// <summary>The way to the supervisors; null while this process is in no cluster.</summary>
    public IActorRef? Runs => _runs;

    /// <summary>The actor system of this moment, for looking at the cluster.</summary>
    public ActorSystem System => _system;

    /// <summary>Done when the process has joined for the first time.</summary>
    public Task Joined => _joined.Task;

    /// <summary>Binds the port.</summary>
    /// <exception cref="ElasticException">The port is taken.</exception>
    public static ClusterMembership Bind(MemberPlace place)
    {
        try
        {
            return new ClusterMembership(place, ActorSystem.Create("elastic", place.Settings(place.Node.Port)));
        }
        catch (Exception e) when (SocketError(e) is { } socket)
        {
            throw new ElasticException($"the address {Endpoint.Bracketed(place.Node.Host)}:{place.Node.Port} cannot be bound ({socket.Message}): " +
                                       "free it, or set node.port = 0 (--port 0) for any free port", e);
        }
    }

    /// <summary>Joins, and joins again whenever need be, until this is disposed.</summary>
    public void Live(IActorRef agent)
    {
        _agent = agent;
        _life = Task.Run(LiveAsync);
    }

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        await _ending.CancelAsync();
        try
        {
            await _life.WaitAsync(EndDeadline);
            await _place.Contacts.LeaveAsync(Address);
            await CoordinatedShutdown.Get(_system).Run(CoordinatedShutdown.ClusterLeavingReason.Instance).WaitAsync(EndDeadline);
        }
        catch (TimeoutException)
        {
            // What was acknowledged is stored, and the process is about to end: not worth hiding another error for.
        }

        _ending.Dispose();
    }

    // Remoting wraps it in several layers of AggregateException and one of its own, at which GetBaseException stops.
    private static SocketException? SocketError(Exception? e) => e is null or SocketException ? e as SocketException : SocketError(e.InnerException);

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
                        _place.Refuse(why);
                        _joined.TrySetResult();
                        return;
                    }

                    Enter();
                    _joined.TrySetResult();
                    attempt = 0;
                    await Task.WhenAny(_system.WhenTerminated, Task.Delay(Timeout.Infinite, _ending.Token));
                    if (_ending.IsCancellationRequested)
                        return;
                    _place.Say("this process is out of the cluster: joining again; its work goes on meanwhile");
                }
            }
            catch (Exception e)
            {
                // Whatever it is: a process that does not try again is lost to the cluster.
                _system.Log.Error(e, "joining failed");
            }

            _runs = null;
            _place.Readers.Region = null;
            if (_ending.IsCancellationRequested)
                return;
            await EndAsync();
            await PauseAsync(attempt);
            await BindAgainAsync();
        }
    }

    // Its shutdown may wait for others that do not answer. The port is what counts: BindAgainAsync waits for that.
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
        // While a dead member is not removed yet nobody is let in: that may take as long as a worker waits before it gives up.
        timeout.CancelAfter(2 * _system.Settings.Config.GetTimeSpan("elastic.membership.worker-patience"));
        string who = "";
        try
        {
            var way = await _place.Contacts.FindAsync(Address, attempt, timeout.Token);
            var contacts = way.Members;
            if (way.AtMost is { } most)
                timeout.CancelAfter(most);
            who = string.Join(", ", contacts.Select(Contacts.NameOf));
            if (contacts.Count == 0)
                return false;                                          // another seed was about to form a cluster just now
            if (attempt == 0 && contacts[0] != Address)
                _place.Say($"asking {who} to let this process in");
            if (contacts is [var only] && only == Address)
                await cluster.JoinAsync(Address, timeout.Token);
            else
                await cluster.JoinSeedNodesAsync(contacts, timeout.Token);
            return true;
        }
        catch (Exception e) when (e is ClusterJoinFailedException or OperationCanceledException or TimeoutException or ElasticException)
        {
            if (!_ending.IsCancellationRequested)
                _place.Say(e is ElasticException ? e.Message
                    : $"no seed answers at {who} (attempt {attempt + 1}): is it running, and reachable from here? trying again");
            return false;
        }
    }

    // Compared with the seeds that were there before: the cluster is what they are.
    private string? Refusal()
    {
        var cluster = Cluster.Get(_system);
        var mine = NodeVersion.Parse(cluster.SelfMember.AppVersion.Version);
        return cluster.State.Members.Where(m => m.HasRole("seed") && m.IsOlderThan(cluster.SelfMember))
            .Select(m => mine.Refusal(NodeVersion.Parse(m.AppVersion.Version))).OfType<string>().FirstOrDefault();
    }

    private void Enter()
    {
        if (_place.Runs is { } runs)
            _system.ActorOf(ClusterSingletonManager.Props(
                RunsActor.Props(runs), PoisonPill.Instance,
                _place.Lease ? Membership.MembershipConfig.SeedSingleton(_system) : ClusterSingletonManagerSettings.Create(_system).WithRole("seed")), "runs");
        var proxy = _system.ActorOf(ClusterSingletonProxy.Props("/user/runs", ClusterSingletonProxySettings.Create(_system).WithRole("seed")), "runs-proxy");
        _place.Readers.Region = ShardRegions.Start(_system, _place.Corpora);
        _runs = proxy;
        _system.ActorOf(Props.Create(() => new LinkActor(_agent!, proxy)), "link");
        _place.Contacts.Enter(_system);
    }

    private async Task PauseAsync(int attempt)
    {
        try
        {
            await Task.Delay(Retry.After(attempt), _ending.Token);
        }
        catch (OperationCanceledException)
        {
            // The loop sees it.
        }
    }

    // The same port, by which others know this process. It may take the system a moment to give it back.
    private async Task BindAgainAsync()
    {
        for (var attempt = 0; !_ending.IsCancellationRequested; attempt++)
        {
            try
            {
                _system = ActorSystem.Create("elastic", _place.Settings(Address.Port!.Value));
                return;
            }
            catch (Exception e)
            {
                _place.Say($"the port {Address.Port} is not free again yet ({SocketError(e)?.Message ?? e.Message}): trying again");
                await PauseAsync(attempt);
            }
        }
    }
}
