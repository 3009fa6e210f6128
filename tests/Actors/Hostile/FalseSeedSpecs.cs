using Akka.Cluster;
using Elastic.Actors.Hosting;
using Elastic.Hostile;
using Elastic.Messages.Settings;
using Elastic.Storage;

namespace Elastic.Actors.Tests.Hostile;

/// <summary>The role of a seed is what a process says of itself; the database is what only seeds have.</summary>
public sealed class FalseSeedSpecs : HostileScene
{
    private const string Removed =
        "is in the cluster as a seed and has not entered itself in the database, as each seed does: it is removed";

    private string Database => $"sqlite:{Path.Combine(Folder, "journal.db")}";

    [Fact]
    public async Task A_member_that_calls_itself_a_seed_and_is_not_in_the_database_is_removed_and_real_seeds_stay()
    {
        await using var node = await StartAsync("one");
        await using var other = await StartAsync("two");
        var cluster = Cluster.Get(node.System);
        await using var stranger = new Stranger(cluster.SelfAddress, "akka.cluster.roles = [seed]");
        Cluster.Get(stranger.System).Join(cluster.SelfAddress);
        var its = Cluster.Get(stranger.System).SelfAddress;
        // By whichever of the two has seen it first.
        await UntilAsync(() => (Log("one") + Log("two")).Contains($"{Contacts.NameOf(its)} {Removed}", StringComparison.Ordinal), AllLogs);
        await UntilAsync(() => cluster.State.Members.All(m => m.Address != its), AllLogs);
        await UntilAsync(() => stranger.IsRemoved, AllLogs);

        Assert.Equal(
            [node.Endpoint.ToString(), other.Endpoint.ToString()],
            (await node.Control.ClusterAsync(default)).Members.Select(m => m.Address).OrderBy(a => a == other.Endpoint.ToString()));
        foreach (var seed in new[] { node, other })
            Assert.DoesNotContain($"{seed.Endpoint} {Removed}", AllLogs(), StringComparison.Ordinal);
    }

    // As somebody would be who has got hold of the database, too.
    [Fact]
    public async Task A_seed_that_has_joined_after_another_one_gives_no_orders()
    {
        using var deadline = new CancellationTokenSource(Deadline);
        await using var node = await StartAsync("one");
        var cluster = Cluster.Get(node.System);
        await using var stranger = new Stranger(cluster.SelfAddress, "akka.cluster.roles = [seed]");
        var its = Cluster.Get(stranger.System).SelfAddress;
        await new SeedRegistry(DatabaseAddress.Parse(Database, Folder)).BeatAsync(Contacts.NameOf(its), deadline.Token);
        await stranger.JoinAsync(deadline.Token);

        stranger.SpeakElastic();
        var refusal = $"a Refused from {its.HostPort()} is refused: an older seed supervises";
        await UntilAsync(() => Log("one").Contains(refusal, StringComparison.Ordinal), AllLogs);
        Assert.False(node.Refused.IsCompleted);
        Assert.Contains(cluster.State.Members, m => m.Address == its);
        Assert.DoesNotContain(Removed, AllLogs(), StringComparison.Ordinal);
    }

    private string AllLogs() => Log("one") + Log("two");

    private Task<ElasticNode> StartAsync(string name) => ElasticNode.StartAsync(
        NodeSettings.Defaults with { Devices = "none", DataDir = Path.Combine(Folder, name), Database = Database },
        NodeDuty.Seed(), _ => { }, CancellationToken.None);
}
