using System.Diagnostics;
using Akka.Cluster;
using Elastic.Hostile;
using Elastic.Messages.Settings;
using Elastic.Testing;

namespace Elastic.Actors.Tests.Hostile;

/// <summary>The role of a seed is what a process says of itself; the database is what only seeds have.</summary>
public sealed class FalseSeedSpecs : TemporaryFolder
{
    private static readonly TimeSpan Deadline = TimeSpan.FromSeconds(90);

    [Fact]
    public async Task A_member_that_calls_itself_a_seed_and_is_not_in_the_database_is_removed_and_a_real_seed_stays()
    {
        using var deadline = new CancellationTokenSource(Deadline);
        await using var node = await StartAsync("one");
        await using var other = await StartAsync("two");
        var cluster = Cluster.Get(node.System);
        await using var stranger = new Stranger(cluster.SelfAddress, "akka.cluster.roles = [seed]");
        await stranger.JoinAsync(deadline.Token);
        var its = Cluster.Get(stranger.System).SelfAddress;
        Assert.Contains(cluster.State.Members, m => m.Address == its);

        // Until then it gives no orders: the one that would end the only node is refused at once.
        stranger.SpeakElastic();
        var refusal = $"a Refused from {its.HostPort()} is refused: an older seed supervises";
        for (var began = Stopwatch.GetTimestamp(); !Log().Contains(refusal, StringComparison.Ordinal); await Task.Delay(50, deadline.Token))
            Assert.True(Stopwatch.GetElapsedTime(began) < Deadline, Log());
        Assert.False(node.Refused.IsCompleted);

        for (var began = Stopwatch.GetTimestamp(); cluster.State.Members.Any(m => m.Address == its); await Task.Delay(100, deadline.Token))
            Assert.True(Stopwatch.GetElapsedTime(began) < Deadline, "it is removed");
        Assert.Equal(
            [node.Endpoint.ToString(), other.Endpoint.ToString()],
            (await node.Control.Cluster(deadline.Token)).Members.Select(m => m.Address).OrderBy(a => a == other.Endpoint.ToString()));
    }

    private string Log()
    {
        using var reader = new StreamReader(
            new FileStream(Path.Combine(Folder, "one", "log.txt"), FileMode.OpenOrCreate, FileAccess.Read, FileShare.ReadWrite));
        return reader.ReadToEnd();
    }

    private Task<ElasticNode> StartAsync(string name) => ElasticNode.StartAsync(
        NodeSettings.Defaults with
        {
            Devices = "none",
            DataDir = Path.Combine(Folder, name),
            Database = $"sqlite:{Path.Combine(Folder, "journal.db")}",
        },
        NodeDuty.Seed(), _ => { }, CancellationToken.None);
}
