using Elastic.Messages;
using Elastic.Messages.Nodes;
using Elastic.Messages.Runs;
using Elastic.Messages.Work;
using static Elastic.Testing.RunSamples;

namespace Elastic.Coordination.Tests;

// What becomes of a replica that several nodes compute together, when one of them is lost, fails, waits or answers.
public sealed class RunCoordinatorStageTests : RunCoordinatorScene
{
    private static readonly WorkKey First = ComputeWork.KeyOf(1, 0), Second = ComputeStageWork.KeyOf(1, 0, 1);

    public RunCoordinatorStageTests() => ItsPlan = PlanOf(1, 4, 2) with { Stages = 2 };

    [Fact]
    public void The_loss_of_one_takes_the_work_of_the_others_and_another_attempt_begins()
    {
        var before = BeginWith(A, B, C);
        Step(new RunInput.Lost(B));
        Assert.Contains(Taken(A), m => m is NodeCommand.DropWork { Works: [var key] } && key == First);
        Assert.Equal([A, C], NodesAtWork());
        Assert.NotEqual(before, Assert.Single(Coordinator.View.Attempts.Values.Distinct()));
    }

    [Fact]
    public void Without_another_node_it_waits_for_one()
    {
        BeginWith(A, B);
        Step(new RunInput.Lost(B));
        Assert.Empty(NodesAtWork());
        Assert.Equal("replica 0 needs 2 nodes at once and 1 is free", Coordinator.WaitsFor);
        Enlist(B, incarnation: "2");
        Survey(B, Coordinator.Run.Current());
        Assert.Equal([A, B], NodesAtWork());
    }

    [Fact]
    public void It_is_given_out_anew_from_its_hand_over_which_ends_the_work_of_all()
    {
        BeginWith(A, B, C);
        Sent(B);
        Step(new RunInput.Answered(Stopped(A, HandOver(1, 0, 2))));
        var anew = NodesAtWork().SelectMany(Orders).Select(o => ComputeWork.Of(o.Content)!.HandOver);
        Assert.Equal([HandOver(1, 0, 2), HandOver(1, 0, 2)], anew);
        Assert.Contains("DropWork", Sent(B));
    }

    [Fact]
    public void The_first_stage_answers_for_all()
    {
        BeginWith(A, B);
        Sent(B);
        Step(new RunInput.Answered(Finish(A, Result(1, 0)) with { Order = Orders(A).Single().Id }));
        Assert.Contains(Taken(B), m => m is NodeCommand.DropWork { Works: [var key] } && key == Second);
        Assert.True(Coordinator.Run.Finished.ContainsKey(0));
        Assert.Equal([A, B], Coordinator.View.Teams[(0, A)]);
        Assert.Empty(Coordinator.View.Attempts);
    }

    [Fact]
    public void A_lost_stage_counts_against_its_node_and_not_against_the_one_that_says_so()
    {
        BeginWith(A, B, C);
        Lose(A, First, stage: 1);
        Assert.Empty(NodesAtWork());                                   // the work of b rests
        Assert.Contains("DropWork", Sent(B));
        Lose(B, Second, stage: 0);                                     // it says so, too, of an attempt that is over
        After(1.5);
        Step(new RunInput.Tick());
        Assert.Equal([A, C], NodesAtWork());
        Assert.False(Coordinator.View.Nodes[A].Leaving);
    }

    [Fact]
    public void What_a_node_says_late_of_an_earlier_attempt_does_not_end_the_next_one()
    {
        BeginWith(A, B, C);
        var earlier = Orders(A).Single();
        Step(new RunInput.Lost(B));
        Assert.Equal([A, C], NodesAtWork());
        var attempt = Assert.Single(Coordinator.View.Attempts.Values.Distinct());
        Sent(A);
        foreach (var outcome in new WorkOutcome[] { new StageLost(1, "b is gone"), new WorkFailed("b is gone", WorkFailure.Transient) })
        {
            Step(new RunInput.Answered(new WorkResult(earlier.Job, A, earlier.Id, earlier.Key, earlier.From, outcome)));
            Assert.Equal(attempt, Assert.Single(Coordinator.View.Attempts.Values.Distinct()));
            Assert.Equal([A, C], NodesAtWork());
            Assert.DoesNotContain("DropWork", Sent(A));
        }

        Lose(A, First, stage: 1);                                      // of this one
        Assert.Empty(NodesAtWork());
    }

