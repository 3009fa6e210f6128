using Elastic.Messages.Nodes;
using Elastic.Messages.Runs;
using Elastic.Messages.Work;
using Elastic.Simulation;
using static Elastic.Testing.RunSamples;

namespace Elastic.Coordination.Tests;

// What a supervisor does with requests, losses, terms and commits. Whole runs are in tests/Simulation.
public sealed class RunCoordinatorTests : RunCoordinatorScene
{
    [Fact]
    public void An_order_names_its_term_the_version_that_it_starts_from_and_who_has_it()
    {
        Recover(Journal(1));
        Enlist(B, devices: 0);
        Survey(B, At(1).Current());
        Enlist(A);
        Survey(A, []);
        var order = Taken(A).OfType<WorkOrder>().First(o => o.Content is Compute);
        Assert.Equal((Id.Job, 1L, Version(1)), (order.Job, order.Id.Term, order.From!.Value));
        Assert.Equal(["b:7001"], order.Sources);
    }

    [Fact]
    public void A_version_is_given_up_only_when_all_have_answered_and_nobody_has_come_for_some_time()
    {
        Recover(Journal(3));
        Enlist(A);
        Survey(A, Checkpoint(2).InnerStates.Append(Version(2)));
        After(9);
        Enlist(B);                                                       // the version may be there
        After(11);
        Step(new RunInput.Tick());
        Assert.Equal(3, Coordinator.Run.Round);
        Assert.Equal("nodes to say what they store: b:7000 (b)", Coordinator.WaitsFor);
        Survey(B, []);
        Assert.Equal(2, Coordinator.Run.Round);
    }

    [Fact]
    public void To_begin_at_the_very_beginning_can_wait_much_longer()
    {
        Recover(Journal(3));
        Enlist(A);
        Survey(A, []);
        After(199);
        Step(new RunInput.Tick());
        Assert.Equal(
            (3, "nodes that may hold what is lacking: no node that is here has version 3 or a checkpoint whole. Start the nodes that may "
                + "have it; in 1 s the run begins at its beginning, to the same weights"),
            (Coordinator.Run.Round, Coordinator.WaitsFor));
        After(2);
        Step(new RunInput.Tick());
        Assert.Equal(0, Coordinator.Run.Round);
    }

    [Fact]
    public void The_round_that_a_score_makes_superfluous_is_taken_from_its_nodes_and_given_out_again_where_the_run_gets_longer()
    {
        ItsPlan = Plan with { TargetLoss = 4 };
        Recover(Journal(2).Where(e => e is not RunEvent.VersionEvaluated { Score.Version: 2 }));
        Enlist(A, devices: 3);
        Survey(A, Coordinator.Run.Current());
        Assert.Equal(2, Taken(A).OfType<WorkOrder>().Count(o => o.Content is Compute));
        ItsPlan = ItsPlan with { EndsAt = 2 };
        Step(new RunInput.Answered(Scored(A, new VersionScore(2, 3, 6))));
        Assert.Equal(2, Coordinator.Run.EndsAt);
        var dropped = Taken(A).OfType<NodeCommand.DropWork>().SelectMany(d => d.Works).ToList();
        Assert.Contains(ComputeWork.KeyOf(2, 0), dropped);
        Assert.Contains(ComputeWork.KeyOf(2, 1), dropped);
        Assert.DoesNotContain(Coordinator.View.InFlight.Keys, w => w.Work.Kind == ComputeWork.Kind.Name);
        foreach (var key in new[] { AverageWork.KeyOf(2, 0), AssembleWork.KeyOf(2), ComputeStageWork.KeyOf(2, 0, 1) })
            Assert.True(Scheduler.IsDone(Coordinator.Run, ItsPlan, new InFlightWork(key, A)));

        ItsPlan = Plan with { TargetLoss = 1 };
        Ask(VirtualRun.Begin(1) with { Settings = Text(s => s with { Run = s.Run with { Rounds = 6 } }) });
        Assert.Equal(2, Taken(A).OfType<WorkOrder>().Count(o => o.Content is Compute));
    }

