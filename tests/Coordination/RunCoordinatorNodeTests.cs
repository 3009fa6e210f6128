using Elastic.Messages;
using Elastic.Messages.Nodes;
using Elastic.Messages.Runs;
using Elastic.Messages.Work;
using Elastic.Simulation;
using Elastic.Testing;
using static Elastic.Testing.RunSamples;

namespace Elastic.Coordination.Tests;

// What a supervisor does when nodes come, go, fail, rest and answer.
public sealed class RunCoordinatorNodeTests : RunCoordinatorScene
{
    [Fact]
    public void A_node_that_drains_is_released_each_time_that_it_asks_once_another_has_what_it_has_and_gets_work_again_afterwards()
    {
        Begin(1, A);
        Sent(A);
        After(4);
        Enlist(A, drains: 1);
        Enlist(A, drains: 1);
        Assert.DoesNotContain("Release", Sent(A));                     // a node that leaves would go: nobody else is there
        Enlist(B);
        Survey(B, Coordinator.Run.Current());
        for (var asked = 0; asked < 3; asked++)
        {
            Assert.Equal([1], Taken(A).OfType<NodeCommand.Release>().Select(r => r.Drains));
            Enlist(A, drains: 1);
        }

        Enlist(A, drains: 2);
        Assert.Contains("compute", Sent(A));
    }

    [Fact]
    public void A_new_node_is_told_of_the_run_and_asked_what_it_has_before_it_gets_work()
    {
        Recover(Journal(1));
        Enlist(A);
        Assert.Equal(["OpenRun", "Survey"], Sent(A));
        Survey(A, At(1).Current());
        Assert.Equal(["compute"], Sent(A));
    }

    [Fact]
    public void Work_that_a_node_has_in_hand_is_adopted_and_what_nobody_waits_for_is_dropped()
    {
        Recover(Journal(1));
        Enlist(A, devices: 2, works: [Held(ComputeWork.KeyOf(1, 1), 1), Held(ComputeWork.KeyOf(0, 1), 0)]);
        Survey(A, At(1).Current());
        var sent = Taken(A);
        Assert.Equal([ComputeWork.KeyOf(0, 1)], sent.OfType<NodeCommand.DropWork>().Single().Works);
        Assert.Equal([ComputeWork.KeyOf(1, 0)], sent.OfType<WorkOrder>().Select(o => o.Key));
    }

    [Fact]
    public void A_node_that_joins_costs_the_nodes_that_are_there_no_message()
    {
        Begin(1, A);
        Sent(A);
        for (var i = 0; i < 100; i++)
        {
            var node = new NodeId($"n{i}");
            Enlist(node);
            Survey(node, At(1).Current());
        }

        Assert.Empty(Sent(A));
        Assert.Empty(Sent(new NodeId("n98")).Except(["OpenRun", "Survey", "compute"]));
    }

    [Fact]
    public void An_order_of_a_later_term_than_the_supervisor_s_is_said_once_with_what_may_have_happened_to_the_database()
    {
        Recover(Journal(1));
        var held = new HeldWork(Id.Job, new OrderId(4, 1), ComputeWork.KeyOf(1, 1), Version(1));
        Enlist(A, works: [held with { Order = new OrderId(1, 1) }]);
        Assert.Empty(Outputs.OfType<RunOutput.Notice>());
        for (var i = 0; i < 3; i++)
            Enlist(A, works: [held]);
        var notice = Assert.Single(Outputs.OfType<RunOutput.Notice>()).Text;
        Assert.StartsWith("a:7000 (a) has an order of term 4, and this supervisor has term 1: unless another seed has just taken over, "
            + "the database is an older copy", notice);
        Assert.EndsWith("where there is a newer copy of the database, stop the seeds and put it back", notice);
    }

