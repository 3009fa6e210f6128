using System.Collections.Concurrent;
using Akka.Actor;
using Akka.Cluster;
using Elastic.Actors.Hosting;
using Elastic.Actors.Nodes;
using Elastic.Actors.Tests.Membership;
using Elastic.Messages.Nodes;

namespace Elastic.Actors.Tests.Hosting;

// The liveness connection goes where a welcome points, and carries what identifies the process.
public sealed class LinkSpecs
{
    private static readonly TimeSpan Deadline = TimeSpan.FromSeconds(60);

    [Fact]
    public async Task A_welcome_counts_from_a_seed_of_the_cluster_and_for_its_own_machine_only()
    {
        await using var nodes = new LoopbackCluster();
        var seed = await nodes.StartAsync("127.0.0.2", "seed", null);
        var worker = await nodes.StartAsync("127.0.0.3", "worker", seed);
        await LoopbackCluster.UntilMembersAsync(seed, seed, worker);
        var seen = new BlockingCollection<object>();
        var agent = worker.System.ActorOf(Props.Create(() => new Heard(seen)));
        Action<string> say = _ => { };
        worker.System.ActorOf(Props.Create(() => new LinkActor(agent, ActorRefs.Nobody, say)), "link");
        Assert.IsType<NodeAgent.Link>(Next());

        await SayAsync(worker, "127.0.0.3:80");                         // a member, and no seed
        await SayAsync(seed, "127.0.0.3:80");                           // a seed, for another machine
        await SayAsync(seed, "169.254.169.254:80");
        await SayAsync(seed, "nowhere");
        await SayAsync(seed, "127.0.0.2:4080");
        Assert.Equal(new NodeNews.Welcome("127.0.0.2:4080"), Next());
        Assert.Empty(seen);

        // Told by an actor of that node; the next one is told when this one has arrived, or was dropped.
        async Task SayAsync(Cluster from, string endpoint)
        {
            var target = await from.System
                .ActorSelection(new RootActorPath(worker.SelfAddress) / "user" / "link").ResolveOne(Deadline);
            var sender = from.System.ActorOf(Props.Create(() => new Heard(new BlockingCollection<object>())));
            target.Tell(new NodeNews.Welcome(endpoint), sender);
            await target.Ask<ActorIdentity>(new Identify(endpoint), Deadline);
        }

        object Next()
        {
            Assert.True(seen.TryTake(out var message, Deadline));
            return message;
        }
    }

    private sealed class Heard(BlockingCollection<object> seen) : UntypedActor
    {
        protected override void OnReceive(object message) => seen.Add(message);
    }
}
