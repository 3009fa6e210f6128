using Elastic.Actors.Runs;
using Elastic.Messages;
using Elastic.Messages.Nodes;
using Elastic.Messages.Runs;
using static Elastic.Actors.Tests.Runs.RunSamples;

namespace Elastic.Actors.Tests.Runs;

// Who is given what, phase by phase.
public sealed class DispatchTests
{
    private static readonly Fleet Two = FleetOf(("a", 1), ("b", 1));

    [Fact]
    public void Nothing_is_given_to_an_empty_fleet_or_a_stopping_one()
    {
        foreach (var run in new[] { Started, At(1), Averaging, Assembling })
        {
            Assert.Empty(Given(run, Fleet.Empty with { Surveyed = true }, out _));
            Assert.Empty(Given(run, Two with { Stopping = true }, out _));
        }
    }

    [Fact]
    public void Nothing_is_given_after_the_end() => Assert.Empty(Given(At(4), Two, out _));

    [Fact]
    public void Before_the_survey_only_the_survey_is_given_with_all_that_the_run_needs()
    {
        var work = Assert.Single(Given(Assembling, Two with { Surveyed = false }, out _));
        Assert.Equal(new WorkKey(WorkKind.Survey, 0), work.Key);
        Assert.Equal(Assembling.References(), Assert.IsType<NodeCommand.Survey>(work.Command).Sets);
    }

    [Fact]
    public void The_first_version_is_made_once()
    {
        var work = Assert.Single(Given(Started, Two, out var fleet));
        Assert.IsType<NodeCommand.Initialize>(work.Command);
        Assert.Empty(Given(Started, fleet, out _));
    }

    [Fact]
    public void A_version_is_scored_and_stored_before_its_devices_leave_for_the_next_round()
    {
        var run = Carry(Averaged(Computed(At(1))), Commit(1));           // version 2: scored and durable by the plan
        var work = Given(run, Two, out _);
        Assert.Equal([WorkKind.Evaluate, WorkKind.Checkpoint, WorkKind.Replica, WorkKind.Replica], work.Select(w => w.Key.Kind));
        Assert.Equal(new NodeCommand.Evaluate(Id, 2, D("version 2")), work[0].Command);
        var expected = new NodeCommand.TakeCheckpoint(Id, 2, D("version 2"), D("fingerprint 2"), [D("inner 1 0"), D("inner 1 1")], run.TokensSeen, run.Ledger);
        Assert.Equal(Deep(expected), Deep(work[1].Command));
    }

    [Fact]
    public void A_replica_starts_from_the_version_its_own_moments_and_where_it_was_handed_over()
    {
        var run = Fold(At(1), new RunEvent.ReplicaHandedOver(Id, HandOver(1, 1, 2)));
        Assert.Equal(
            [
                new NodeCommand.RunReplica(Id, 1, 0, D("version 1"), D("inner 0 0"), null),
                new NodeCommand.RunReplica(Id, 1, 1, D("version 1"), D("inner 0 1"), HandOver(1, 1, 2)),
            ],
            Given(run, Two, out _).Select(w => w.Command));
        Assert.Equal(
            new NodeCommand.RunReplica(Id, 0, 0, D("version 0"), null, null),
            Given(Computing, Two, out _).First(w => w.Key.Kind == WorkKind.Replica).Command);
    }

    [Fact]
    public void A_finished_replica_is_not_given_again()
    {
        var work = Assert.Single(Given(Fold(At(1), new RunEvent.ReplicaFinished(Id, Result(1, 0))), Two, out _));
        Assert.Equal(new WorkKey(WorkKind.Replica, 1, 1), work.Key);
    }

