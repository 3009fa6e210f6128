using System.Collections.Immutable;
using CsCheck;
using Elastic.Messages;
using Elastic.Messages.Runs;
using Elastic.Messages.Work;
using static Elastic.Testing.RunSamples;

namespace Elastic.Coordination.Tests;

// Which nodes compute a replica together, a stage each.
public sealed class StagePlacementTests
{
    private static readonly NodeId D4 = new("d");
    private static readonly RunPlan InTwo = Plan with { Stages = 2 };

    // Nodes with up to three devices and some work, and what is wanted: replicas, the nodes that must not have them, whether it is a spare.
    private static readonly Gen<(ClusterView View, List<Wanted> Wanted, int[] Failures)> Scenes = Gen.Select(
        Gen.Select(Gen.Int[0, 3], Gen.Int[0, 3], Gen.Int[0, 5], Gen.Bool).Array[0, 7], Gen.Select(Gen.Int[0, 127], Gen.Bool).Array[1, 4],
        Gen.Int[0, 2].Array[7], (nodes, wanted, failures) =>
        {
            var view = ClusterView.Empty with { Surveyed = true };
            for (var n = 0; n < nodes.Length; n++)
            {
                var (devices, busy, home, leaving) = nodes[n];
                view = view.Enlist(Node(n), Enumerable.Range(0, devices).Select(i => new DeviceId($"cpu:{i}")), leaving: leaving && n > 2);
                for (var work = 0; work < Math.Min(busy, devices); work++)
                    view = view.Give(EvaluateWork.KeyOf(work), Node(n), default);
                if (home < wanted.Length)
                    view = view with { Homes = view.Homes.SetItem(home, Node(n)) };
                if (home == 5)
                    view = view.Hold(Node(n), D("inner 0 0"));
            }

            var all = wanted.Select((w, r) => new Wanted(
                r, Enumerable.Range(0, 7).Where(n => (w.Item1 >> n & w.Item1 >> (n + 1) & 1) > 0).Select(Node).ToHashSet(), w.Item2));
            return (view, all.ToList(), failures);
        });

    private static NodeId Node(int number) => new($"n{number}");

    [Fact]
    public void With_one_stage_replicas_go_where_they_always_went() => Scenes.Sample(s => Assert.Equal(
        OfOneStage(At(1), s.View, s.Wanted, (_, n) => Failures(s, n)),
        Computations.Place(At(1), s.View, s.Wanted, (_, n) => Failures(s, n)).Select(p => (p.Replica, Assert.Single(p.Nodes)))), iter: 500);

    [Fact]
    public void With_several_a_replica_has_so_many_nodes_none_twice_or_none() => Gen.Select(Scenes, Gen.Int[2, 4]).Sample((s, stages) =>
    {
        var (view, placed) = (s.View, 0);
        var all = Computations.Place(At(1), view, s.Wanted, (_, n) => Failures(s, n), stages).ToList();
        foreach (var (replica, nodes) in all)
        {
            var wanted = s.Wanted.Single(w => w.Replica == replica);
            Assert.Equal(stages, nodes.Distinct().Count());
            Assert.DoesNotContain(nodes, wanted.Not.Contains);
            Assert.All(nodes, n => Assert.True(view.Room(n) > 0 && view.Workers.Contains(n)));
            for (var stage = 0; stage < stages; stage++)
                view = view.Give(ComputeStageWork.KeyOf(1, replica, stage), nodes[stage], default, "attempt");
            placed++;
        }

        // Whoever waits lacks nodes.
        foreach (var w in s.Wanted.Where(w => w.Needed && all.All(p => p.Replica != w.Replica)))
            Assert.True(Computations.CountFree(view, w) < stages);
        Assert.Equal(placed, all.Select(p => p.Replica).Distinct().Count());
    }, iter: 500);

