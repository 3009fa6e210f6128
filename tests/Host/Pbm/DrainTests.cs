using Elastic.Foundation;
using Elastic.Messages.Nodes;
using static Elastic.Host.Tests.Pbm.PaletteCalls;

namespace Elastic.Host.Tests.Pbm;

/// <summary>What <c>pbm node drain</c> says while a node hands over what it has.</summary>
public sealed class DrainTests
{
    private static readonly NodeView Node = Views.Node("10.0.0.1:4053", "z-8h2m4xyq");
    private static readonly NodeView Draining = Node with { State = "draining" };
    private static readonly NodeView Other = Views.Node("10.0.0.2:4053", "b-8h2m4xyq");

    private readonly FakeCluster _cluster = new();

    [Fact]
    public async Task It_says_what_is_handed_over_and_ends_when_the_node_may_be_switched_off()
    {
        _cluster.NodesByTurns = new(
        [
            [Node, Other], [Draining with { Work = ["tiny-3k9v2mq7 compute 5 replica 0"] }, Other], [Draining, Other], [Draining, Other],
            [Node with { State = "drained" }, Other],
        ]);
        Assert.Equal(
            [
                "node 10.0.0.1:4053 gets no new work", "node 10.0.0.1:4053: it hands over: tiny-3k9v2mq7 compute 5 replica 0",
                "node 10.0.0.1:4053: it waits until others have what only it holds",
                "node 10.0.0.1:4053 is drained: it can be switched off, and nothing is lost",
            ], await Lines());
        Assert.Equal((("z-8h2m4xyq", false), Asker), (_cluster.Drained, _cluster.Asker));
    }

    [Fact]
    public async Task Without_another_node_it_says_what_it_waits_for_and_of_a_seed_what_stays_on_it()
    {
        _cluster.NodesByTurns = new([[Node], [Draining], [Node with { State = "drained", Seed = true }]]);
        var lines = await Lines();
        Assert.Equal("node 10.0.0.1:4053: no other node is up to take what it holds: start one, or undo the drain", lines[1]);
        Assert.Contains("nothing is lost. It is a seed: its journal", lines[2], StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_node_that_is_lost_or_leaves_meanwhile_was_not_drained()
    {
        _cluster.NodesByTurns = new([[Node, Other], [Node with { State = "suspected" }, Other]]);
        Assert.Contains("is suspected: it was not drained to the end", await Refusal(), StringComparison.Ordinal);
        _cluster.NodesByTurns = new([[Node, Other], [Other]]);
        Assert.Contains("is gone: it was not drained to the end", await Refusal(), StringComparison.Ordinal);
        _cluster.NodesByTurns = new([[Node, Other], [Draining, Other], [Node, Other]]);
        Assert.Contains("somebody has undone the drain", await Refusal(), StringComparison.Ordinal);
        _cluster.Nodes = [Node with { State = "leaving" }];
        Assert.Contains("leaves already", await Refusal(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_drain_is_undone_and_a_refusal_says_why_not()
    {
        _cluster.Nodes = [Node with { State = "drained" }, Other];
        Assert.Equal(["node 10.0.0.1:4053 takes work again"], await Lines(undo: true));
        Assert.Equal(("z-8h2m4xyq", true), _cluster.Drained);
        _cluster.Refusal = "there is no node z-8h2m4xyq now: see pbm node list";
        Assert.Equal(_cluster.Refusal, await Refusal());
    }

    private async Task<string> Refusal() => (await Assert.ThrowsAsync<ElasticException>(() => Lines())).Message;

    private Task<List<string>> Lines(bool undo = false)
    {
        var drain = _cluster.Command("node drain");
        Assert.True(drain.Changes);
        return drain.TextsAsync([("node", Node.Address), .. undo ? [("undo", "")] : Array.Empty<(string, string)>()]);
    }
}