    [Fact]
    public void Chunks_are_averaged_one_by_one_over_the_contributions_in_replica_order()
    {
        var run = Fold(At(1), new RunEvent.ReplicaFinished(Id, Result(1, 1)), new RunEvent.ReplicaFinished(Id, Result(1, 0)));
        var work = Given(run, Two, out _);
        Assert.Equal(["a", "b"], work.Select(w => w.Node.Value));
        Assert.Equal(
            Enumerable.Range(0, 2).Select(c => Deep(new NodeCommand.AverageChunks(Id, 1, [c], D("version 1"), [D("contribution 1 0"), D("contribution 1 1")]))),
            work.Select(w => Deep(w.Command)));
        Assert.Equal(new WorkKey(WorkKind.Average, 1, 1), Assert.Single(Given(Fold(run, new RunEvent.ChunksAveraged(Id, 1, [Chunk(1, 0)])), Two, out _)).Key);
    }

    [Fact]
    public void Every_node_assembles_the_version_that_it_does_not_hold_yet()
    {
        var run = Averaged(Computed(At(1)));
        var fleet = FleetOf(("a", 1), ("b", 4), ("c", 1)).Holding(("b", "version 2"));
        var work = Given(run, fleet, out fleet);
        Assert.Equal(["a", "c"], work.Select(w => w.Node.Value));
        Assert.All(work, w => Assert.Equal(Deep(new NodeCommand.Assemble(Id, 1, [Chunk(1, 0), Chunk(1, 1)])), Deep(w.Command)));
        Assert.Equal("d", Assert.Single(Given(run, fleet.Enlist(new NodeId("d"), []), out _)).Node.Value);
    }

    [Fact]
    public void Nothing_is_given_twice()
    {
        foreach (var run in new[] { Started, Computing, At(1), Computed(At(2)), Averaged(Computed(At(3))) })
        {
            Assert.NotEmpty(Given(run, Two, out var fleet));
            Assert.Empty(Given(run, fleet, out var again));
            Assert.Equal(fleet.InHand, again.InHand);
        }
    }

    [Fact]
    public void What_a_lost_node_had_in_hand_is_given_to_another()
    {
        var first = Given(At(1), Two, out var fleet);
        var lost = first.Where(w => w.Node == new NodeId("a")).ToList();
        Assert.NotEmpty(lost);
        var second = Given(At(1), fleet.Lose(new NodeId("a")), out _);
        Assert.Equal(lost.Select(w => (w.Key, w.Command)), second.Select(w => (w.Key, w.Command)));
        Assert.All(second, w => Assert.Equal("b", w.Node.Value));
    }

    [Fact]
    public void A_node_that_put_everything_down_may_be_given_it_again()
    {
        var first = Given(At(1), FleetOf(("a", 2)), out var fleet);
        Assert.Equal(first, Given(At(1), fleet.PutDown(new NodeId("a")), out _));
    }

    [Fact]
    public void Replicas_are_shared_in_proportion_to_the_devices()
    {
        var plan = Plan with { Replicas = 14 };
        var run = At(0) with { Round = 1 };
        var (_, work) = Dispatch.Next(run, FleetOf(("a", 1), ("b", 2), ("c", 4)), plan);
        Assert.Equal([("a", 2), ("b", 4), ("c", 8)],
            work.Where(w => w.Key.Kind == WorkKind.Replica).GroupBy(w => w.Node.Value).OrderBy(g => g.Key).Select(g => (g.Key, g.Count())));
    }

    [Fact]
    public void A_replica_goes_on_where_it_ran_last_when_that_is_as_good()
    {
        var first = Given(At(1), Two, out var fleet);
        Assert.Equal([("a", 0), ("b", 1)], first.Select(w => (w.Node.Value, w.Key.Index)));

        // In the other order than a fresh fleet would have it.
        fleet = fleet.PutDown(new NodeId("a")).PutDown(new NodeId("b")) with
        {
            Homes = fleet.Homes.SetItem(0, new NodeId("b")).SetItem(1, new NodeId("a")),
        };
        Assert.Equal([("b", 0), ("a", 1)], Given(At(1), fleet, out _).Select(w => (w.Node.Value, w.Key.Index)));
    }