    [Fact]
    public void All_stages_are_given_at_once_with_the_places_of_all_and_one_attempt()
    {
        var view = FleetOf(("a", 1), ("b", 1), ("c", 1)).Enlist(B, [new DeviceId("cpu:0")], endpoint: "b:80");
        var given = Given(At(1), view, InTwo, out var after, out _);
        Assert.Equal([ComputeWork.KeyOf(1, 0), ComputeStageWork.KeyOf(1, 0, 1)], given.Select(g => g.Key));
        Assert.Equal([A, B], given.Select(g => g.Node));
        var (first, second) = (Assert.IsType<Compute>(given[0].Content), Assert.IsType<ComputeStage>(given[1].Content));
        Assert.Equal([new StagePlace(A, ""), new StagePlace(B, "b:80")], first.Stages);
        Assert.Equal(("attempt-1", 1), (first.Attempt, second.Stage));
        Assert.Same(first, second.Replica);
        Assert.All(given, g => Assert.Equal("attempt-1", after.Attempts[new InFlightWork(g.Key, g.Node)]));
        Assert.Empty(Given(At(1), after, InTwo, out _, out _));
    }

    [Fact]
    public void A_replica_that_lacks_nodes_waits_and_says_how_many()
    {
        Assert.Empty(Given(At(1), FleetOf(("a", 4), ("b", 0)), Plan with { Stages = 3 }, out _, out var one));
        Assert.Equal("replica 0 needs 3 nodes at once and 1 is free", one);
        Assert.Empty(Given(At(1), FleetOf(("a", 1), ("b", 1)), Plan with { Stages = 3 }, out _, out var two));
        Assert.Equal("replica 0 needs 3 nodes at once and 2 are free", two);
    }

    [Fact]
    public void A_replica_goes_to_the_nodes_that_had_its_stages_and_whoever_is_left_of_them_keeps_its_stage()
    {
        var view = FleetOf(("a", 1), ("b", 1), ("c", 1), ("d", 1));
        view = view with { Homes = view.Homes.SetItem(0, C), Teams = view.Teams.SetItem((0, C), [C, A]) };
        Assert.Equal([C, A], Placed(view));
        Assert.Equal([B, A], Placed(view.Lose(C).Enlist(C, []) with { Homes = view.Homes, Teams = view.Teams }));
        Assert.Equal([C, B], Placed(view.Lose(A)));

        static ImmutableArray<NodeId> Placed(ClusterView view) =>
            Computations.Place(At(1), view, [new Wanted(0, new HashSet<NodeId>(), true)], (_, _) => 0, 2).Single().Nodes;
    }

    [Fact]
    public void An_audit_is_computed_by_other_nodes_in_all_stages_and_dropped_where_there_are_not_as_many()
    {
        var plan = PlanOf(1, 4, 2) with { AuditRate = 1, Stages = 2 };
        var run = Fold(At(1), new RunEvent.ReplicaComputed(Id, Result(1, 0), A));
        var view = FleetOf(("a", 1), ("b", 1), ("c", 1), ("d", 1)) with
        {
            Teams = ClusterView.Empty.Teams.SetItem((0, A), [A, B]),
        };
        var audit = Given(run, view, plan, out _, out _);
        Assert.Equal([C, D4], audit.Select(g => g.Node));
        var few = Given(run, view.Lose(D4), plan, out _, out _);
        Assert.DoesNotContain(few, g => g.Key.Kind is "compute" or "compute-stage");
        Assert.Contains(few, g => g.Key.Kind == "average");
    }

    [Fact]
    public void A_slow_replica_gets_other_nodes_for_all_stages_that_do_nothing_else()
    {
        var plan = PlanOf(1, 4, 2) with { Stages = 2 };
        Given(At(1), FleetOf(("a", 1), ("b", 1)), plan, out var view, out _);
        var late = new StragglerDetector(TimeSpan.FromSeconds(16), TimeSpan.FromSeconds(10));
        view = view.Enlist(C, [new DeviceId("cpu:0")]);
        Assert.Empty(Given(At(1), view, plan, out _, out _, late));
        view = view.Enlist(D4, [new DeviceId("cpu:0")]);
        Assert.Empty(Given(At(1), view, plan, out _, out _));
        Assert.Equal([C, D4], Given(At(1), view, plan, out var after, out _, late).Select(g => g.Node));
        Assert.Equal(2, after.Attempts.Values.Distinct().Count());
        Assert.Empty(Given(At(1), view.Give(EvaluateWork.KeyOf(1), C, default), plan, out _, out _, late));
    }