    [Fact]
    public void A_hand_over_that_comes_again_does_not_end_the_attempt_that_began_from_it_and_one_that_is_further_does()
    {
        BeginWith(A, B, C);
        var earlier = Orders(A).Single();
        Step(new RunInput.Answered(Of(earlier, HandOver(1, 0, 1))));
        var attempt = Assert.Single(Coordinator.View.Attempts.Values.Distinct());
        Sent(A);
        Step(new RunInput.Answered(Of(earlier, HandOver(1, 0, 1))));
        Assert.Equal(attempt, Assert.Single(Coordinator.View.Attempts.Values.Distinct()));
        Assert.Empty(Sent(A));

        Step(new RunInput.Answered(Of(earlier, HandOver(1, 0, 2))));
        Assert.NotEqual(attempt, Assert.Single(Coordinator.View.Attempts.Values.Distinct()));
        Assert.Equal(HandOver(1, 0, 2), ComputeWork.Of(Orders(A).Single().Content)!.HandOver);

        WorkResult Of(WorkOrder order, ReplicaHandOver handOver) =>
            new(order.Job, A, order.Id, order.Key, order.From, new HandedOver(handOver));
    }

    [Fact]
    public void After_a_failover_too_a_hand_over_of_an_earlier_attempt_does_not_end_the_one_that_nodes_report()
    {
        Recover([.. Journal(1), new RunEvent.ReplicaHandedOver(Id, HandOver(1, 0, 2))]);
        HeldWork[] held = [.. new[] { First, Second }.Select(key => Stage(key, "x") with { Order = new OrderId(1, 7) })];
        Enlist(A, works: [held[0]]);
        Enlist(B, works: [held[1]]);
        Step(new RunInput.Answered(Stopped(A, HandOver(1, 0, 2)) with { Order = new OrderId(1, 6) }));
        Assert.Equal([A, B], NodesAtWork());
        Step(new RunInput.Answered(Stopped(A, HandOver(1, 0, 2)) with { Order = new OrderId(1, 7) }));
        Assert.DoesNotContain("x", Coordinator.View.Attempts.Values);
    }

    [Fact]
    public void A_result_that_comes_late_is_that_of_the_nodes_that_computed_it()
    {
        BeginWith(A, B, C);
        var earlier = Orders(A).Single();
        Step(new RunInput.Lost(B));
        Assert.Equal([A, C], NodesAtWork());
        Step(new RunInput.Answered(Finish(A, Result(1, 0)) with { Order = earlier.Id }));
        Assert.Equal([A, B], Coordinator.View.Teams[(0, A)]);
    }

    [Fact]
    public void A_result_that_names_another_node_s_order_says_nothing_of_who_computed_it()
    {
        BeginWith(A, B, C);
        Step(new RunInput.Answered(Finish(C, Result(1, 0)) with { Order = Orders(A).Single().Id }));
        Assert.True(Coordinator.Run.QuorumOf(0).HasVoted(C));
        Assert.DoesNotContain((0, C), Coordinator.View.Teams.Keys);
    }

    [Fact]
    public void A_node_whose_stage_is_lost_again_and_again_rests()
    {
        BeginWith(A, B, C);
        Step(new RunInput.Lost(C));
        Enlist(C, leaving: true);                                      // it would be given the stage, else
        Lose(A, First, stage: 1);
        After(1.5);
        Step(new RunInput.Tick());
        Assert.Equal([A, B], NodesAtWork());
        Enlist(C);
        Lose(A, First, stage: 1);
        Assert.True(Coordinator.View.Nodes[B].Leaving);
        Assert.Equal([A, C], NodesAtWork());
        Assert.Null(Coordinator.Failure);
    }

    [Fact]
    public void A_stage_that_is_lost_while_the_run_pauses_is_no_failure_of_the_run()
    {
        BeginWith(A, B);
        Ask(new RunRequest.Pause(Elastic.Testing.RunSamples.Begin.Run, Elastic.Testing.RunSamples.Begin.Origin with { Id = "pause" }));
        Lose(A, First, stage: 1);
        Assert.Null(Coordinator.Failure);
        Assert.Empty(NodesAtWork());
    }

    [Fact]
    public void After_a_failover_an_attempt_goes_on_if_all_its_nodes_report_it()
    {
        Recover(Journal(1));
        Enlist(A, works: [Stage(First, "x")]);
        Enlist(B, works: [Stage(Second, "x")]);
        foreach (var node in new[] { A, B })
            Survey(node, Coordinator.Run.Current());
        for (var second = 0; second < 10; second++)
        {
            After(1);
            Enlist(A, works: [Stage(First, "x")]);
            Enlist(B, works: [Stage(Second, "x")]);
            Step(new RunInput.Tick());
        }

        Assert.Equal([A, B], NodesAtWork());
        Assert.DoesNotContain(Outputs.OfType<RunOutput.Send>(), s => s.Message is NodeCommand.DropWork or WorkOrder { Content: Compute });
    }

