using Akka.Actor;
using Akka.Actor.Setup;
using Akka.Cluster;
using Akka.Cluster.Sharding;
using Akka.Cluster.Tools.Singleton;
using Akka.Configuration;
using Akka.Dispatch.SysMsg;
using Akka.Routing;
using Elastic.Actors;
using Elastic.Actors.Control;
using Elastic.Actors.Remoting;
using Elastic.Coordination;
using Elastic.Foundation;
using Elastic.Foundation.Certificates;
using Elastic.Messages;
using Elastic.Messages.Corpora;
using Elastic.Messages.Nodes;
using Elastic.Messages.Runs;
using Elastic.Messages.Settings;
using Elastic.Messages.Work;
using Transport = Elastic.Foundation.Transport;

namespace Elastic.Hostile;

/// <summary>
/// A hostile process: it reaches the port of a node's control plane, speaks Akka.Remote with Akka's own settings and serializers, and knows
/// Elastic's messages.
/// </summary>
internal sealed class Stranger : IAsyncDisposable
{
    private static readonly NodeId Name = new("gpu7-8h2m4xyq");

    private const string Region = "/system/sharding/shard-reader";

    /// <param name="node">Whom it attacks.</param>
    /// <param name="settings">Of Akka, above all others, e.g. roles.</param>
    /// <param name="credentials">A certificate, with which it connects and signs as nodes do; null for Akka's own connections.</param>
    public Stranger(Address node, string settings = "", Credentials? credentials = null)
    {
        Victim = node;
        var transport = credentials is null ? Transport.Plain : TlsTransport.BetweenNodes(credentials);
        if (credentials is not null)
            settings += """

                akka.remote.enabled-transports = ["akka.remote.elastic"]
                akka.remote.elastic {
                  transport-class = "Elastic.Actors.Remoting.StreamTransport, Elastic.Actors"
                  applied-adapters = [], hostname = "127.0.0.1", port = 0, listens = on, connection-timeout = 5 s
                }
                """;
        var config = ConfigurationFactory.ParseString(settings).WithFallback(ConfigurationFactory.ParseString("""
            akka {
              loglevel = OFF, stdout-loglevel = OFF, loggers = []
              coordinated-shutdown.run-by-actor-system-terminate = off       # it says no goodbye
              cluster.failure-detector.acceptable-heartbeat-pause = 60 s     # and accuses nobody by accident
              cluster.run-coordinated-shutdown-when-down = off               # whoever removes it does not silence it
              actor {
                provider = cluster
                serializers.elastic = "Elastic.Actors.Serialization.ElasticSerializer, Elastic.Actors"
                serialization-bindings { "Elastic.Messages.IWireMessage, Elastic.Messages" = elastic }
              }
              remote.dot-netty.tcp { hostname = "127.0.0.1", port = 0 }
            }
            """)).WithFallback(ClusterSharding.DefaultConfig()).WithFallback(ClusterSingleton.DefaultConfig());
        System = ActorSystem.Create("elastic", ActorSystemSetup.Create(
            BootstrapSetup.Create().WithConfig(config), new TransportSetup(transport)));
    }

    public ActorSystem System { get; }

    /// <summary>Whom it attacks.</summary>
    public Address Victim { get; set; }

    /// <summary>The run that its messages are about.</summary>
    public RunId Run { get; set; } = new("tiny-3k9v2mq7");

    /// <summary>True once it was removed from the cluster; as a stranger it goes on.</summary>
    public bool IsRemoved => Cluster.Get(System).IsTerminated;

    public Task JoinAsync(CancellationToken cancel) => Cluster.Get(System).JoinAsync(Victim, cancel);

    /// <summary>Orders to end, in all ways that Akka has.</summary>
    public void EndActors()
    {
        foreach (var path in new[] { "/user/runs/singleton", "/user/runs", "/user/runs-proxy", "/user/link", Region })
        {
            At(path).Tell(PoisonPill.Instance);
            At(path).Tell(Kill.Instance);
            ((IInternalActorRef)At(path)).SendSystemMessage(new Terminate());
            System.ActorSelection($"{Victim}{path}").Tell(PoisonPill.Instance);
        }

        System.ActorSelection($"{Victim}/user/*").Tell(Kill.Instance);
    }

    /// <summary>Says that an actor of another process has ended.</summary>
    public void ReportOthersAsEnded() =>
        ((IInternalActorRef)At("/user/runs/singleton")).SendSystemMessage(new DeathWatchNotification(At("/user/link"), true, true));

    /// <summary>Has actors made on the node.</summary>
    public void DeployActors() => System.ActorOf(
        Props.Create(() => new Spy()).WithDeploy(Deploy.None.WithScope(new RemoteScope(Victim))), $"spy-{Guid.NewGuid():N}");

    /// <summary>Payloads that make a careless reader parse, construct or allocate.</summary>
    public void SendOtherPayloads()
    {
        object nested = "x";
        for (var i = 0; i < 50; i++)
            nested = new Identify(nested);
        object[] payloads =
        [
            ConfigurationFactory.ParseString("a = 1"), new Status.Failure(new SpyException("x")), new Status.Success("x"),
            new RoundRobinPool(1), new byte[10], new Strange("x"), nested, "text", 1, 2L,
            new ActorSelectionMessage(new ActorSelectionMessage(nested, [new SelectParent()]), [new SelectChildPattern("*")]),
        ];
        foreach (var payload in payloads)
            At("/user/link").Tell(payload);
    }

