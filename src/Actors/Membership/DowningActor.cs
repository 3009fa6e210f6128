using Akka.Actor;
using Akka.Cluster;
using Akka.Event;
using Elastic.Storage;
using static Akka.Cluster.ClusterEvent;

namespace Elastic.Actors.Membership;

/// <summary>Shows the cluster to <see cref="SeedDowning"/> or <see cref="WorkerDowning"/> a few times a second, and obeys.</summary>
internal sealed class DowningActor : ReceiveActor, IWithTimers
{
    private readonly ILoggingAdapter _log = Context.GetLogger();
    private readonly CancellationTokenSource _stopped = new();

    // Addresses of the newest picture. A node that came back at the same address after the decision has another name, and is left alone.
    private readonly Dictionary<string, Address> _addresses = [];
    private readonly Cluster _cluster;
    private readonly MembershipSettings _settings;
    private readonly DownedSeeds? _downed;
    private readonly Func<ClusterPicture, TimeSpan, DowningDecision> _observe;
    private readonly string _self;
    private readonly long _started = TimeProvider.System.GetTimestamp();
    private bool _judging;
    private bool _lookingUp;
    private bool _ending;
    private string? _trouble;

    /// <param name="downed">Null on a worker, which has no database.</param>
    public DowningActor(Cluster cluster, MembershipSettings settings, DownedSeeds? downed)
    {
        (_cluster, _settings, _downed, _self) = (cluster, settings, downed, NameOf(cluster.SelfUniqueAddress));
        _observe = downed is null ? new WorkerDowning(settings).Observe : new SeedDowning(settings).Observe;

        Receive<Tick>(_ => _cluster.SendCurrentClusterState(Self));
        Receive<CurrentClusterState>(Observe);
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
        if (_downed is not null)
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
                _ = _downed!.DownAsync(_self, judge.Seeds, _stopped.Token)
                    .PipeTo(Self, success: other => new Judged(judge.Nodes, other), failure: e => new NotJudged(e));
                break;
            case DowningDecision.End end:
                End(end.Why);
                break;
        }
    }

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
            if (_addresses.TryGetValue(node, out var address))
                _cluster.Down(address);
        }
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
        return new ClusterPicture(_self, [.. state.Members.OrderBy(m => m.Address, Member.AddressOrdering).Select(m => new Peer(
            NameOf(m.UniqueAddress),
            m.HasRole("seed"),
            m.Status switch
            {
                MemberStatus.Joining or MemberStatus.WeaklyUp => Standing.Joining,
                MemberStatus.Up or MemberStatus.Leaving => Standing.Up,
                _ => Standing.Gone,
            },
            m.UniqueAddress.Equals(_cluster.SelfUniqueAddress) || _cluster.FailureDetector.IsAvailable(m.Address),
            state.SeenBy.Contains(m.Address)))]);
    }

    private static string NameOf(UniqueAddress node) => $"{node.Address.Host}:{node.Address.Port}#{node.Uid}";

    private sealed record Tick;

    private sealed record LookUp;

    private sealed record Judged(IReadOnlyList<string> Nodes, string? Judge);

    private sealed record NotJudged(Exception Cause);

    private sealed record JudgeAgain;

    private sealed record LookedUp(string? Judge);

    private sealed record NotLookedUp(Exception Cause);
}