    [Fact]
    public void A_stopped_run_without_devices_lets_nodes_go_once_it_is_known_that_all_is_there_and_else_says_what_it_lacks()
    {
        Recover([.. Journal(1), new RunEvent.RunPaused(Id, VirtualRun.By(1))]);
        Enlist(B, devices: 0, seed: true);
        Enlist(A, devices: 0, leaving: true);
        Survey(B, []);
        Survey(A, []);
        After(1000);
        Step(new RunInput.Tick());
        Assert.Equal(
            (1, Lifecycle.Surveying, "nodes that may hold what is lacking, or a node with a device: no node that is here has version 1 or "
                + "a checkpoint whole, and none can compute it again"),
            (Coordinator.Run.Round, Coordinator.Lifecycle, Coordinator.WaitsFor));
        Assert.DoesNotContain("Release", Sent(A));
        Enlist(C, devices: 0);
        Survey(C, At(1).Current());
        Assert.Equal((Lifecycle.Stopped, null), (Coordinator.Lifecycle, Coordinator.WaitsFor));
        Assert.Contains("Release", Sent(A));
    }

    [Fact]
    public void A_run_that_has_failed_before_it_was_known_what_there_is_lets_nodes_go_and_takes_nothing_for_lost()
    {
        Recover(Journal(1));
        Enlist(A);
        Enlist(B);
        Coordinator.Fail("its disk is full");
        Survey(A, []);
        Survey(B, []);
        After(1000);
        Enlist(A, leaving: true);
        Assert.Equal(1, Coordinator.Run.Round);
        Assert.DoesNotContain("Release", Sent(A));
        Enlist(C);
        Survey(C, At(1).Current());
        Assert.Contains("Release", Sent(A));
        Assert.Equal(Lifecycle.Failed, Coordinator.Lifecycle);
    }

    [Fact]
    public void After_a_rollback_nothing_is_given_out_before_the_fence_knows_of_it()
    {
        Recover(Journal(3));
        Enlist(A);
        Outputs.Clear();
        After(11);
        Survey(A, Checkpoint(2).InnerStates.Append(Version(2)));
        Assert.Equal((2, Lifecycle.Recovering), (Coordinator.Run.Round, Coordinator.Lifecycle));
        Assert.DoesNotContain(Outputs, o => o is RunOutput.Send { Message: WorkOrder });
        var begin = Assert.Single(Outputs.OfType<RunOutput.BeginTerm>());
        Step(new RunInput.TermBegun(begin.Asking, 2));
        Assert.Contains("compute", Sent(A));
    }

    [Fact]
    public void A_commit_is_stored_when_the_fence_has_let_it_pass_and_not_before()
    {
        Begin(1, A, Results(1));
        Step(new RunInput.Answered(Sums(A, 1, 0, 1)));
        Assembled(A, 1);
        var asked = Assert.Single(Fences());
        Assert.Equal((1, 1L), (Coordinator.Run.Round, asked.Term));
        Step(new RunInput.Fenced(asked.Commit, Passed: true));
        Assert.Equal(2, Coordinator.Run.Round);
        Assert.Contains(Outputs.OfType<RunOutput.Store>(), s => s.Events.Any(e => e is RunEvent.RoundCommitted { Round: 1 }));
    }

    [Fact]
    public void A_supervisor_whose_commit_the_fence_refuses_gives_up()
    {
        Begin(1, A, Results(1));
        Step(new RunInput.Answered(Sums(A, 1, 0, 1)));
        Assembled(A, 1);
        Step(new RunInput.Fenced(Assert.Single(Fences()).Commit, Passed: false));
        Assert.Equal("another supervisor has taken this run over", Assert.Single(Outputs.OfType<RunOutput.GiveUp>()).Why);
        Assert.Equal(1, Coordinator.Run.Round);
    }

    [Fact]
    public void What_nodes_are_told_to_keep_follows_from_all_events_of_a_decision()
    {
        ItsPlan = Plan with { CheckpointsKept = 1 };
        Recover(Journal(4).Where(e => e is not (RunEvent.CheckpointTaken { Checkpoint.Version: 4 } or RunEvent.RunFinished)));
        Enlist(A);
        Survey(A, Coordinator.Run.Current());
        Assert.Equal([2], Coordinator.Run.Checkpoints.Select(c => c.Version));
        Sent(A);
        Step(new RunInput.Answered(Stored(A, CheckpointOf(Coordinator.Run))));           // the newer checkpoint drops the older one
        Assert.Equal([4], Assert.Single(Taken(A).OfType<NodeCommand.Retain>()).Checkpoints);
    }

