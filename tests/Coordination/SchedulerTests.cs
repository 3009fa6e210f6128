using Elastic.Messages;
using Elastic.Messages.Runs;
using Elastic.Messages.Vectors;
using Elastic.Messages.Work;
using Elastic.Testing;
using static Elastic.Testing.RunSamples;

namespace Elastic.Coordination.Tests;

// Who is given what, phase by phase.
public sealed class SchedulerTests
{
    private static readonly ClusterView Two = FleetOf(("a", 1), ("b", 1));

    [Fact]
    public void Nothing_is_given_to_an_empty_fleet_or_a_stopping_one()
    {
        foreach (var run in new[] { Started, At(1), Averaging, Assembling })
        {
            Assert.Empty(Given(run, ClusterView.Empty with { Surveyed = true }, out _));
            Assert.DoesNotContain(Scheduler.Next(run, Two, Plan, default, upkeepOnly: true).Given, w => w.Key.Kind is not "copy");
        }
    }

    [Fact]
    public void Nothing_is_given_after_the_end() => Assert.Empty(Given(At(4), Two, out _));

    [Fact]
    public void Nothing_is_given_before_it_is_known_what_is_still_whole()
    {
        foreach (var run in new[] { Started, At(1), Averaging, Assembling })
            Assert.Empty(Given(run, Two with { Surveyed = false }, out _));
    }

    [Fact]
    public void The_first_version_is_made_once_by_a_node_with_a_device()
    {
        var work = Assert.Single(Given(Started, FleetOf(("a", 0), ("b", 1), ("c", 1)), out var fleet));
        Assert.IsType<Initialize>(work.Content);
        Assert.Equal(B, work.Node);
        Assert.Empty(Given(Started, fleet, out _));
    }

    [Fact]
    public void A_version_is_scored_and_stored_before_its_devices_leave_for_the_next_round()
    {
        var run = Carry(WithChunks(WithResults(At(1))), Commit(1));           // version 2: scored and durable by the plan
        var work = Given(run, Two, out _);
        Assert.Equal([("evaluate", A), ("checkpoint", A), ("compute", B)], work.Select(w => (w.Key.Kind, w.Node)));
        Assert.Equal(new Evaluate(2, Version(2)), work[0].Content);
        var expected = new TakeCheckpoint(
            2, Version(2), D("fingerprint 2"), [D("inner 1 0"), D("inner 1 1")], run.TokensSeen, run.ChainHead);
        Assert.Equal(Deep(expected), Deep(work[1].Content));
    }

    [Fact]
    public void A_checkpoint_is_taken_by_a_node_that_is_meant_to_stay()
    {
        var run = Carry(WithChunks(WithResults(At(1))), Commit(1));
        var checkpoint = TakeCheckpointWork.KeyOf(2);
        Assert.Equal(C, Given(run, Two.Enlist(C, [], seed: true), out _).Single(w => w.Key == checkpoint).Node);
        Assert.Equal(B, Given(run, Two.Enlist(A, [], seed: true, leaving: true), out _).Single(w => w.Key == checkpoint).Node);
    }

    [Fact]
    public void A_replica_starts_from_the_version_its_own_moments_and_where_it_was_handed_over()
    {
        var run = Fold(At(1), new RunEvent.ReplicaHandedOver(Id, HandOver(1, 1, 2)));
        Assert.Equal(
            [
                new Compute(1, 0, Version(1), D("inner 0 0"), null, Plan.At(1)),
                new Compute(1, 1, Version(1), D("inner 0 1"), HandOver(1, 1, 2), Plan.At(1)),
            ],
            Given(run, Two, out _).Select(w => w.Content));
        Assert.Equal(
            new Compute(0, 0, D("version 0"), null, null, Plan.At(0)),
            Given(Computing, Two, out _).First(w => w.Key.Kind == "compute").Content);
    }

