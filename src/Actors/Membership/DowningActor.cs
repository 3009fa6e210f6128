using System.Globalization;
using System.Net.Sockets;
using Akka.Actor;
using Akka.Cluster;
using Akka.Event;
using Akka.Remote;
using Elastic.Actors.Hosting;
using Elastic.Foundation;
using Elastic.Storage;
using static Akka.Cluster.ClusterEvent;

namespace Elastic.Actors.Membership;

/// <summary>Shows the cluster to <see cref="SeedDowning"/> or <see cref="WorkerDowning"/> a few times a second, and obeys.</summary>
internal sealed class DowningActor : ReceiveActor, IWithTimers
{
    // Two connections a second to each other seed, a hundredth of a core with their handshakes, add at most this to the time without a
    // supervisor.
    private static readonly TimeSpan TryEach = TimeSpan.FromMilliseconds(500);
    private static readonly TimeSpan BetweenTries = TimeSpan.FromMilliseconds(100), MostOfATry = TimeSpan.FromSeconds(1);

    private readonly ILoggingAdapter _log = Context.GetLogger();
    private readonly CancellationTokenSource _stopped = new();

    // Addresses of the newest picture. A node that came back at the same address after the decision has another name, and is left alone.
    private readonly Dictionary<string, Address> _addresses = [];

    // Seeds whose ports are being tried, and those whose ports refused: their processes have ended.
    private readonly HashSet<string> _trying = [], _refusing = [];
    private readonly Cluster _cluster;
    private readonly MembershipSettings _settings;
    private readonly DownedSeeds? _downed;
    private readonly Transport _transport;
    private readonly Func<ClusterPicture, TimeSpan, DowningDecision> _observe;
    private readonly string _self;
    private readonly long _started = TimeProvider.System.GetTimestamp();
    private bool _judging;
    private bool _lookingUp;
    private bool _ending;
    private string? _trouble;

    /// <param name="downed">Null on a worker, which has no database.</param>
    /// <param name="transport">Transport of the control plane.</param>
    public DowningActor(Cluster cluster, MembershipSettings settings, DownedSeeds? downed, Transport transport)
    {
        (_cluster, _settings, _downed, _transport) = (cluster, settings, downed, transport);
        _self = NameOf(cluster.SelfUniqueAddress);
        _observe = downed is null ? new WorkerDowning(settings).Observe : new SeedDowning(settings).Observe;

        Receive<Tick>(_ => _cluster.SendCurrentClusterState(Self));
        Receive<CurrentClusterState>(Observe);
        Receive<TryPorts>(_ => _cluster.State.Members.Where(m => m.HasRole("seed")).ToList().ForEach(m => Try(m.UniqueAddress)));
        Receive<Tried>(tried =>
        {
            _trying.Remove(tried.Node);
            if (tried.Refuses && _addresses.ContainsKey(tried.Node) && _refusing.Add(tried.Node))
                _log.Warning("the process of {0} has ended: its port refuses connections", tried.Node);
        });
        Receive<Judged>(judged =>
        {
            _judging = false;
            if (judged.Judge is { } judge)
                End($"the seed {judge} has downed this one: leaving, to join again");
            else
                Down(judged.Nodes);
        });
        Receive<LookUp>(_ => LookUpOurselves());
        Receive<LookedUp>(found =>
        {
            _lookingUp = false;
            _trouble = null;
            if (found.Judge is { } judge)
                End($"the seed {judge} has downed this one: leaving, to join again");
        });
        Receive<NotJudged>(failure =>
        {
            Complain(failure.Cause);
            // A database that is down stays so for a while; the seeds should not all try again at the same moment.
            Timers.StartSingleTimer("judge", new JudgeAgain(), TimeSpan.FromSeconds(1 + Random.Shared.NextDouble()));
        });
        Receive<JudgeAgain>(_ => _judging = false);
        Receive<NotLookedUp>(failure =>
        {
            _lookingUp = false;
            Complain(failure.Cause);
        });
    }

    /// <inheritdoc/>
    public ITimerScheduler Timers { get; set; } = null!;

    /// <inheritdoc/>
    protected override void PreStart()
    {
        Timers.StartPeriodicTimer("tick", new Tick(), _settings.TickInterval);
        if (_downed is null)
            return;
        Timers.StartPeriodicTimer("try-ports", new TryPorts(), TryEach);
        Timers.StartPeriodicTimer("look-up", new LookUp(), _settings.VerdictPollInterval);
    }

    /// <inheritdoc/>
    protected override void PostStop()
    {
        _stopped.Cancel();
        _stopped.Dispose();
    }

    private void Observe(CurrentClusterState state)
    {
        var decision = _observe(Picture(state), TimeProvider.System.GetElapsedTime(_started));
        if (_judging || _ending)
            return;
        switch (decision)
        {
            case DowningDecision.DownWorkers down:
                Down(down.Nodes);
                break;
            case DowningDecision.Judge judge:
                _judging = true;
                _ = _downed!.DownAsync(_self, judge.Seeds, [.. judge.Seeds.Where(_refusing.Contains).Select(OwnerOf)], _stopped.Token)
                    .PipeTo(Self, success: other => new Judged(judge.Nodes, other), failure: e => new NotJudged(e));
                break;
            case DowningDecision.End end:
                End(end.Why);
                break;
        }
    }