    /// <summary>Has the node removed from its own cluster.</summary>
    public void DownTheNode()
    {
        foreach (var action in new[] { "Down", "Leave" })
            System.ActorSelection($"{Victim}/system/cluster/core/daemon")
                .Tell(Made(typeof(Cluster), $"Akka.Cluster.ClusterUserAction+{action}", Victim));
    }

    /// <summary>Akka's own messages by which members take over from each other.</summary>
    public void MoveSingletonAndShards()
    {
        At("/user/runs").Tell(
            typeof(ClusterSingletonManager).Assembly.GetType("Akka.Cluster.Tools.Singleton.HandOverToMe", true)!
                .GetProperty("Instance")!.GetValue(null)!);
        for (var shard = 0; shard < 3; shard++)
            At(Region).Tell(Made(typeof(ClusterSharding), "Akka.Cluster.Sharding.ShardCoordinator+HandOff", $"{shard}"));
    }

    /// <summary>Orders of a supervisor to the node, results and requests to the supervisors.</summary>
    public void SpeakElastic()
    {
        var digest = Digest.Of([1]);
        NodeCommand[] orders =
        [
            new NodeCommand.Retain(Run, new OrderId(1, 1), 1, [], [], Part.Whole),
            new NodeCommand.DeleteRun(Run),
            new NodeCommand.StopRun(Run),
        ];
        foreach (var order in orders)
            At("/user/link").Tell(order);
        At("/user/link").Tell(new NodeNews.Refused("go away"));
        At("/user/link").Tell(new NodeNews.Welcome("127.0.0.1:1"));
        SpeakForAnother();
        At("/user/runs/singleton").Tell(new RunRequest.Stop(Run.Name, Origins.Now("a stranger")));
        At(Region).Tell(new ReadBlocks(new ShardId(digest, 0), false, SampleKind.Blocks, int.MaxValue - 1, [0]));
    }

    /// <summary>Enlists another node, and reports a result in its name.</summary>
    public void SpeakForAnother()
    {
        At("/user/runs/singleton").Tell(Enlist("127.0.0.1:1"));
        At("/user/runs/singleton").Tell(
            new WorkResult(Run.Job, Name, new OrderId(1, 1), CopyWork.KeyOf(0, 0), null, new Copied(Digest.Of([1]))));
    }

    /// <summary>Reports results of the run's present round in the names of its nodes, and failures that would end the run.</summary>
    /// <param name="version">What the round starts from.</param>
    /// <param name="tokens">That a replica trains on in a round.</param>
    public void ForgeResults(int round, Digest version, long tokens, int replicas, IEnumerable<NodeId> names)
    {
        foreach (var (name, replica) in names.SelectMany(n => Enumerable.Range(0, replicas).Select(r => (n, r))))
        {
            Report(new Computed(new ReplicaResult(
                round, replica, Digest.Of([1]), Digest.Of([2]), tokens, LossNats: 1, Digest.Of([3]))));
            Report(new WorkFailed("forged", WorkFailure.Permanent));

            void Report(WorkOutcome outcome) => At("/user/runs/singleton").Tell(
                new WorkResult(Run.Job, name, new OrderId(1, 1), ComputeWork.KeyOf(round, replica), version, outcome));
        }
    }

    public static NodeReport.Enlist Enlist(string address) => new(Name)
    {
        Devices = [new DeviceId("cpu:0")],
        Incarnation = "1",
        Address = address,
        Endpoint = "127.0.0.1:80",
        Seed = true,
        Version = ElasticNode.Version,
        Arithmetic = "",
        Works = [],
        Leaving = false,
    };

    public async ValueTask DisposeAsync() => await System.Terminate();

    private IActorRef At(string path) => ((ExtendedActorSystem)System).Provider.ResolveActorRef($"{Victim}{path}");

    private static object Made(Type beside, string type, object argument) =>
        Activator.CreateInstance(beside.Assembly.GetType(type, true)!, argument)!;
}

/// <summary>A type that no process of the cluster knows.</summary>
internal sealed record Strange(string Text);

/// <summary>An actor that a stranger would like to see made on a node.</summary>
internal sealed class Spy : ReceiveActor
{
    private static int _made;

    public Spy() => Interlocked.Increment(ref _made);

    /// <summary>How many were made in this process.</summary>
    public static int Made => Volatile.Read(ref _made);
}

/// <summary>An exception that a stranger would like to see made on a node.</summary>
#pragma warning disable CA1032, IDE0060, SYSLIB0051 // the constructor that a serializer calls is the point
public sealed class SpyException(string message) : Exception(message)
{
    private static int _made;

    private SpyException(System.Runtime.Serialization.SerializationInfo info, System.Runtime.Serialization.StreamingContext context)
        : this("made from bytes") => Interlocked.Increment(ref _made);

    /// <summary>How many were made from bytes in this process.</summary>
    public static int Made => Volatile.Read(ref _made);
}
#pragma warning restore CA1032, IDE0060, SYSLIB0051