    [Fact]
    public void A_finished_replica_is_not_given_again()
    {
        var work = Assert.Single(Given(Fold(At(1), new RunEvent.ReplicaComputed(Id, Result(1, 0), A)), Two, out _));
        Assert.Equal(ComputeWork.KeyOf(1, 1), work.Key);
    }

    [Fact]
    public void Chunks_are_averaged_in_groups_of_fixed_names_over_the_contributions_in_replica_order()
    {
        var plan = Plan with { Elements = ElementsOf(5) };
        var run = Fold(At(1), new RunEvent.ReplicaComputed(Id, Result(1, 1), B), new RunEvent.ReplicaComputed(Id, Result(1, 0), A));
        var work = Given(run, Two, out _, plan);
        Assert.Equal(["a", "b", "a"], work.Select(w => w.Node.Value));
        Assert.Equal(
            new int[][] { [0, 1], [2, 3], [4] }
                .Select(c => Deep(new Average(1, c, Version(1), [D("contribution 1 0"), D("contribution 1 1")]))),
            work.Select(w => Deep(w.Content)));

        run = Fold(run, new RunEvent.ChunksAveraged(Id, 1, [Chunk(1, 0), Chunk(1, 1), Chunk(1, 3)]));
        work = Given(run, Two, out _, plan);
        Assert.Equal([AverageWork.KeyOf(1, 2), AverageWork.KeyOf(1, 4)], work.Select(w => w.Key));
        Assert.Equal([2, 3], ((Average)work[0].Content).Chunks);           // a piece keeps its name, whatever part of it is there
    }

    [Fact]
    public void Every_node_assembles_the_version_that_it_does_not_hold_yet()
    {
        var run = WithChunks(WithResults(At(1)));
        var fleet = FleetOf(("a", 1), ("b", 4), ("c", 1)).WithAssembled(B);
        var work = Given(run, fleet, out fleet);
        Assert.Equal(["a", "c"], work.Select(w => w.Node.Value));
        Assert.All(work, w => Assert.Equal(Deep(new Assemble(1, [Chunk(1, 0), Chunk(1, 1)])), Deep(w.Content)));
        Assert.Equal("d", Assert.Single(Given(run, fleet.Enlist(new NodeId("d"), []), out _)).Node.Value);
        Assert.Empty(Given(run, fleet.Enlist(new NodeId("d"), [], leaving: true), out _));
    }

    [Fact]
    public void A_large_version_is_assembled_by_several_messages_that_make_up_one_piece_of_work()
    {
        var plan = Plan with { Elements = ElementsOf(450) };
        var run = Fold(WithResults(At(1)), new RunEvent.ChunksAveraged(Id, 1, [.. Enumerable.Range(0, 450).Select(c => Chunk(1, c))]));
        var work = Given(run, FleetOf(("a", 1)), out var fleet, plan);
        var parts = AssembleWork.Kind.Cut(Assert.Single(work).Content, Part.MostDigests).ToList();
        Assert.Equal([new Part(0, 3), new Part(1, 3), new Part(2, 3)], parts.Select(p => p.Part));
        Assert.Equal(Enumerable.Range(0, 450), parts.SelectMany(p => ((Assemble)p.Content).Chunks).Select(c => c.Chunk));
        Assert.Equal(Deep(work[0].Content), Deep(AssembleWork.Kind.Join([.. parts.Select(p => p.Content)])));
        Assert.Equal(new InFlightWork(AssembleWork.KeyOf(1), A), Assert.Single(fleet.InFlight).Key);
    }

    [Fact]
    public void Nothing_is_given_twice()
    {
        foreach (var run in new[] { Started, Computing, At(1), WithResults(At(2)), WithChunks(WithResults(At(3))) })
        {
            Assert.NotEmpty(Given(run, Two.Holding(run, A), out var fleet));
            Assert.Empty(Given(run, fleet, out var again));
            Assert.Equal(fleet.InFlight, again.InFlight);
        }
    }