    [Fact]
    public void Nobody_is_put_into_quarantine_for_a_result_of_several_nodes_and_two_that_agree_count()
    {
        var run = Fold(At(1), new RunEvent.ReplicaComputed(Id, Result(1, 0), A));
        foreach (var (node, bytes) in new[] { (B, "other"), (C, "other") })
        {
            var decision = Run.Decide(run, InTwo, Finish(node, Result(1, 0, bytes)));
            Assert.DoesNotContain(decision.Events, e => e is RunEvent.NodeQuarantined);
            run = Fold(run, [.. decision.Events]);
        }

        Assert.Equal(Result(1, 0, "other"), run.Finished[0]);
        Assert.False(run.QuorumOf(0).IsDisputed);
    }

    [Fact]
    public void A_stage_is_done_with_its_replica()
    {
        var stage = new InFlightWork(ComputeStageWork.KeyOf(1, 0, 1), B);
        Assert.False(Scheduler.IsDone(At(1), InTwo, stage));
        Assert.True(Scheduler.IsDone(Fold(At(1), new RunEvent.ReplicaComputed(Id, Result(1, 0), A)), InTwo, stage));
        Assert.True(Scheduler.IsDone(At(2), InTwo, stage));
    }

    private static int Failures((ClusterView, List<Wanted>, int[] Failures) s, NodeId node) => s.Failures[node.Value[1] - '0'];

    private static IReadOnlyList<Assignment> Given(
        RunState run, ClusterView view, RunPlan plan, out ClusterView after, out string? reason, StragglerDetector stragglers = default)
    {
        var drawn = view.Attempts.Values.Distinct().Count();
        var scheduling = Scheduler.Next(run, view, plan, stragglers, draw: () => $"attempt-{++drawn}");
        (after, reason) = (scheduling.View, scheduling.Reason);
        return [.. scheduling.Given.Where(g => g.Key.Kind != "copy")];
    }

    // Where a replica goes that one node computes, as it was before there were stages: to where it ran last, or to who holds its moments,
    // if that node has not failed at it; else to the node that failed least, of these to the one with the largest share of free devices.
    private static List<(int Replica, NodeId Node)> OfOneStage(
        RunState run, ClusterView view, IReadOnlyList<Wanted> wanted, Func<WorkKey, NodeId, int> failuresAt)
    {
        var room = view.Workers.ToDictionary(w => w, view.Room);
        var placed = new List<(int Replica, NodeId Node)>();
        foreach (var isHome in new[] { true, false })
        {
            foreach (var w in wanted.Where(w => placed.All(p => p.Replica != w.Replica) && (w.Needed || !isHome)))
            {
                List<NodeId> homes =
                [
                    .. view.Homes.TryGetValue(w.Replica, out var last) ? [last] : Array.Empty<NodeId>(),
                    .. run.InnerStateOf(w.Replica) is { } state
                        ? view.HoldersOf(state).OrderBy(n => n.Value, StringComparer.Ordinal).ToList() : [],
                ];
                var free = room.Where(r => r.Value > 0 && !w.Not.Contains(r.Key)).Select(r => r.Key);
                List<NodeId> best = isHome ? [.. homes.Where(n => free.Contains(n) && Failures(w, n) == 0)]
                    : [.. free.Where(n => w.Needed || room[n] == view.Nodes[n].Devices.Length).OrderBy(n => Failures(w, n))
                        .ThenByDescending(n => (double)room[n] / view.Nodes[n].Devices.Length)
                        .ThenBy(n => n.Value, StringComparer.Ordinal)];
                if (best.Count == 0)
                    continue;
                room[best[0]]--;
                placed.Add((w.Replica, best[0]));
            }
        }

        return placed;

        int Failures(Wanted w, NodeId node) => failuresAt(ComputeWork.KeyOf(run.Round, w.Replica), node);
    }
}
