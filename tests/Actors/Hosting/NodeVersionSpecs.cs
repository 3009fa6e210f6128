using Elastic.Actors.Hosting;
using Elastic.Actors.Nodes;
using Elastic.Foundation;
using Elastic.Messages;
using Elastic.Messages.Settings;
using Elastic.Testing;

namespace Elastic.Actors.Tests.Hosting;

public sealed class NodeVersionSpecs : TemporaryFolder
{
    [Fact]
    public async Task A_process_of_another_version_is_told_so_by_the_gossip_before_it_has_sent_anything()
    {
        using var deadline = new CancellationTokenSource(TimeSpan.FromSeconds(60));
        await using var seed = await StartAsync("seed", NodeDuty.Seed(), NodeFaults.None);
        await using var same = await StartAsync("same", NodeDuty.Worker(seed.Endpoint), NodeFaults.None);
        await using var old = await StartAsync("old", NodeDuty.Worker(seed.Endpoint), new NodeFaults(Version: "0.0.9"));
        Assert.Equal(
            $"this node is Elastic 0.0.9, the cluster is {ElasticNode.Version}: results of different versions must not be mixed; " +
            $"install {ElasticNode.Version} here, or upgrade the cluster: stop all its nodes, replace, start (the journal is kept)",
            await old.Refused.WaitAsync(deadline.Token));
        Assert.Null(old.Runs);                                          // it has no way to the supervisors
        Assert.False(same.Refused.IsCompleted);
    }

    [Fact]
    public void The_same_Elastic_with_another_wire_is_refused_too_and_both_are_named()
    {
        var (mine, cluster) = (NodeVersion.Of("0.1.0"), new NodeVersion("0.1.0", WireVersion.Current + 1));
        Assert.Null(mine.Refusal(NodeVersion.Of("0.1.0")));
        Assert.StartsWith(
            $"this node is Elastic 0.1.0 (wire version {WireVersion.Current}), " +
            $"the cluster is 0.1.0 (wire version {WireVersion.Current + 1}): ",
            mine.Refusal(cluster), StringComparison.Ordinal);
        Assert.Equal(cluster, NodeVersion.Parse(cluster.ToString()));
        Assert.NotNull(mine.Refusal(NodeVersion.Parse("0.1.0")));        // of before the wire had a version
    }

    private Task<ElasticNode> StartAsync(string name, NodeDuty duty, NodeFaults faults) => ElasticNode.StartAsync(
        NodeSettings.Defaults with { Devices = "none", DataDir = Path.Combine(Folder, name) },
        duty, _ => { }, faults, Transport.Plain, CancellationToken.None);
}