    [Fact]
    public void What_a_lost_node_had_in_hand_is_given_to_another()
    {
        var first = Given(At(1), FleetOf(("a", 1), ("b", 2)), out var fleet);
        var lost = first.Where(w => w.Node == A).ToList();
        Assert.NotEmpty(lost);
        var second = Given(At(1), fleet.Lose(A), out _);
        Assert.Equal(lost.Select(w => (w.Key, w.Content)), second.Select(w => (w.Key, w.Content)));
        Assert.All(second, w => Assert.Equal(B, w.Node));
    }

    [Fact]
    public void A_node_that_put_everything_down_may_be_given_it_again()
    {
        var first = Given(At(1), FleetOf(("a", 2)), out var fleet);
        Assert.Equal(first, Given(At(1), fleet.PutDown(A), out _));
    }

    [Fact]
    public void A_node_is_given_at_most_as_many_replicas_as_it_has_devices_and_the_rest_waits_for_who_is_free_first()
    {
        var plan = PlanOf(replicas: 14, rounds: 4, chunks: 2);
        var run = At(0) with { Round = 1 };
        var first = Replicas(Given(run, FleetOf(("a", 1), ("b", 2), ("c", 4)), out var fleet, plan));
        Assert.Equal([("a", 1), ("b", 2), ("c", 4)], first.GroupBy(w => w.Node.Value).OrderBy(g => g.Key).Select(g => (g.Key, g.Count())));
        Assert.Equal(Enumerable.Range(0, 7), first.Select(w => w.Key.Index).Order());

        var joined = Replicas(Given(run, fleet.Enlist(new NodeId("d"), [new("cpu:0"), new("cpu:1")]), out _, plan)); // takes unstarted ones
        Assert.Equal([("d", 7), ("d", 8)], joined.Select(w => (w.Node.Value, w.Key.Index)));
    }

    [Fact]
    public void A_replica_goes_on_where_it_ran_last()
    {
        var first = Given(At(1), Two, out var fleet);
        Assert.Equal([("a", 0), ("b", 1)], first.Select(w => (w.Node.Value, w.Key.Index)).Order());

        // In the other order than a fresh fleet would have it.
        fleet = fleet.PutDown(A).PutDown(B) with { Homes = fleet.Homes.SetItem(0, B).SetItem(1, A) };
        Assert.Equal([("b", 0), ("a", 1)], Given(At(1), fleet, out _).Select(w => (w.Node.Value, w.Key.Index)));
    }

    [Fact]
    public void A_replica_goes_on_where_its_moments_are()
    {
        var fleet = Two.Hold(B, D("inner 0 0"), Version(1)).Hold(A, D("inner 0 1"), Version(1));
        Assert.Equal([("b", 0), ("a", 1)], Replicas(Given(At(1), fleet, out _)).Select(w => (w.Node.Value, w.Key.Index)));
    }

    [Fact]
    public void A_node_on_its_way_out_is_given_nothing()
    {
        var fleet = Two.Enlist(A, [new("cpu:0")], leaving: true);
        foreach (var run in new[] { Started, At(1), WithResults(At(1)), WithChunks(WithResults(At(1))) })
            Assert.All(Given(run, fleet, out _), w => Assert.Equal(B, w.Node));
    }