    [Fact]
    public void A_version_of_sums_that_were_replaced_is_not_committed_however_many_hold_it()
    {
        Begin(1, A, Results(1));
        Step(new RunInput.Answered(Sums(A, 1, 0, 1)));
        Step(new RunInput.Answered(Answer(A, AssembleWork.KeyOf(1), new Assembled(1, D("a version of other contributions")))));
        Assert.Empty(Fences());
        Assert.Contains("assemble", Sent(A));                            // it is asked again
        Assembled(A, 1);
        Assert.Single(Fences());
    }

    [Fact]
    public void A_run_that_stops_shows_no_speed_and_no_time_left_any_more()
    {
        Begin(1, A);
        for (var step = 0; step < 3; step++)
        {
            After(2);
            Enlist(A, works: [Held(ComputeWork.KeyOf(1, 0), 1)]);
            Step(new RunInput.Reported(new NodeReport.StepTaken(A, Id, 1, 0, step, 3, 1e-3)));
        }

        Assert.True(Coordinator.Show().TokensPerSecond > 0);
        Ask(new RunRequest.Stop(VirtualRun.Name, VirtualRun.By(7)));
        Assert.Equal(0, Coordinator.Show().TokensPerSecond);
    }

    [Fact]
    public void A_run_that_was_finished_before_this_supervisor_came_holds_nobody_back()
    {
        Recover([.. Journal(4), new RunEvent.RunFinished(Id, 4, D("fingerprint 4"))]);
        Enlist(A);
        Enlist(A, leaving: true);
        Assert.Equal(["Release"], Sent(A));
    }

    [Fact]
    public void A_run_that_failed_goes_on_when_somebody_starts_it_again()
    {
        Begin(1, A);
        Fail(Taken(A).OfType<WorkOrder>().First(o => o.Content is Compute), A, "the disk is full", WorkFailure.Permanent);
        Assert.Equal(("the disk is full", Lifecycle.Failed), (Coordinator.Failure, Coordinator.Lifecycle));
        Sent(A);
        Enlist(A);
        Assert.Empty(Sent(A));
        Assert.Contains("it cannot go on: the disk is full. When that is mended, pbm run start -n a goes on with it",
            Assert.IsType<RunReply.Refused>(Ask(new RunRequest.Resume(VirtualRun.Name, VirtualRun.By(2)))).Why, StringComparison.Ordinal);

        Ask(VirtualRun.Begin(1));
        Assert.Null(Coordinator.Failure);
        After(4);
        Enlist(A);
        Assert.Contains("compute", Sent(A));
    }

    [Fact]
    public void A_paused_run_is_stopped_when_all_have_put_down_what_they_had_and_starts_where_it_was()
    {
        Begin(1, A);
        Sent(A);
        Assert.IsType<RunReply.Accepted>(Ask(new RunRequest.Stop(VirtualRun.Name, VirtualRun.By(7))));
        Assert.Equal(["StopRun"], Sent(A));
        Assert.Equal((Lifecycle.Stopping, "nodes to hand over: a:7000 (a)"), (Coordinator.Lifecycle, Coordinator.WaitsFor));
        Step(new RunInput.Answered(Stopped(A, HandOver(1, 0, 2))));
        Step(new RunInput.Reported(new NodeReport.RunIdle(A, Id)));
        Assert.Equal((Lifecycle.Stopped, RunPhase.Stopped), (Coordinator.Lifecycle, Coordinator.Phase));
        Sent(A);

        Ask(VirtualRun.Begin(1));
        Assert.Equal(HandOver(1, 0, 2), Taken(A).OfType<WorkOrder>().Select(o => o.Content).OfType<Compute>().Single().HandOver);
    }

    [Fact]
    public void A_hand_over_that_comes_again_does_not_end_the_work_that_goes_on_from_it_unless_the_node_has_nothing_else_to_say()
    {
        Begin(1, A);
        var earlier = Taken(A).OfType<WorkOrder>().First(o => o.Content is Compute { Replica: 0 });
        Step(new RunInput.Answered(Again()));
        Assert.Equal(HandOver(1, 0, 2), Assert.Single(Taken(A).OfType<WorkOrder>().Select(o => o.Content).OfType<Compute>()).HandOver);
        Step(new RunInput.Answered(Again()));
        Assert.Empty(Sent(A));

        // The newer order has come by now, or is lost: the node keeps to the older one.
        After(4);
        Assert.True(Coordinator.IsOfEarlierAttempt(Again()));          // as of the last input
        Assert.False(Coordinator.IsOfEarlierAttempt(Again(), Now));
        Step(new RunInput.Answered(Again()));
        Assert.Equal(["DropWork", "compute"], Sent(A));

        WorkResult Again() => Stopped(A, HandOver(1, 0, 2)) with { Order = earlier.Id };
    }

