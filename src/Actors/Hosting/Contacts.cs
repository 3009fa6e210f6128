using System.Data.Common;
using System.Globalization;
using Akka.Actor;
using Akka.Cluster;
using Elastic.Actors.Database;
using Elastic.Messages;

namespace Elastic.Actors.Hosting;

/// <summary>Whom a process asks to be let into the cluster.</summary>
/// <param name="asked">Seeds that the person named.</param>
/// <param name="registry">For a seed: what the database knows of the others; null for a worker, and where there never are others.</param>
internal sealed class Contacts(IReadOnlyList<Address> asked, SeedRegistry? registry)
{
    // Seeds seen in the cluster: where the person named one of three, the others are known from then on. Several threads, hence the lock.
    private readonly HashSet<Address> _seen = [];
    private readonly Lock _gate = new();

    /// <summary>"HOST:PORT" as an address of the cluster.</summary>
    /// <exception cref="ElasticException">It is something else.</exception>
    public static Address Parse(string text) =>
        text.LastIndexOf(':') is var colon and > 0 && int.TryParse(text.AsSpan(colon + 1), NumberStyles.None, CultureInfo.InvariantCulture, out var port) && port is > 0 and <= 65535
            ? new Address("akka.tcp", "elastic", text[..colon], port)
            : throw new ElasticException($"--seed {text}: name a seed as HOST:PORT, e.g. 10.0.0.5:4053");

    /// <summary>"HOST:PORT".</summary>
    public static string NameOf(Address address) => string.Create(CultureInfo.InvariantCulture, $"{address.Host}:{address.Port}");

    /// <summary>Members to join through; only <paramref name="self"/> where a new cluster is to be formed.</summary>
    /// <exception cref="ElasticException">The database cannot be asked.</exception>
    public async Task<IReadOnlyList<Address>> FindAsync(Address self, CancellationToken cancel)
    {
        if (registry is null)
            return Others(self, [.. asked]) is { Count: > 0 } others ? others : [self];
        try
        {
            // What the database says is true: a seed that only the person named may have been gone for long.
            var up = await registry.OthersAsync(NameOf(self), cancel);
            if (up.Count == 0 && await registry.TryFormAsync(NameOf(self), cancel))
                return [self];
            return Others(self, [.. asked, .. up.Select(Parse)]);
        }
        catch (Exception e) when (e is DbException or TimeoutException)
        {
            throw new ElasticException($"the database cannot be asked who else is there ({e.Message}): trying again", e);
        }
    }

    /// <summary>The process has joined: from now on seeds are learnt, and a seed says that it is up.</summary>
    public void Enter(ActorSystem system) => system.ActorOf(Props.Create(() => new SeedWatch(this, registry)), "contacts");

    /// <summary>The process leaves for good.</summary>
    public async Task LeaveAsync(Address self)
    {
        try
        {
            await (registry?.LeaveAsync(NameOf(self), CancellationToken.None) ?? Task.CompletedTask);
        }
        catch (Exception e) when (e is DbException or TimeoutException)
        {
            // It is forgotten within seconds all the same.
        }
    }

    private List<Address> Others(Address self, IEnumerable<Address> known)
    {
        lock (_gate)
            return [.. known.Concat(_seen).Where(a => a != self).Distinct()];
    }

    private void Note(Member member)
    {
        if (member.HasRole("seed"))
            lock (_gate)
                _seen.Add(member.Address);
    }

    private sealed class SeedWatch : ReceiveActor, IWithTimers
    {
        public SeedWatch(Contacts contacts, SeedRegistry? registry)
        {
            var self = Cluster.Get(Context.System).SelfAddress;
            Receive<ClusterEvent.CurrentClusterState>(state => state.Members.ToList().ForEach(contacts.Note));
            Receive<ClusterEvent.MemberUp>(up => contacts.Note(up.Member));
            ReceiveAsync<Beat>(_ => SayAsync(registry!, self));
            Cluster.Get(Context.System).Subscribe(Self, ClusterEvent.SubscriptionInitialStateMode.InitialStateAsSnapshot, typeof(ClusterEvent.MemberUp));
            if (registry is not null)
                Timers.StartPeriodicTimer(Beat.Instance, Beat.Instance, TimeSpan.Zero, SeedRegistry.Beat);
        }

        public ITimerScheduler Timers { get; set; } = null!;

        private static async Task SayAsync(SeedRegistry registry, Address self)
        {
            try
            {
                await registry.BeatAsync(NameOf(self), CancellationToken.None);
            }
            catch (Exception e) when (e is DbException or TimeoutException)
            {
                // While the database is down nobody new can look there either.
            }
        }

        private sealed record Beat
        {
            public static readonly Beat Instance = new();
        }
    }
}