    [Fact]
    public void Work_that_a_node_does_not_have_by_its_own_account_is_given_out_again_after_three_seconds()
    {
        Begin(1, A);
        Assert.Contains("compute", Sent(A));
        After(2);
        Enlist(A);
        Assert.Empty(Sent(A));
        After(1.5);
        Enlist(A);
        Assert.Equal(["compute"], Sent(A));
    }

    [Fact]
    public void Every_answer_is_acknowledged_though_it_came_before()
    {
        Begin(1, A);
        Sent(A);
        for (var i = 0; i < 2; i++)
        {
            Step(new RunInput.Answered(Finish(A, Result(1, 0))));
            Assert.Contains("DropWork", Sent(A));
        }
    }

    [Fact]
    public void What_one_node_has_whole_is_not_lost()
    {
        Recover(Journal(3));
        Enlist(A);
        Survey(A, [Version(3)]);
        Enlist(B);
        Survey(B, [D("inner 2 0"), D("inner 2 1")]);
        Assert.Equal((3, true), (Coordinator.Run.Round, Coordinator.View.Surveyed));
    }

    [Fact]
    public void A_node_that_begins_anew_is_not_gone_in_between()
    {
        Begin(1, A, Results(1));
        Step(new RunInput.Answered(Sums(A, 1, 0, 1)));
        Enlist(B);
        Survey(B, [.. At(1).Current(), D("inner 1 0"), D("inner 1 1")]);
        Assembled(A, 1);
        Assert.Empty(Fences());                                          // one of two
        Enlist(B, incarnation: "2");
        Assert.Empty(Fences());                                          // and not one of one
        Step(new RunInput.Lost(B));
        Assert.Single(Fences());
    }

    [Fact]
    public void An_answer_of_another_job_or_of_a_node_that_is_not_there_is_dropped_and_said()
    {
        Begin(1, A);
        Step(new RunInput.Answered(Finish(A, Result(1, 0)) with { Job = new JobId("another-00000000") }));
        Step(new RunInput.Answered(Finish(B, Result(1, 0))));
        Step(new RunInput.Answered(Finish(A, Result(1, 0)) with { Key = new WorkKey("another kind", 1) }));
        Assert.Equal(
            ["it belongs to another-00000000", "the node is not enlisted: it says it again when it is",
                "there is no kind of work \"another kind\""],
            Outputs.OfType<RunOutput.Dropped>().Select(d => d.Why));
        Assert.Empty(Coordinator.Run.Finished);
    }

    [Fact]
    public void A_leaving_node_is_released_when_others_have_what_it_had_and_told_again_until_it_goes()
    {
        Begin(1, A);
        Enlist(B);
        Survey(B, []);
        Enlist(A, leaving: true);
        Step(new RunInput.Reported(new NodeReport.RunIdle(A, Id)));
        Assert.DoesNotContain("Release", Sent(A));
        foreach (var (copy, set) in new[] { (0, Version(1)), (1, D("inner 0 0")), (5, D("inner 0 1")) })
            Step(new RunInput.Answered(Answer(B, CopyWork.KeyOf(1, copy), new Copied(set))));
        Assert.Contains("Release", Sent(A));
        After(1);
        Enlist(A, leaving: true);
        Assert.Contains("Release", Sent(A));
    }

    // Two nodes had all of it when it finished, one has died since, and the one that came instead knows nothing of this run.
    [Fact]
    public void A_finished_run_lets_a_node_go_though_nobody_has_a_copy_of_what_it_has_and_orders_none()
    {
        Recover(Journal(4).TakeWhile(e => e is not RunEvent.RunFinished).SkipLast(1));
        foreach (var node in new[] { A, B })
        {
            Enlist(node);
            Survey(node, Coordinator.Run.Current());
        }

        Step(new RunInput.Answered(Scored(A, new VersionScore(4, 1, 4))));
        Assert.Equal(Lifecycle.Finished, Coordinator.Lifecycle);
        Step(new RunInput.Lost(B));
        Enlist(C);
        Enlist(A, leaving: true);
        Assert.Contains("Release", Sent(A));
        Assert.Empty(Sent(C));
    }