    [Fact]
    public void A_paused_run_goes_on_where_it_was_and_makes_a_checkpoint_meanwhile_that_somebody_asks_for()
    {
        Begin(1, A);
        Sent(A);
        Ask(new RunRequest.Pause(VirtualRun.Name, VirtualRun.By(7)));
        Step(new RunInput.Answered(Stopped(A, HandOver(1, 0, 2))));
        Step(new RunInput.Reported(new NodeReport.RunIdle(A, Id)));
        Assert.Equal((Lifecycle.Paused, RunPhase.Paused), (Coordinator.Lifecycle, Coordinator.Phase));
        Assert.Contains(
            "is at work", Assert.IsType<RunReply.Refused>(Ask(new RunRequest.Delete(VirtualRun.Name, VirtualRun.By(8)))).Why,
            StringComparison.Ordinal);
        Sent(A);

        var request = new RunRequest.Checkpoint(VirtualRun.Name, VirtualRun.By(9));
        Assert.Equal(1, Assert.IsType<RunReply.Accepted>(Ask(request)).Checkpoint);
        var order = Assert.Single(Taken(A).OfType<WorkOrder>());
        Assert.Equal((TakeCheckpointWork.KeyOf(1), Lifecycle.Paused), (order.Key, Coordinator.Lifecycle));
        Step(new RunInput.Answered(new WorkResult(
            Id.Job, A, order.Id, order.Key, order.From, new CheckpointWritten(CheckpointOf(Coordinator.Run)))));
        Assert.Equal(1, Coordinator.Show().CheckpointVersion);
        Assert.Equal(1, Assert.IsType<RunReply.Accepted>(Ask(request)).Checkpoint);                     // repeated: not another one
        Assert.Single(Outputs.OfType<RunOutput.Store>().SelectMany(s => s.Events).OfType<RunEvent.CheckpointRequested>());
        Sent(A);

        Ask(new RunRequest.Resume(VirtualRun.Name, VirtualRun.By(10)));
        Assert.Equal(HandOver(1, 0, 2), Taken(A).OfType<WorkOrder>().Select(o => o.Content).OfType<Compute>().Single().HandOver);
    }

    [Fact]
    public void A_request_that_comes_twice_changes_nothing_the_second_time()
    {
        Begin(1, A);
        Ask(new RunRequest.Stop(VirtualRun.Name, VirtualRun.By(7)));
        Ask(VirtualRun.Begin(8));
        Assert.IsType<RunReply.Accepted>(Ask(new RunRequest.Stop(VirtualRun.Name, VirtualRun.By(7))));      // the one from before, delayed
        Assert.False(Coordinator.Run.IsPaused);
    }

    [Fact]
    public void A_run_that_nobody_has_asked_to_go_on_waits_for_somebody()
    {
        var run = new RunCoordinator(Id, _ => Plan, new CoordinatorSettings(GoesOn: false, TimeSpan.FromSeconds(10)));
        Journal(1).ForEach(run.Replay);
        var begin = run.Step(new RunInput.Recovered(), Now, Chance).OfType<RunOutput.BeginTerm>().Single();
        run.Step(new RunInput.TermBegun(begin.Asking, 1), Now, Chance);
        Assert.Equal((Lifecycle.Waiting, "a request to start"), (run.Lifecycle, run.WaitsFor));
    }

    [Fact]
    public void A_coordinator_that_begins_with_a_snapshot_stands_where_one_stands_that_replays_the_journal()
    {
        foreach (var e in Journal(3))
            Coordinator.Replay(e);
        var restored = new RunCoordinator(Id, _ => Plan, new CoordinatorSettings(true, TimeSpan.FromSeconds(10)));
        restored.Restore(At(2));
        foreach (var e in Journal(3).Skip(Journal(2).Count))
            restored.Replay(e);
        Assert.Equal(Deep(Coordinator.Run), Deep(restored.Run));
        Assert.Equal(Coordinator.Plan, restored.Plan);
    }
}
