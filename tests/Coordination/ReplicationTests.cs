using Elastic.Foundation;
using Elastic.Messages;
using Elastic.Messages.Runs;
using Elastic.Testing;
using static Elastic.Testing.RunSamples;

namespace Elastic.Coordination.Tests;

// What must be where, so that nothing committed is lost with a node.
public sealed class ReplicationTests
{
    private static readonly ClusterView Three = FleetOf(("a", 1), ("b", 1), ("c", 1));
    private static readonly RunState Computed1 = WithResults(At(1));

    [Fact]
    public void What_is_committed_is_copied_until_two_nodes_hold_it()
    {
        var due = Due(At(1), Three.Holding(At(1), A));
        Assert.Equal(
            [D("inner 0 0"), D("inner 0 1"), Version(1)],
            due.Select(d => d.Set).OrderBy(s => s == Version(1)).ThenBy(s => s == D("inner 0 1")));
        Assert.All(due, d => Assert.NotEqual(A, d.Node));
        Assert.Equal(2, due.Select(d => d.Node).Distinct().Count());      // the others share the work
        Assert.Empty(Due(At(1), Three.Holding(At(1), A, C)));
        Assert.Empty(Due(At(1), FleetOf(("a", 1)).Holding(At(1), A)));    // nobody to copy to
    }

    [Fact]
    public void What_nobody_holds_cannot_be_copied() => Assert.Empty(Due(At(1), Three));

    [Fact]
    public void Of_this_round_s_results_the_inner_states_are_copied_and_the_contributions_are_not()
    {
        var due = Due(
            Computed1, Three.Holding(At(1), A, B).Hold(A, D("contribution 1 0"), D("inner 1 0"), D("contribution 1 1"), D("inner 1 1")));
        Assert.Equal([D("inner 1 0"), D("inner 1 1")], due.Select(d => d.Set));
    }

    [Fact]
    public void A_leaving_node_s_contributions_and_hand_overs_are_copied_too()
    {
        var run = Fold(At(1), new RunEvent.ReplicaComputed(Id, Result(1, 0), A), new RunEvent.ReplicaHandedOver(Id, HandOver(1, 1, 2)));
        var fleet = Three.Holding(run, A).Hold(B, At(1).Current()).Hold(B, D("inner 1 0")).Enlist(A, [], leaving: true);
        var due = Due(run, fleet);
        Assert.Subset(
            due.Select(d => d.Set).ToHashSet(),
            new HashSet<Digest> { D("contribution 1 0"), D("hand-over 1 1 2"), Version(1), D("inner 1 0") });
        Assert.False(Replication.CanGo(run, fleet, A));

        fleet = fleet.Holding(run, B, C);
        Assert.Empty(Due(run, fleet));
        Assert.True(Replication.CanGo(run, fleet, A));
        Assert.False(Replication.CanGo(run, fleet.Give(CopyWork.KeyOf(1, 3), A, default), A));
    }

    [Fact]
    public void A_leaving_node_goes_when_nobody_is_left_who_could_take_what_it_has() =>
        Assert.True(Replication.CanGo(At(1), FleetOf(("a", 1)).Holding(At(1), A).Enlist(A, [], leaving: true), A));

    [Fact]
    public void A_copy_is_given_once()
    {
        var first = Scheduler.Next(At(1), Three.Holding(At(1), A), Plan, default, upkeepOnly: true);
        Assert.Equal(3, first.Given.Count(w => w.Key.Kind == "copy"));     // while the run stops, too
        Assert.Equal(3, first.Given.Select(w => w.Key).Distinct().Count());
        Assert.Empty(Scheduler.Next(At(1), first.View, Plan, default, upkeepOnly: true).Given);
    }

    [Fact]
    public void Results_that_were_only_on_nodes_that_are_gone_are_lost_at_once()
    {
        var fleet = Three.Holding(At(1), A, B)
            .Hold(A, D("contribution 1 0"), D("inner 1 0"))
            .Hold(B, D("contribution 1 1"), D("inner 1 1"), D("inner 1 0"));
        Assert.Null(Replication.Lost(Computed1, fleet));
        var lost = Replication.Lost(Computed1, fleet.Lose(A));
        Assert.Equal([0], lost!.Replicas);
        Assert.Equal("1 results of round 1 were on nodes that are gone", lost.Why);
        Assert.Null(Replication.Lost(Computed1, fleet.Lose(A) with { Surveyed = false }));
        Assert.Null(Replication.Lost(Computed1, fleet.Lose(A).Lose(B).Lose(C)));        // nobody there: they may come back
    }

    private static List<(NodeId Node, Digest Set)> Due(RunState run, ClusterView fleet) =>
        [.. Replication.Due(run, fleet, (_, _) => 0).Select(d => (d.Node, d.Set))];
}