    [Fact]
    public void A_round_is_not_committed_before_enough_nodes_hold_the_same_version()
    {
        var run = At(1);
        var assembling = Averaged(Computed(run));
        Assert.Null(Dispatch.Commit(assembling, Two, Plan));
        Assert.Null(Dispatch.Commit(assembling, Two.Holding(("a", "version 2")), Plan));
        Assert.Null(Dispatch.Commit(assembling, Two.Holding(("a", "version 2"), ("b", "version 2'")), Plan));
        Assert.Null(Dispatch.Commit(Computed(run), Two.Holding(("a", "version 2"), ("b", "version 2")), Plan));
        Assert.Null(Dispatch.Commit(assembling, Two.Holding(("a", "version 2"), ("b", "version 2")) with { Surveyed = false }, Plan));
    }

    [Fact]
    public void A_round_is_committed_to_what_most_holders_agree_on()
    {
        var fleet = FleetOf(("a", 1), ("b", 1), ("c", 1)).Holding(("a", "version 2'"), ("b", "version 2"), ("c", "version 2"));
        Assert.Equal(
            new RunCommand.CommitRound(Id, 1, D("version 2"), D("fingerprint of version 2"), 2, 3),
            Dispatch.Commit(Averaged(Computed(At(1))), fleet, Plan));
    }

    [Fact]
    public void A_single_node_is_enough_where_there_is_only_one()
    {
        var commit = Dispatch.Commit(Averaged(Computed(At(1))), FleetOf(("a", 1)).Holding(("a", "version 2")), Plan);
        Assert.Equal((1, 1), (commit!.Holders, commit.Nodes));
    }

    [Fact]
    public void A_round_is_not_committed_before_the_version_it_started_from_is_scored_and_durable()
    {
        var fleet = Two.Holding(("a", "version 3"), ("b", "version 3"));
        var bare = Averaged(Computed(Carry(Averaged(Computed(At(1))), Commit(1))));
        var scored = Carry(bare, new RunCommand.FinishEvaluation(Id, new VersionScore(2, 1, 1)));
        var durable = Carry(bare, new RunCommand.FinishCheckpoint(Id, Checkpoint(2)));
        Assert.Null(Dispatch.Commit(bare, fleet, Plan));
        Assert.Null(Dispatch.Commit(scored, fleet, Plan));
        Assert.Null(Dispatch.Commit(durable, fleet, Plan));
        Assert.NotNull(Dispatch.Commit(Carry(scored, new RunCommand.FinishCheckpoint(Id, Checkpoint(2))), fleet, Plan));
    }

    [Fact]
    public void An_answer_names_the_work_that_was_given()
    {
        RunCommand[] answers =
        [
            new RunCommand.FinishInitialization(Id, D("version 0"), D("f")), new RunCommand.FinishEvaluation(Id, new VersionScore(2, 1, 1)),
            new RunCommand.FinishCheckpoint(Id, Checkpoint(2)), new RunCommand.FinishReplica(Id, Result(2, 0)),
            new RunCommand.HandOverReplica(Id, HandOver(2, 1, 1)), new RunCommand.FinishChunks(Id, 2, [Chunk(2, 0)]),
            new RunCommand.FinishChunks(Id, 2, [Chunk(2, 1)]), new RunCommand.FinishSurvey(Id, [], []),
        ];
        var second = Carry(Averaged(Computed(At(1))), Commit(1));
        var given = new[] { (Started, Two), (second, Two), (Computed(At(2)), Two), (second, Two with { Surveyed = false }) }
            .SelectMany(c => Given(c.Item1, c.Item2, out _)).ToList();
        Assert.Equal(given.Select(w => (WorkKey?)w.Key), answers.Select(Dispatch.AnsweredBy));
        Assert.All(given, w => Assert.Equal(w.Key, Dispatch.KeyOf(w.Command, w.Node)));
        Assert.Null(Dispatch.AnsweredBy(new RunCommand.FinishChunks(Id, 2, [])));
        Assert.Null(Dispatch.AnsweredBy(Begin));
    }

    private static IReadOnlyList<Assignment> Given(RunState run, Fleet fleet, out Fleet after)
    {
        (after, var work) = Dispatch.Next(run, fleet, Plan);
        return work;
    }
}