    [Fact]
    public void A_straggler_gets_a_second_runner_only_on_a_node_that_does_nothing_else()
    {
        var median = TimeSpan.FromSeconds(10);
        var given = Replicas(Given(At(1), FleetOf(("a", 1), ("b", 2)), out var fleet));
        var slow = given.Single(w => w.Node == A);
        var run = Fold(At(1), new RunEvent.ReplicaComputed(Id, Result(1, 1 - slow.Key.Index), B));
        fleet = fleet.Answered(ComputeWork.KeyOf(1, 1 - slow.Key.Index), B);

        Assert.Empty(Given(run, fleet, out _, null, new StragglerDetector(TimeSpan.FromSeconds(15), median)));
        // Nobody knows yet how long it takes.
        Assert.Empty(Given(run, fleet, out _, null, new StragglerDetector(TimeSpan.FromSeconds(16), null)));
        var late = new StragglerDetector(TimeSpan.FromSeconds(16), median);
        var second = Assert.Single(Given(run, fleet, out var after, null, late));
        Assert.Equal((B, slow.Key, slow.Content), (second.Node, second.Key, second.Content));
        Assert.Empty(Given(run, after, out _, null, late));                                            // a third one is of no use
        Assert.Empty(Given(run, fleet.Give(EvaluateWork.KeyOf(1), B, default), out _, null, late));
    }

    [Fact]
    public void Where_a_round_takes_milliseconds_nobody_is_a_straggler()
    {
        Given(At(1), FleetOf(("a", 2), ("b", 2)), out var fleet);
        Assert.Empty(Given(At(1), fleet, out _, null, new StragglerDetector(TimeSpan.FromSeconds(1), TimeSpan.FromMilliseconds(3))));
    }

    [Fact]
    public void An_audited_replica_is_computed_on_two_nodes_before_anything_is_averaged_on_two_nodes()
    {
        var plan = Plan with { AuditRate = 1 };
        var run = Fold(At(1), new RunEvent.ReplicaComputed(Id, Result(1, 0), A), new RunEvent.ReplicaComputed(Id, Result(1, 1), B));
        var work = Given(run, Two, out var fleet, plan);
        Assert.Equal([(0, B), (1, A)], work.Select(w => (w.Key.Index, w.Node)).Order());
        Assert.Empty(Given(run, fleet, out _, plan));                                                  // waits for both

        run = Fold(run, new RunEvent.ReplicaConfirmed(Id, Result(1, 0), B));
        fleet = fleet.Answered(ComputeWork.KeyOf(1, 0), B);
        Assert.Empty(Given(run, fleet, out _, plan));
        run = Fold(run, new RunEvent.ReplicaConfirmed(Id, Result(1, 1), A));
        var sums = Given(run, fleet.Answered(ComputeWork.KeyOf(1, 1), A), out _, plan);
        Assert.Equal(["average on a", "average on b"], sums.Select(g => $"{g.Key.Kind} on {g.Node}").Order());
    }

    [Fact]
    public void An_audit_that_nobody_else_could_make_is_let_go()
    {
        var work = Given(
            WithResults(At(1)) with { Quorums = Fold(At(1), Finished(0, A), Finished(1, A)).Quorums },
            FleetOf(("a", 2)), out _, Plan with { AuditRate = 1 });
        Assert.Equal("average", Assert.Single(work).Key.Kind);
    }

    [Fact]
    public void An_audit_waits_for_a_node_that_rests_or_leaves_as_long_as_it_is_there()
    {
        var plan = Plan with { AuditRate = 1 };
        var run = Fold(At(1), Finished(0, A), Finished(1, A));
        var resting = FleetOf(("a", 2)).Enlist(B, [new("cpu:0")], leaving: true);        // to the view both are the same
        var scheduling = Scheduler.Next(run, resting, plan, default);
        Assert.Empty(scheduling.Given);
        Assert.Equal("an audit waits for another node: those that may compute rest, leave or are at work", scheduling.Reason);
        Assert.Equal([B, B], Given(run, resting.Enlist(B, [new("cpu:0"), new("cpu:1")]), out _, plan).Select(w => w.Node));
        Assert.Equal("average", Assert.Single(Given(run, resting.Lose(B), out _, plan)).Key.Kind);
    }

