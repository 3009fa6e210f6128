using Akka.Cluster;
using Elastic.Actors.Serialization;
using Elastic.Hostile;

namespace Elastic.Actors.Tests.Hostile;

/// <summary>Whoever merely reaches the port of the control plane changes nothing; whoever joined as a worker gives no orders.</summary>
public sealed class HostileSpecs : HostileScene
{
    [Fact]
    public async Task A_process_that_is_no_member_gets_nothing_done()
    {
        await using var node = await StartAsync();
        await using var stranger = new Stranger(Cluster.Get(node.System).SelfAddress);
        await UnharmedAsync(node, stranger, () =>
        {
            stranger.SpeakElastic();
            stranger.SendOtherPayloads();
            stranger.DeployActors();
            stranger.DownTheNode();
            stranger.MoveSingletonAndShards();
            stranger.ReportOthersAsEnded();
            stranger.EndActors();
        },
            "a message of Elastic from {0} is refused: that process is no member of the cluster",
            "a message of Akka's actors from {0} is refused: it is of a kind that no node sends",
            "a message of Akka's actor systems from {0} is refused",
            "a message of Akka's membership from {0} is refused: it is of a kind that no node sends",
            "a message of Akka's shards from {0} is refused: that process is no member of the cluster",
            "a message of Akka's singletons from {0} is refused: that process is no member of the cluster",
            "a message of Akka's JSON from {0} is refused: nothing here is read with it",
            "a message of Akka's remote deployment from {0} is refused",
            "a message of Akka's bytes from {0} is refused");
    }

    [Fact]
    public async Task A_member_that_is_no_seed_gives_no_orders_asks_for_nothing_and_speaks_for_itself_only()
    {
        using var deadline = new CancellationTokenSource(Deadline);
        await using var node = await StartAsync();
        await using var worker = new Stranger(Cluster.Get(node.System).SelfAddress, "akka.cluster.roles = [worker]");
        await worker.JoinAsync(deadline.Token);
        await UnharmedAsync(node, worker, () =>
        {
            worker.SpeakElastic();
            worker.SendOtherPayloads();
            worker.DeployActors();
            worker.DownTheNode();
            worker.ReportOthersAsEnded();
            worker.EndActors();
        },
            "a Retain from {0} is refused: only a seed gives orders",
            "a DeleteRun from {0} is refused: only a seed gives orders",
            "a Refused from {0} is refused: only a seed gives orders",
            "a Stop from {0} is refused: people ask at a seed",
            "a Enlist from {0} is refused: it enlists the node at 127.0.0.1:1",
            "a message of Akka's actor systems from {0} is refused: it is about an actor of another process",
            "a message of Akka's membership from {0} is refused: it is of a kind that no node sends",
            "a message of Akka's remote deployment from {0} is refused");
    }

    [Fact]
    public void The_other_end_of_a_connection_is_read_from_the_name_of_its_reader()
    {
        Assert.Equal("elastic@127.0.0.1:4053", OtherEnd.Of("endpointReader-akka.tcp%3A%2F%2Felastic%40127.0.0.1%3A4053-7"));
        Assert.Equal("elastic@[::1]:4053", OtherEnd.Of("endpointReader-akka.ssl.tcp%3A%2F%2Felastic%40%5B%3A%3A1%5D%3A4053-12"));
    }
}
