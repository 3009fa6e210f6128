using System.Collections.Concurrent;
using Akka.Actor;
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
    public async Task A_seed_s_welcome_counts_for_its_own_machine_only()
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

        var link = ((ExtendedActorSystem)seed.System).Provider.ResolveActorRef($"{worker.SelfAddress}/user/link");
        var sender = seed.System.ActorOf(Props.Create(() => new Heard(new BlockingCollection<object>())));
        foreach (var endpoint in new[] { "127.0.0.3:80", "169.254.169.254:80", "nowhere", "127.0.0.2:4080" })
            link.Tell(new NodeNews.Welcome(endpoint), sender);
        Assert.Equal(new NodeNews.Welcome("127.0.0.2:4080"), Next());
        Assert.Empty(seen);

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
