using System.Collections.Concurrent;
using System.Collections.Immutable;
using System.Diagnostics;
using Akka.Actor;
using Akka.Actor.Setup;
using Akka.Cluster;
using Akka.Cluster.Tools.Singleton;
using Akka.Configuration;
using Akka.Remote;
using Akka.Remote.Transport;
using Elastic.Actors.Membership;
using Elastic.Actors.Remoting;
using Elastic.Storage;
using Elastic.Testing;
using Transport = Elastic.Foundation.Transport;

namespace Elastic.Actors.Tests.Membership;

/// <summary>
/// A cluster of several actor systems in this process, on loopback addresses that decide their order, with the preset lan and one SQLite
/// file.
/// </summary>
internal sealed class LoopbackCluster : IAsyncDisposable
{
    private static readonly TimeSpan Deadline = TimeSpan.FromSeconds(60);

    private readonly string _folder = Directory.CreateTempSubdirectory("elastic-").FullName;
    private readonly List<ActorSystem> _systems = [];

    /// <summary>Where the singleton has started, in order.</summary>
    public ConcurrentQueue<Address> Homes { get; } = [];

    /// <summary>
    /// The same without repetitions: a seed that gets no processor for longer than its lease starts the singleton again, where it was.
    /// </summary>
    public IReadOnlyList<Address> Moves
    {
        get
        {
            var homes = Homes.ToArray();
            return [.. homes.Where((home, i) => i == 0 || home != homes[i - 1])];
        }
    }

    /// <summary>Of all nodes.</summary>
    public Transport Transport { get; init; } = Transport.Plain;

    public DatabaseAddress Database => DatabaseAddress.Parse(null, _folder);

    /// <summary>Starts a node and waits until it is up; without <paramref name="through"/> it forms a cluster of its own.</summary>
    /// <param name="host">Of 127.0.0.0/8; the lowest one is Akka's leader.</param>
    /// <param name="settings">Settings of Akka, above all others.</param>
    /// <param name="port">Null for one that nobody takes while the node is away.</param>
    public async Task<Cluster> StartAsync(string host, string role, Cluster? through, int? port = null, string settings = "")
    {
        await Database.PrepareAsync(Assert.Fail, default);
        using var stream = typeof(MembershipConfig).Assembly.GetManifestResourceStream("hocon/akka.conf")!;
        using var reader = new StreamReader(stream);
        var network = NetworkPreset.Load("lan");
        var config = ConfigurationFactory.ParseString($$"""
            {{settings}}
            akka.loggers = ["Akka.Event.DefaultLogger"]
            akka.loglevel = OFF
            akka.cluster.roles = [{{role}}]
            akka.remote.elastic { hostname = "{{host}}", port = {{port ?? FreePort.Take()}}, applied-adapters = ["trttl"] }
            """)
            .WithFallback(role == "seed" ? MembershipConfig.ForSeed(network, Database) : MembershipConfig.ForWorker(network))
            .WithFallback(ConfigurationFactory.ParseString(await reader.ReadToEndAsync()));
        var system = ActorSystem.Create(
            "elastic", ActorSystemSetup.Create(BootstrapSetup.Create().WithConfig(config), new TransportSetup(Transport)));
        _systems.Add(system);
        var cluster = Cluster.Get(system);
        using var deadline = new CancellationTokenSource(Deadline);
        await cluster.JoinAsync((through ?? cluster).SelfAddress, deadline.Token);
        if (role == "seed")
            system.ActorOf(
                ClusterSingletonManager.Props(
                    Props.Create(() => new Home(Homes)), PoisonPill.Instance, MembershipConfig.SeedSingleton(system)),
                "runs");
        return cluster;
    }

    /// <summary>As kill -9 looks to the others: nothing is handed over, no goodbye is said, the connections close.</summary>
    public static async Task KillAsync(Cluster node)
    {
        ((ExtendedActorSystem)node.System).Abort();
        await node.System.WhenTerminated.WaitAsync(Deadline);
    }

    /// <summary>From now on no byte passes between the two sides, in either direction; connections stay open.</summary>
    public static async Task CutAsync(Cluster[] side, Cluster[] otherSide)
    {
        foreach (var (from, to) in side.SelectMany(a => otherSide.SelectMany(b => new[] { (a, b), (b, a) })))
        {
            var transport = ((IRemoteActorRefProvider)((ExtendedActorSystem)from.System).Provider).Transport;
            Assert.True(await transport
                .ManagementCommand(new SetThrottle(to.SelfAddress, ThrottleTransportAdapter.Direction.Both, Blackhole.Instance))
                .WaitAsync(Deadline));
        }
    }

    /// <summary>Waits until the node sees exactly these members, all up, and none unreachable.</summary>
    public static Task UntilMembersAsync(Cluster node, params Cluster[] members) => UntilAsync(
        () => node.State.Unreachable.IsEmpty && node.State.Members.All(m => m.Status == MemberStatus.Up) &&
              node.State.Members.Select(m => m.UniqueAddress).ToImmutableHashSet().SetEquals(members.Select(m => m.SelfUniqueAddress)),
        () => $"{node.SelfAddress} sees {string.Join(", ", node.State.Members)}");

    public static Task UntilEndedAsync(Cluster node) =>
        UntilAsync(() => node.System.WhenTerminated.IsCompleted, () => $"{node.SelfAddress} goes on");

    /// <summary>Waits until one of these has ended its actor system.</summary>
    public static async Task<Cluster> UntilOneEndedAsync(params Cluster[] nodes)
    {
        await UntilAsync(
            () => nodes.Any(n => n.System.WhenTerminated.IsCompleted), () => $"{string.Join<Cluster>(", ", nodes)} all go on");
        return nodes.First(n => n.System.WhenTerminated.IsCompleted);
    }

    public Task UntilHomeAsync(Cluster node) =>
        UntilAsync(() => Homes.LastOrDefault() == node.SelfAddress, () => $"the singleton was at {string.Join(", ", Homes)}");

    public async ValueTask DisposeAsync()
    {
        foreach (var system in _systems)
            ((ExtendedActorSystem)system).Abort();
        await Task.WhenAll(_systems.Select(s => s.WhenTerminated)).WaitAsync(Deadline);
        Microsoft.Data.Sqlite.SqliteConnection.ClearAllPools();
        Directory.Delete(_folder, true);
    }

    private static async Task UntilAsync(Func<bool> condition, Func<string> seen)
    {
        var watch = Stopwatch.StartNew();
        while (!condition())
        {
            Assert.True(watch.Elapsed < Deadline, $"not within {Deadline.TotalSeconds} s: {seen()}");
            await Task.Delay(20);
        }
    }

    private sealed class Home(ConcurrentQueue<Address> homes) : UntypedActor
    {
        protected override void PreStart() => homes.Enqueue(Cluster.Get(Context.System).SelfAddress);

        protected override void OnReceive(object message) => Unhandled(message);
    }
}