    // A port that refuses says what silence does not: nobody listens there any more. Akka does not report it.
    private void Try(UniqueAddress seed)
    {
        var node = NameOf(seed);
        if (node == _self || _refusing.Contains(node) || !_trying.Add(node))
            return;
        _ = RefusesAsync(seed.Address.ToEndpoint(), _stopped.Token).PipeTo(
            Self, success: refuses => new Tried(node, refuses), failure: _ => new Tried(node, false));
    }

    // True for two refusals in a row: a process that begins anew listens in a moment.
    private async Task<bool> RefusesAsync(Endpoint endpoint, CancellationToken cancel)
    {
        for (var attempt = 0; attempt < 2; attempt++)
        {
            using var limit = CancellationTokenSource.CreateLinkedTokenSource(cancel);
            limit.CancelAfter(MostOfATry);
            try
            {
                (await _transport.ConnectAsync(endpoint, limit.Token)).Dispose();
                return false;
            }
            catch (SocketException e) when (e.SocketErrorCode == SocketError.ConnectionRefused)
            {
                await Task.Delay(BetweenTries, cancel);
            }
        }

        return true;
    }

    // As Akka names the owner of the singleton's lease.
    private string OwnerOf(string node) => _addresses[node].HostPort();

    private void LookUpOurselves()
    {
        if (_ending || _lookingUp)
            return;
        _lookingUp = true;
        _ = _downed!.JudgeOfAsync(_self, _stopped.Token)
            .PipeTo(Self, success: judge => new LookedUp(judge), failure: e => new NotLookedUp(e));
    }

    // Logs each reason once, not each second.
    private void Complain(Exception cause)
    {
        if (_trouble != cause.Message)
            _log.Warning("the database does not answer, so that silent seeds cannot be downed, nor is it known whether this one was: {0}",
                cause.Message);
        _trouble = cause.Message;
    }

    private void Down(IReadOnlyList<string> nodes)
    {
        _log.Warning("downing {0}, silent for too long", string.Join(", ", nodes));
        foreach (var node in nodes)
        {
            if (!_addresses.TryGetValue(node, out var address))
                continue;
            if (_refusing.Contains(node))
                Quarantine(address, int.Parse(node[(node.LastIndexOf('#') + 1)..], NumberStyles.AllowLeadingSign,
                    CultureInfo.InvariantCulture));
            _cluster.Down(address);
        }
    }

    // Akka removes a downed member once its own failure detector has missed the member, or at once where it is quarantined. It says that
    // it has quarantined one only where it was not just connecting to it anew, so the cluster hears it from here as well.
    private void Quarantine(Address address, int uid)
    {
        ((IRemoteActorRefProvider)_cluster.System.Provider).Quarantine(address, uid);
        _cluster.System.EventStream.Publish(new QuarantinedEvent(address, uid));
    }

    private void End(string why)
    {
        if (_ending)
            return;
        _ending = true;
        _log.Error(why);
        _cluster.Down(_cluster.SelfAddress);
    }

    private ClusterPicture Picture(CurrentClusterState state)
    {
        _addresses.Clear();
        foreach (var member in state.Members)
            _addresses[NameOf(member.UniqueAddress)] = member.Address;
        _refusing.IntersectWith(_addresses.Keys);
        return new ClusterPicture(_self, [.. state.Members.OrderBy(m => m.Address, Member.AddressOrdering).Select(m => new Peer(
            NameOf(m.UniqueAddress),
            m.HasRole("seed"),
            m.Status switch
            {
                MemberStatus.Joining or MemberStatus.WeaklyUp => Standing.Joining,
                MemberStatus.Up or MemberStatus.Leaving => Standing.Up,
                _ => Standing.Gone,
            },
            m.UniqueAddress.Equals(_cluster.SelfUniqueAddress)
                || (_cluster.FailureDetector.IsAvailable(m.Address) && !_refusing.Contains(NameOf(m.UniqueAddress))),
            state.SeenBy.Contains(m.Address), _refusing.Contains(NameOf(m.UniqueAddress))))]);
    }

    private static string NameOf(UniqueAddress node) =>
        string.Create(CultureInfo.InvariantCulture, $"{node.Address.Host}:{node.Address.Port}#{node.Uid}");

    private sealed record Tick;

    private sealed record LookUp;

    private sealed record TryPorts;

    private sealed record Tried(string Node, bool Refuses);

    private sealed record Judged(IReadOnlyList<string> Nodes, string? Judge);

    private sealed record NotJudged(Exception Cause);

    private sealed record JudgeAgain;

    private sealed record LookedUp(string? Judge);

    private sealed record NotLookedUp(Exception Cause);
}