    [Fact]
    public void A_disputed_replica_goes_to_a_node_that_has_not_voted_and_otherwise_waits()
    {
        var run = Fold(WithResults(At(1)), new RunEvent.ReplicaContested(Id, Result(1, 0), Result(1, 0, "x"), B));
        Assert.Empty(Given(run, Two, out _));
        var work = Assert.Single(Given(run, Two.Enlist(C, [new("cpu:0")]), out _));
        Assert.Equal((C, ComputeWork.KeyOf(1, 0)), (work.Node, work.Key));
        Assert.Null(((Compute)work.Content).HandOver);
    }

    [Fact]
    public void A_round_is_not_committed_before_enough_nodes_hold_the_next_version()
    {
        var run = At(1);
        var assembling = WithChunks(WithResults(run));
        var two = Two.Holding(assembling, A, B);
        Assert.Null(Scheduler.Commit(assembling, two, Plan));
        Assert.Null(Scheduler.Commit(assembling, two.WithAssembled(A), Plan));
        Assert.Null(Scheduler.Commit(WithResults(run), two.WithAssembled(A, B), Plan));
        Assert.Null(Scheduler.Commit(assembling, two.WithAssembled(A, B) with { Surveyed = false }, Plan));
        Assert.NotNull(Scheduler.Commit(assembling, two.WithAssembled(A, B), Plan));
    }

    [Fact]
    public void A_round_is_not_committed_before_two_staying_nodes_hold_every_inner_state()
    {
        var run = WithChunks(WithResults(At(1)));
        var fleet = Two.WithAssembled(A, B).Holding(run, A);
        Assert.Null(Scheduler.Commit(run, fleet, Plan));
        Assert.Null(Scheduler.Commit(run, fleet.Hold(B, D("inner 1 0")), Plan));
        Assert.NotNull(Scheduler.Commit(run, fleet.Hold(B, D("inner 1 0"), D("inner 1 1")), Plan));

        var leaving = fleet.Enlist(C, []).Hold(C, D("inner 1 0"), D("inner 1 1")).Enlist(C, [], leaving: true);
        Assert.Null(Scheduler.Commit(run, leaving, Plan));                // what is on its way out does not count
        Assert.Null(Scheduler.Commit(run, fleet.Hold(B, D("inner 1 0"), D("inner 1 1")).Enlist(B, [], leaving: true).Enlist(C, []), Plan));
    }

    [Fact]
    public void A_round_is_committed_to_the_version_that_its_chunks_make_up()
    {
        var run = WithChunks(WithResults(At(1)));
        var fleet = FleetOf(("a", 1), ("b", 1), ("c", 1)).WithAssembled(B, C).Holding(run, B, C);
        var fingerprint = new VectorManifest(Plan.Elements, [Chunk(1, 0).Parameters, Chunk(1, 1).Parameters]).Fingerprint;
        Assert.Equal(new CoordinatorCommand.CommitRound(1, VersionAfter(1), fingerprint, 2, 3), Scheduler.Commit(run, fleet, Plan));
    }

    [Fact]
    public void A_single_node_is_enough_where_there_is_only_one()
    {
        var run = WithChunks(WithResults(At(1)));
        var commit = Scheduler.Commit(run, FleetOf(("a", 1)).WithAssembled(A).Holding(run, A), Plan);
        Assert.Equal((1, 1), (commit!.Holders, commit.Nodes));
    }

    [Fact]
    public void A_round_is_not_committed_before_the_version_it_started_from_is_scored_and_durable()
    {
        var bare = WithChunks(WithResults(Carry(WithChunks(WithResults(At(1))), Commit(1))));
        var fleet = Two.WithAssembled(A, B).Holding(bare, A, B);
        var scored = Carry(bare, Scored(A, new VersionScore(2, 1, 1)));
        var durable = Carry(bare, Stored(A, CheckpointOf(bare)));
        Assert.Null(Scheduler.Commit(bare, fleet, Plan));
        Assert.Null(Scheduler.Commit(scored, fleet, Plan));
        Assert.Null(Scheduler.Commit(durable, fleet, Plan));
        Assert.NotNull(Scheduler.Commit(Carry(scored, Stored(A, CheckpointOf(scored))), fleet, Plan));
    }

