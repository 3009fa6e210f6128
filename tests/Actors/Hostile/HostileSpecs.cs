using System.Collections.Concurrent;
using System.Diagnostics;
using Akka.Cluster;
using Elastic.Actors.Serialization;
using Elastic.Messages.Runs;
using Elastic.Messages.Settings;
using Elastic.Testing;

namespace Elastic.Actors.Tests.Hostile;

/// <summary>Whoever merely reaches the port of the control plane changes nothing; whoever joined as a worker gives no orders.</summary>
public sealed class HostileSpecs : TemporaryFolder
{
    private static readonly TimeSpan Deadline = TimeSpan.FromSeconds(60);

    private readonly ConcurrentQueue<string> _said = [];

    [Fact]
    public async Task A_process_that_is_no_member_gets_nothing_done()
    {
        await using var node = await StartAsync();
        await using var stranger = new Stranger(Cluster.Get(node.System).SelfAddress);
        await UnharmedAsync(node, [stranger], () =>
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
        await UnharmedAsync(node, [worker], () =>
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
            "a Pause from {0} is refused: people ask at a seed",
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

    private async Task UnharmedAsync(ElasticNode node, Stranger[] strangers, Action attack, params string[] refusals)
    {
        var (system, members) = (node.System, Cluster.Get(node.System).State.Members.Count);
        var spies = (Spy.Made, SpyException.Made);
        attack();
        // A remote deployment makes an actor of its own side, too, which tells the other side; no spy is made on either.
        var origin = Cluster.Get(strangers[0].System).SelfAddress.HostPort();
        foreach (var refusal in refusals)
            await UntilAsync(() => Log().Contains(refusal.Replace("{0}", origin, StringComparison.Ordinal), StringComparison.Ordinal), () =>
                $"not in the log: {refusal}{Environment.NewLine}{Log()}");
        await UntilAsync(async () =>
            (await node.AskAsync<RunsAnswer.Nodes>(new RunsQuery.Nodes(), TimeSpan.FromSeconds(5))).Views is [var only]
            && only.Address == node.Endpoint.ToString());
        Assert.Same(system, node.System);
        Assert.False(system.WhenTerminated.IsCompleted || node.Refused.IsCompleted);
        Assert.Equal(members, Cluster.Get(system).State.Members.Count(m => m.Status == MemberStatus.Up));
        Assert.Equal(spies, (Spy.Made, SpyException.Made));
        Assert.DoesNotContain(_said, s => s.Contains("has stopped", StringComparison.Ordinal));
        // One line a minute for each kind, and none from Akka beside it.
        Assert.InRange(Log().Split('\n').Count(l => l.Contains($"{origin} is refused", StringComparison.Ordinal)), refusals.Length, 20);
        Assert.DoesNotContain("Deserialization failed", Log(), StringComparison.Ordinal);
    }

    private string Log()
    {
        using var reader = new StreamReader(
            new FileStream(Path.Combine(Folder, "log.txt"), FileMode.OpenOrCreate, FileAccess.Read, FileShare.ReadWrite));
        return reader.ReadToEnd();
    }

    private Task<ElasticNode> StartAsync() => ElasticNode.StartAsync(
        NodeSettings.Defaults with { Devices = "none", DataDir = Folder }, NodeDuty.Seed(), _said.Enqueue, CancellationToken.None);

    private static Task UntilAsync(Func<bool> condition, Func<string> seen) => UntilAsync(() => Task.FromResult(condition()), seen);

    private static async Task UntilAsync(Func<Task<bool>> condition, Func<string>? seen = null)
    {
        for (var began = Stopwatch.GetTimestamp(); !await condition(); await Task.Delay(50))
            Assert.True(Stopwatch.GetElapsedTime(began) < Deadline, seen?.Invoke() ?? "within the deadline");
    }
}