    [Fact]
    public void After_a_failover_an_attempt_that_lacks_a_stage_is_dropped_after_three_seconds()
    {
        Recover(Journal(1));
        Enlist(A, works: [Stage(First, "x")]);
        Enlist(B);
        foreach (var node in new[] { A, B })
            Survey(node, Coordinator.Run.Current());
        After(2);
        Step(new RunInput.Tick());
        Assert.Equal([A], NodesAtWork());
        After(1.5);
        Step(new RunInput.Tick());
        Assert.Contains("DropWork", Sent(A));
        Assert.Equal([A, B], NodesAtWork());
        Assert.DoesNotContain("x", Coordinator.View.Attempts.Values);
    }

    [Fact]
    public void A_node_that_has_an_older_attempt_does_not_have_the_newer_one()
    {
        BeginWith(A, B);
        After(4);
        Enlist(A, works: [Stage(First, "older")]);
        Assert.Equal([B], NodesAtWork());
        After(3.5);
        Step(new RunInput.Tick());
        Assert.Contains("DropWork", Sent(B));
    }

    [Fact]
    public void An_attempt_one_stage_of_which_waits_behind_another_run_gives_way_and_one_that_waits_in_all_does_not()
    {
        var before = BeginWith(A, B);
        Wait(25, A, B);
        Assert.Equal(before, Assert.Single(Coordinator.View.Attempts.Values.Distinct()));
        Step(new RunInput.Reported(new NodeReport.StepTaken(A, Id, 1, 0, 1, 3, 1e-3)));
        Sent(A);
        Wait(30, B);
        Assert.Contains("DropWork", Sent(A));
        Assert.DoesNotContain(before, Coordinator.View.Attempts.Values);
        Assert.False(Coordinator.View.Nodes[B].Leaving);               // nothing is wrong with it
        Assert.Contains(
            Outputs.OfType<RunOutput.Notice>(), n => n.Text.StartsWith("b:7000 (b) computes for another run", StringComparison.Ordinal));

        void Wait(int seconds, params NodeId[] nodes)
        {
            for (var second = 0; second < seconds; second++)
            {
                After(1);
                foreach (var (node, key) in new[] { (A, First), (B, Second) })
                {
                    Enlist(node, works: [.. Coordinator.View.Attempts.Where(a => a.Key.Node == node).Select(a => Stage(key, a.Value))]);
                    if (nodes.Contains(node))
                        Step(new RunInput.Reported(new NodeReport.Queued(node, Id, key, new RunId("big-00000000"), 5)));
                }

                Step(new RunInput.Tick());
            }
        }
    }

    [Fact]
    public void Nodes_with_gpus_can_have_a_stage()
    {
        Recover(Journal(1));
        Step(new RunInput.Reported(new NodeReport.Enlist(A)
        {
            Devices = [new DeviceId("cuda:0")],
            Incarnation = "1",
            Address = "a:7000",
            Endpoint = "a:7001",
            Seed = false,
            Version = "0.2",
            Arithmetic = "cpu 2",
            Works = [],
            Leaving = false,
        }));
        Assert.Equal([new DeviceId("cuda:0")], Coordinator.View.Nodes[A].Devices);
        Assert.Empty(Taken(A).OfType<NodeCommand.Exclude>());
    }

    // All have everything; the first two begin.
    private string BeginWith(params NodeId[] nodes)
    {
        Begin(1, nodes[0]);
        foreach (var node in nodes.Skip(1))
        {
            Enlist(node);
            Survey(node, Coordinator.Run.Current());
        }

        Assert.Equal(nodes.Take(2), NodesAtWork());
        Assert.Equal([First], Orders(nodes[0]).Select(o => o.Key));
        return Assert.Single(Coordinator.View.Attempts.Values.Distinct());
    }

    private List<NodeId> NodesAtWork() =>
        [.. Coordinator.View.Attempts.Keys.OrderBy(w => ComputeStageWork.StageOf(w.Work)).Select(w => w.Node)];

    private IEnumerable<WorkOrder> Orders(NodeId node) =>
        Outputs.OfType<RunOutput.Send>().Where(s => s.Node == node).Select(s => s.Message).OfType<WorkOrder>()
            .Where(o => o.Key.Kind is "compute" or "compute-stage").TakeLast(1);

    private void Lose(NodeId says, WorkKey key, int stage) =>
        Step(new RunInput.Answered(Answer(says, key, new StageLost(stage, $"stage {stage} of 2 is gone")) with
        {
            Order = new OrderId(1, 1000),                              // no older than any
        }));

    private static HeldWork Stage(WorkKey key, string attempt) => Held(key, 1) with { Attempt = attempt };
}