    [Fact]
    public void A_node_that_came_after_the_run_failed_is_asked_what_it_has_and_so_lets_another_one_leave()
    {
        Begin(1, A);
        Fail(Taken(A).OfType<WorkOrder>().First(o => o.Content is Compute), A, "the disk is full", WorkFailure.Permanent);
        Assert.Equal(Lifecycle.Failed, Coordinator.Lifecycle);
        Enlist(B);
        Assert.Equal(["OpenRun", "Survey"], Sent(B).Where(s => s != "copy"));
        Enlist(A, leaving: true);
        Step(new RunInput.Reported(new NodeReport.RunIdle(A, Id)));
        Assert.DoesNotContain("Release", Sent(A));
        Survey(B, At(1).Current());
        foreach (var (copy, set) in new[] { (0, Version(1)), (1, D("inner 0 0")), (5, D("inner 0 1")) })
            Step(new RunInput.Answered(Answer(B, CopyWork.KeyOf(1, copy), new Copied(set))));
        Assert.Contains("Release", Sent(A));
    }

    [Fact]
    public void What_a_node_answers_after_its_release_does_not_count()
    {
        Begin(1, A);
        Enlist(B);
        Survey(B, At(1).Current());
        Enlist(A, leaving: true);
        Step(new RunInput.Reported(new NodeReport.RunIdle(A, Id)));
        Assert.Contains("Release", Sent(A));
        Step(new RunInput.Answered(Finish(A, Result(1, 0))));
        Assert.Empty(Coordinator.Run.Finished);
        Assert.Equal("the node was released: what it has made since goes with it", Outputs.OfType<RunOutput.Dropped>().Last().Why);
    }

    [Fact]
    public void A_result_that_was_only_on_a_lost_node_is_computed_again_after_two_seconds()
    {
        Begin(1, A);
        Enlist(B);
        Survey(B, At(1).Current());
        Step(new RunInput.Answered(Finish(B, Result(1, 1))));
        Step(new RunInput.Lost(B));
        After(1.9);
        Step(new RunInput.Tick());
        Assert.Equal([1], Coordinator.Run.Finished.Keys);                // the node may be back in a moment
        After(0.2);
        Step(new RunInput.Tick());
        Assert.Empty(Coordinator.Run.Finished);
    }

    [Fact]
    public void A_node_that_comes_back_leaving_is_not_released_before_it_is_known_what_it_has()
    {
        Begin(1, A);
        Enlist(B);
        Survey(B, At(1).Current());
        Step(new RunInput.Lost(A));
        Enlist(A, leaving: true);
        Assert.DoesNotContain("Release", Sent(A));
        Survey(A, At(1).Current());
        Assert.Contains("Release", Sent(A));
    }

    [Fact]
    public void Work_that_failed_for_no_reason_is_given_out_again_after_a_rest()
    {
        Begin(1, A);
        Fail(Taken(A).OfType<WorkOrder>().First(), A, "IOException: Input/output error", WorkFailure.Transient);
        Sent(A);
        After(0.4);
        Step(new RunInput.Tick());
        Assert.DoesNotContain("compute", Sent(A));
        After(0.7);
        Step(new RunInput.Tick());
        Assert.Contains("compute", Sent(A));
    }

    [Fact]
    public void A_failure_that_its_node_repeats_takes_the_work_back_once()
    {
        Begin(1, A);
        var order = Taken(A).OfType<WorkOrder>().First();
        var failed = new WorkResult(
            order.Job, A, order.Id, order.Key, order.From, new WorkFailed("IOException: Input/output error", WorkFailure.Transient));
        Assert.True(Coordinator.TakesBack(failed));
        Step(new RunInput.Answered(failed));
        Assert.False(Coordinator.TakesBack(failed));
    }

