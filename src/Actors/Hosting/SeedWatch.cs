using System.Diagnostics;
using Akka.Actor;
using Akka.Cluster;
using Akka.Event;
using Elastic.Storage;

namespace Elastic.Actors.Hosting;

/// <summary>
/// Learns the cluster's seeds. On a seed it also reports this seed as up in the database, and reads which others are: when two clusters
/// share one database, because their seeds could not see each other in it for a while, the processes of one join the other. A seed that
/// cannot reach the database any more leaves the cluster: it can supervise nothing, and while it is the oldest member, no other seed may.
/// </summary>
internal sealed class SeedWatch : ReceiveActor, IWithTimers
{
    // A seed that joins or leaves may be in one of the two lists only for some seconds.
    private const int MostForeignLooks = 10;

    private readonly ILoggingAdapter _log = Context.GetLogger();
    private readonly Cluster _cluster = Cluster.Get(Context.System);
    private readonly UnregisteredSeeds _unregistered = new();
    private readonly TimeSpan _patience;
    private long _reached = Stopwatch.GetTimestamp();
    private int _foreignLooks;

    /// <param name="registry">Null on a worker.</param>
    /// <param name="patience">How long a seed stays in the cluster without its database.</param>
    public SeedWatch(Contacts contacts, SeedRegistry? registry, TimeSpan patience)
    {
        _patience = patience;
        Receive<ClusterEvent.CurrentClusterState>(state => state.Members.ToList().ForEach(contacts.Note));
        Receive<ClusterEvent.MemberUp>(up => contacts.Note(up.Member));
        ReceiveAsync<ClusterEvent.MemberJoined>(joined => registry is not null && joined.Member.HasRole("seed")
            ? AdmitAsync(registry, joined.Member)
            : Task.CompletedTask);
        ReceiveAsync<Beat>(async _ =>
        {
            await BeatAsync(registry!);
            // While the database is slow, beats do not pile up.
            Timers.StartSingleTimer(Beat.Instance, Beat.Instance, SeedRegistry.Beat);
        });
        _cluster.Subscribe(Self, ClusterEvent.SubscriptionInitialStateMode.InitialStateAsSnapshot,
            typeof(ClusterEvent.MemberUp), typeof(ClusterEvent.MemberJoined));
        if (registry is not null)
            Self.Tell(Beat.Instance);
    }

    /// <inheritdoc/>
    public ITimerScheduler Timers { get; set; } = null!;

    /// <inheritdoc/>
    protected override void PostStop() => _cluster.Unsubscribe(Self);

    private async Task BeatAsync(SeedRegistry registry)
    {
        var self = Contacts.NameOf(_cluster.SelfAddress);
        try
        {
            await registry.BeatAsync(self, CancellationToken.None);
            Judge(await registry.OthersAsync(self, CancellationToken.None));
            Evict(self, await registry.RecentAsync(self, CancellationToken.None));
            Remove(await NewcomersToRemoveAsync(registry, self));
            _reached = Stopwatch.GetTimestamp();
        }
        catch (DatabaseUnavailableException e)
        {
            // While the database is down for all, a new seed cannot read the list either.
            if (Stopwatch.GetElapsedTime(_reached) < _patience)
                return;
            _log.Error(e, "the database was not reached for {0} s: this seed leaves the cluster, so that another one may supervise, and "
                + "joins again when it reaches the database", _patience.TotalSeconds);
            _cluster.Down(_cluster.SelfAddress);
        }
    }

    // Without waiting for the next beat. Where the database does not answer, that beat says so, and looks again.
    private async Task AdmitAsync(SeedRegistry registry, Member joined)
    {
        try
        {
            Remove(await NewcomersToRemoveAsync(registry, Contacts.NameOf(_cluster.SelfAddress), joined));
        }
        catch (DatabaseUnavailableException e)
        {
            _log.Debug("the database cannot be asked about a new seed: {0}", e.Message);
        }
    }

    // The state of the cluster may be older than an event of it.
    private async Task<IReadOnlyList<Address>> NewcomersToRemoveAsync(SeedRegistry registry, string self, params Member[] joined)
    {
        // First the members, then the database: a real seed enters itself before it asks to be let in.
        var newcomers = _unregistered.Newcomers([.. Seeds(m => m.Status is not (MemberStatus.Down or MemberStatus.Exiting)).Union(joined)
            .Select(m => m.UniqueAddress).Where(m => !m.Equals(_cluster.SelfUniqueAddress))]);
        return newcomers.Count == 0
            ? []
            : [.. _unregistered.Admit(newcomers, await registry.EnteredAsync(self, CancellationToken.None)).Select(m => m.Address)];
    }

    private void Evict(string self, IReadOnlyList<string> registered)
    {
        var seeds = Seeds(m => m.Status == MemberStatus.Up)
            .ToLookup(m => Contacts.NameOf(m.Address), m => m.Address, StringComparer.Ordinal);
        Remove([.. _unregistered.Look(seeds.Select(s => s.Key).Where(s => s != self), registered).Select(s => seeds[s].First())]);
    }

    private IEnumerable<Member> Seeds(Func<Member, bool> wanted) => _cluster.State.Members.Where(m => m.HasRole("seed") && wanted(m));

    private void Remove(IReadOnlyList<Address> seeds)
    {
        foreach (var seed in seeds)
        {
            _log.Warning("{0} is in the cluster as a seed and has not entered itself in the database, as each seed does: it is removed; "
                + "if it is yours, give it the database of the other seeds (node.database)", Contacts.NameOf(seed));
            _cluster.Down(seed);
        }
    }

    // Both clusters come to the same decision, since both know the lowest address of each.
    private void Judge(IReadOnlyList<string> up)
    {
        var members = _cluster.State.Members.Where(m => m.HasRole("seed")).Select(m => Contacts.NameOf(m.Address))
            .ToHashSet(StringComparer.Ordinal);
        var foreign = up.Where(seed => !members.Contains(seed)).ToList();
        _foreignLooks = foreign.Count == 0 ? 0 : _foreignLooks + 1;
        if (_foreignLooks < MostForeignLooks
            || string.CompareOrdinal(members.Min(StringComparer.Ordinal), foreign.Min(StringComparer.Ordinal)) < 0)
            return;
        _log.Warning("the seeds {0} form another cluster on the same database: this process leaves its own and joins theirs",
            string.Join(", ", foreign));
        _foreignLooks = 0;
        _cluster.Down(_cluster.SelfAddress);
    }

    private sealed record Beat
    {
        public static readonly Beat Instance = new();
    }
}