    [Fact]
    public void Each_kind_of_work_is_registered_under_its_own_name()
    {
        Assert.Equal(
            [
                "assemble", "average", "checkpoint", "compute", "compute-stage", "copy", "evaluate", "initialize", "read-piece", "score",
                "tokenize-piece",
            ],
            WorkKinds.All.Select(k => k.Name).Order(StringComparer.Ordinal));
        Assert.All(WorkKinds.All, k => Assert.Same(k, WorkKinds.Find(k.Name)));
        Assert.Null(WorkKinds.Find("another kind"));
    }

    [Fact]
    public void Why_nothing_can_be_given_is_said()
    {
        Assert.Equal("no node is there", Reason(At(1), ClusterView.Empty with { Surveyed = true }));
        Assert.Equal("it is not known yet what is still whole", Reason(At(1), Two with { Surveyed = false }));
        Assert.Equal("no node has a device that may compute for this run", Reason(At(1), FleetOf(("a", 0))));
        var disputed = Fold(WithResults(At(1)), new RunEvent.ReplicaContested(Id, Result(1, 0), Result(1, 0, "x"), B));
        Assert.Equal(
            "two results of one replica differ: a third computation, on a node that has not computed it yet, settles it",
            Reason(disputed, Two));
        Assert.Null(Reason(At(1), Two));

        static string? Reason(RunState run, ClusterView view) => Scheduler.Next(run, view, Plan, default).Reason;
    }

    [Fact]
    public void What_is_given_is_not_done_and_is_done_once_its_result_is_stored()
    {
        foreach (var run in new[] { Started, At(1), Carry(WithChunks(WithResults(At(1))), Commit(1)),
            WithResults(At(2)), WithChunks(WithResults(At(3))) })
            Assert.All(Given(run, Two.Holding(run, A), out _), w =>
                Assert.False(Scheduler.IsDone(run, Plan, new InFlightWork(w.Key, w.Node))));

        var replica = ComputeWork.KeyOf(1, 0);
        Assert.True(Scheduler.IsDone(WithResults(At(1)), Plan, new InFlightWork(replica, B)));                  // another was faster
        Assert.True(Scheduler.IsDone(At(2), Plan, new InFlightWork(replica, B)));
        Assert.False(Scheduler.IsDone(WithResults(At(1)), Plan with { AuditRate = 1 }, new InFlightWork(replica, B)));
        Assert.True(Scheduler.IsDone(WithResults(At(1)), Plan with { AuditRate = 1 }, new InFlightWork(replica, A)));
        Assert.True(Scheduler.IsDone(WithChunks(WithResults(At(1))), Plan, new InFlightWork(AverageWork.KeyOf(1, 0), A)));
        Assert.True(Scheduler.IsDone(At(2), Plan, new InFlightWork(EvaluateWork.KeyOf(2), A)));
        Assert.True(Scheduler.IsDone(At(2), Plan, new InFlightWork(TakeCheckpointWork.KeyOf(2), A)));
        Assert.True(Scheduler.IsDone(At(2), Plan, new InFlightWork(CopyWork.KeyOf(1, 2), A)));
        Assert.True(Scheduler.IsDone(Computing, Plan, new InFlightWork(InitializeWork.Key, A)));
    }

    private static RunEvent.ReplicaComputed Finished(int replica, NodeId node) => new(Id, Result(1, replica), node);

    private static List<Assignment> Replicas(IEnumerable<Assignment> work) => [.. work.Where(w => w.Key.Kind == "compute")];

    private static IReadOnlyList<Assignment> Given(
        RunState run, ClusterView fleet, out ClusterView after, RunPlan? plan = null, StragglerDetector stragglers = default)
    {
        var scheduling = Scheduler.Next(run, fleet, plan ?? Plan, stragglers);
        after = scheduling.View;
        return scheduling.Given;
    }
}