    [Fact]
    public void A_run_started_without_devices_takes_the_arithmetic_of_most_devices_and_the_others_only_store()
    {
        Recover(new RunEvent.RunStarted(
            Id, VirtualRun.Name, RunSamples.Begin.Settings, Elements, D("corpus"), 1000, 100, "", VirtualRun.By(0)));
        Enlist(A, arithmetic: "cuda");
        Assert.Equal("cuda", Coordinator.Run.Arithmetic);
        Assert.Contains(new RunOutput.Notice("the run is computed with the arithmetic \"cuda\"") { Warns = false }, Outputs);
        Enlist(B, devices: 4);
        Assert.Equal([A], Coordinator.View.Workers);
        Assert.Contains("Exclude", Sent(B));
        Assert.Equal([A, B], Coordinator.View.Staying);
    }

    [Fact]
    public void When_a_node_is_convicted_what_goes_on_from_a_hand_over_is_taken_away_and_given_out_from_the_beginning()
    {
        Begin(1, A, new RunEvent.ReplicaHandedOver(Id, HandOver(1, 1, 1)));
        var own = Assert.Single(Taken(A).OfType<WorkOrder>(), o => o.Content is Compute);
        Assert.Equal(0, own.Key.Index);
        Enlist(B);
        Survey(B, Coordinator.Run.Current());
        Assert.Equal(HandOver(1, 1, 1), Assert.Single(Taken(B).OfType<WorkOrder>().Select(o => o.Content).OfType<Compute>()).HandOver);

        Step(new RunInput.Answered(Finish(A, Result(1, 0))));
        Step(new RunInput.Answered(Finish(A, Result(1, 0, "x"))));
        Assert.True(Coordinator.Run.IsQuarantined(A));
        var sent = Taken(B);
        Assert.Equal([ComputeWork.KeyOf(1, 1)], sent.OfType<NodeCommand.DropWork>().SelectMany(d => d.Works));
        var anew = Assert.Single(sent.OfType<WorkOrder>().Select(o => o.Content).OfType<Compute>());
        Assert.Null(anew.HandOver);
    }

    [Fact]
    public void A_node_in_quarantine_computes_nothing_and_no_copy_on_it_counts_and_what_only_it_holds_is_fetched_from_it()
    {
        Recover([.. Journal(1), new RunEvent.NodeQuarantined(Id, B, "it lies")]);
        Enlist(B, devices: 4);
        Assert.Equal(["OpenRun", "Survey", "Exclude"], Sent(B));
        Enlist(A);
        Survey(A, []);
        After(1);
        Step(new RunInput.Tick());
        Survey(B, Coordinator.Run.Current());                            // nobody else has version 1
        Assert.DoesNotContain(Coordinator.Run.Current(), s => Coordinator.View.HoldersOf(s).IsEmpty);
        Assert.Equal((1, 1), (Coordinator.Run.Round, Coordinator.View.DeviceCount));
        Assert.Superset(
            Coordinator.Run.Current().ToHashSet(),
            Taken(A).OfType<WorkOrder>().Select(o => o.Content).OfType<Copy>().Select(c => c.Set).ToHashSet());
        Assert.Empty(Taken(B).OfType<WorkOrder>());
        Step(new RunInput.Answered(Finish(B, Result(1, 0))));
        Assert.Empty(Coordinator.Run.Finished);

        Enlist(B, devices: 4, leaving: true, works: [Held(ComputeWork.KeyOf(1, 0), 1)]);
        Assert.DoesNotContain(Coordinator.View.InFlight.Keys, w => w.Node == B);
        var sent = Sent(B);
        Assert.Contains("DropWork", sent);
        Assert.DoesNotContain("Release", sent);                          // what only it holds is not copied yet
        foreach (var set in Coordinator.Run.Current().ToList())
            Step(new RunInput.Answered(Answer(A, CopyWork.KeyOf(1, 0), new Copied(set))));
        Assert.Contains("Release", Sent(B));
    }
}
