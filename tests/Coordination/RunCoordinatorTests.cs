using Elastic.Foundation;
using Elastic.Messages;
using Elastic.Messages.Nodes;
using Elastic.Messages.Runs;
using Elastic.Messages.Work;
using Elastic.Simulation;
using Elastic.Testing;
using static Elastic.Testing.RunSamples;

namespace Elastic.Coordination.Tests;

// What a supervisor does when nodes and messages come and go. Whole runs are in tests/Simulation.
public sealed class RunCoordinatorTests
{
    private readonly RunCoordinator _run = new(Id, _ => Plan, new CoordinatorSettings(GoesOn: true, TimeSpan.FromSeconds(10)));
    private readonly List<RunOutput> _outputs = [];
    private readonly Dictionary<NodeId, NodeCommand.Survey> _surveys = [];
    private readonly Random _chance = new(1);
    private TimeSpan _now;

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
    public void A_version_is_given_up_only_when_all_have_answered_and_nobody_has_come_for_some_time()
    {
        Recover(Journal(3));
        Enlist(A);
        Survey(A, Checkpoint(2).InnerStates.Append(Version(2)));
        After(9);
        Enlist(B);                                                       // the version may be there
        After(11);
        Step(new RunInput.Tick());
        Assert.Equal(3, _run.Run.Round);
        Assert.Equal("nodes to say what they store: b:7000 (b)", _run.WaitsFor);
        Survey(B, []);
        Assert.Equal(2, _run.Run.Round);
    }

    [Fact]
    public void To_begin_at_the_very_beginning_can_wait_much_longer()
    {
        Recover(Journal(3));
        Enlist(A);
        Survey(A, []);
        After(199);
        Step(new RunInput.Tick());
        Assert.Equal((3, "nodes that may hold what is lacking"), (_run.Run.Round, _run.WaitsFor));
        After(2);
        Step(new RunInput.Tick());
        Assert.Equal(0, _run.Run.Round);
    }

    [Fact]
    public void What_one_node_has_whole_is_not_lost()
    {
        Recover(Journal(3));
        Enlist(A);
        Survey(A, [Version(3)]);
        Enlist(B);
        Survey(B, [D("inner 2 0"), D("inner 2 1")]);
        Assert.Equal((3, true), (_run.Run.Round, _run.View.Surveyed));
    }

    [Fact]
    public void After_a_rollback_nothing_is_given_out_before_the_fence_knows_of_it()
    {
        Recover(Journal(3));
        Enlist(A);
        _outputs.Clear();
        After(11);
        Survey(A, Checkpoint(2).InnerStates.Append(Version(2)));
        Assert.Equal((2, Lifecycle.Recovering), (_run.Run.Round, _run.Lifecycle));
        Assert.DoesNotContain(_outputs, o => o is RunOutput.Send { Message: WorkOrder });
        var begin = Assert.Single(_outputs.OfType<RunOutput.BeginTerm>());
        Step(new RunInput.TermBegun(begin.Asking, 2));
        Assert.Contains("compute", Sent(A));
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
    public void A_commit_is_stored_when_the_fence_has_let_it_pass_and_not_before()
    {
        Begin(1, A, Results(1));
        Step(new RunInput.Answered(Sums(A, 1, 0, 1)));
        Assembled(A, 1);
        var asked = Assert.Single(Fences());
        Assert.Equal((1, 1L), (_run.Run.Round, asked.Term));
        Step(new RunInput.Fenced(asked.Commit, Passed: true));
        Assert.Equal(2, _run.Run.Round);
        Assert.Contains(_outputs.OfType<RunOutput.Store>(), s => s.Events.Any(e => e is RunEvent.RoundCommitted { Round: 1 }));
    }

    [Fact]
    public void A_supervisor_whose_commit_the_fence_refuses_gives_up()
    {
        Begin(1, A, Results(1));
        Step(new RunInput.Answered(Sums(A, 1, 0, 1)));
        Assembled(A, 1);
        Step(new RunInput.Fenced(Assert.Single(Fences()).Commit, Passed: false));
        Assert.Equal("another supervisor has taken this run over", Assert.Single(_outputs.OfType<RunOutput.GiveUp>()).Why);
        Assert.Equal(1, _run.Run.Round);
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
    public void An_answer_of_another_job_or_of_a_node_that_is_not_there_is_dropped_and_said()
    {
        Begin(1, A);
        Step(new RunInput.Answered(Finish(A, Result(1, 0)) with { Job = new JobId("another-00000000") }));
        Step(new RunInput.Answered(Finish(B, Result(1, 0))));
        Step(new RunInput.Answered(Finish(A, Result(1, 0)) with { Key = new WorkKey("another kind", 1) }));
        Assert.Equal(
            ["it belongs to another-00000000", "the node is not enlisted: it says it again when it is", "there is no kind of work \"another kind\""],
            _outputs.OfType<RunOutput.Dropped>().Select(d => d.Why));
        Assert.Empty(_run.Run.Finished);
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
    public void A_leaving_node_waits_for_one_that_only_rests()
    {
        Begin(1, A);
        Enlist(B);
        Survey(B, []);
        Fail(Taken(B).OfType<WorkOrder>().First(), B, "the disk is full", WorkFailure.Permanent);
        Enlist(A, leaving: true);
        Step(new RunInput.Reported(new NodeReport.RunIdle(A, Id)));
        Assert.DoesNotContain("Release", Sent(A));
        Step(new RunInput.Lost(B));
        Assert.Contains("Release", Sent(A));
    }

    [Fact]
    public void A_node_that_cannot_do_its_work_rests_while_others_can_and_is_tried_again()
    {
        Begin(1, A);
        Enlist(B);
        Survey(B, At(1).Current());
        Fail(Taken(A).OfType<WorkOrder>().First(o => o.Content is Compute), A, "the disk is full", WorkFailure.Permanent);
        Assert.Null(_run.Failure);
        Assert.Contains("Exclude", Sent(A));
        Assert.Equal([B], _run.View.Workers);
        After(31);
        Step(new RunInput.Tick());
        Assert.Equal([A, B], _run.View.Workers);
    }

    [Fact]
    public void A_node_that_fails_again_and_again_for_no_reason_rests_while_others_can_and_longer_each_time()
    {
        Begin(1, A);
        Enlist(B);
        Survey(B, At(1).Current());
        var order = Taken(A).OfType<WorkOrder>().First(o => o.Content is Compute);
        FailOnA();
        Assert.Equal([A, B], _run.View.Workers);
        foreach (var rest in new[] { 30, 60, 120 })
        {
            FailOnA();
            Assert.Null(_run.Failure);
            Assert.Equal([B], _run.View.Workers);
            After(rest - 1);
            Step(new RunInput.Tick());
            Assert.Equal([B], _run.View.Workers);
            After(2);
            Step(new RunInput.Tick());
            Assert.Equal([A, B], _run.View.Workers);
        }

        void FailOnA()
        {
            After(10);                                                   // what failed before does not rest any more
            Step(new RunInput.Tick());
            Enlist(A, works: new HeldWork(Id.Job, order.Id, order.Key, order.From));     // it has it in hand, by its own account
            Fail(order, A, "IOException: Input/output error", WorkFailure.Transient);
        }
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
    public void A_node_that_lost_the_word_to_open_a_run_is_told_again_at_once()
    {
        Begin(1, A);
        Sent(A);
        Step(new RunInput.Reported(new NodeReport.RunUnopened(A, Id, null)));
        Assert.Contains("OpenRun", Sent(A));
        Assert.Equal([A], _run.View.Workers);
        Step(new RunInput.Reported(new NodeReport.RunUnopened(A, Id, "its corpus cannot be had")));
        Assert.DoesNotContain("OpenRun", Sent(A));
        Assert.Empty(_run.View.Workers);
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
        Assert.Equal(("the disk is full", Lifecycle.Failed), (_run.Failure, _run.Lifecycle));
        Sent(A);
        Enlist(A);
        Assert.Empty(Sent(A));

        Ask(VirtualRun.Begin(1));
        Assert.Null(_run.Failure);
        After(4);
        Enlist(A);
        Assert.Contains("compute", Sent(A));
    }

    [Fact]
    public void A_paused_run_is_stopped_when_all_have_put_down_what_they_had_and_starts_where_it_was()
    {
        Begin(1, A);
        Sent(A);
        Assert.IsType<RunReply.Accepted>(Ask(new RunRequest.Pause(VirtualRun.Name, VirtualRun.By(7))));
        Assert.Equal(["StopRun"], Sent(A));
        Assert.Equal((Lifecycle.Stopping, "nodes to hand over: a:7000 (a)"), (_run.Lifecycle, _run.WaitsFor));
        Step(new RunInput.Answered(Stopped(A, HandOver(1, 0, 2))));
        Step(new RunInput.Reported(new NodeReport.RunIdle(A, Id)));
        Assert.Equal((Lifecycle.Stopped, RunPhase.Stopped), (_run.Lifecycle, _run.Phase));
        Sent(A);

        Ask(VirtualRun.Begin(1));
        Assert.Equal(HandOver(1, 0, 2), Taken(A).OfType<WorkOrder>().Select(o => o.Content).OfType<Compute>().Single().HandOver);
    }

    [Fact]
    public void A_request_that_comes_twice_changes_nothing_the_second_time()
    {
        Begin(1, A);
        Ask(new RunRequest.Pause(VirtualRun.Name, VirtualRun.By(7)));
        Ask(VirtualRun.Begin(8));
        Assert.IsType<RunReply.Accepted>(Ask(new RunRequest.Pause(VirtualRun.Name, VirtualRun.By(7))));      // the one from before, delayed
        Assert.False(_run.Run.IsPaused);
    }

    [Fact]
    public void A_run_that_nobody_has_asked_to_go_on_waits_for_somebody()
    {
        var run = new RunCoordinator(Id, _ => Plan, new CoordinatorSettings(GoesOn: false, TimeSpan.FromSeconds(10)));
        Journal(1).ForEach(run.Replay);
        var begin = run.Step(new RunInput.Recovered(), _now, _chance).OfType<RunOutput.BeginTerm>().Single();
        run.Step(new RunInput.TermBegun(begin.Asking, 1), _now, _chance);
        Assert.Equal((Lifecycle.Waiting, "somebody to start it"), (run.Lifecycle, run.WaitsFor));
    }

    [Fact]
    public void A_run_started_without_devices_takes_the_arithmetic_of_most_devices_and_the_others_only_store()
    {
        Recover(new RunEvent.RunStarted(Id, VirtualRun.Name, RunSamples.Begin.Settings, Elements, D("corpus"), 1000, 100, "", VirtualRun.By(0)));
        Enlist(A, arithmetic: "cuda");
        Assert.Equal("cuda", _run.Run.Arithmetic);
        Enlist(B, devices: 4);
        Assert.Equal([A], _run.View.Workers);
        Assert.Contains("Exclude", Sent(B));
        Assert.Equal([A, B], _run.View.Staying);
    }

    [Fact]
    public void A_node_in_quarantine_is_told_once_and_is_no_part_of_the_view()
    {
        Recover([.. Journal(1), new RunEvent.NodeQuarantined(Id, B, "it lies")]);
        Enlist(B);
        Assert.Equal(["Exclude"], Sent(B));
        Enlist(B);
        Assert.Empty(Sent(B));
        Assert.Empty(_run.View.Nodes);
    }

    [Fact]
    public void A_coordinator_that_begins_with_a_snapshot_stands_where_one_stands_that_replays_the_journal()
    {
        foreach (var e in Journal(3))
            _run.Replay(e);
        var restored = new RunCoordinator(Id, _ => Plan, new CoordinatorSettings(true, TimeSpan.FromSeconds(10)));
        restored.Restore(At(2));
        foreach (var e in Journal(3).Skip(Journal(2).Count))
            restored.Replay(e);
        Assert.Equal(Deep(_run.Run), Deep(restored.Run));
        Assert.Equal(_run.Plan, restored.Plan);
    }

    private static HeldWork Held(WorkKey key, int round) => new(Id.Job, new OrderId(1, 1), key, Version(round));

    private void Recover(params IEnumerable<RunEvent> journal)
    {
        foreach (var e in journal)
            _run.Replay(e);
        Step(new RunInput.Recovered());
        Step(new RunInput.TermBegun(_outputs.OfType<RunOutput.BeginTerm>().Last().Asking, 1));
    }

    // A run, and one node that has everything.
    private void Begin(int round, NodeId node, params IEnumerable<RunEvent> then)
    {
        Recover([.. Journal(round), .. then]);
        Enlist(node);
        Survey(node, _run.Run.Current());
    }

    private void Step(RunInput input)
    {
        var outputs = _run.Step(input, _now, _chance);
        _outputs.AddRange(outputs);
        foreach (var sent in outputs.OfType<RunOutput.Send>())
            if (sent.Message is NodeCommand.Survey survey)
                _surveys[sent.Node] = survey;
    }

    private void After(double seconds) => _now += TimeSpan.FromSeconds(seconds);

    private void Enlist(NodeId node, int devices = 1, string incarnation = "1", string arithmetic = "1 cpu", bool leaving = false, params HeldWork[] works) =>
        Step(new RunInput.Reported(new NodeReport.Enlist(node)
        {
            Devices = [.. Enumerable.Range(0, devices).Select(i => new DeviceId($"cpu:{i}"))],
            Incarnation = incarnation,
            Address = $"{node}:7000",
            Endpoint = $"{node}:7001",
            Seed = false,
            Version = "0.2",
            Arithmetic = arithmetic,
            Works = works,
            Leaving = leaving,
        }));

    // The node answers the newest survey that it was asked for.
    private void Survey(NodeId node, IEnumerable<Digest> intact)
    {
        var whole = intact.ToHashSet();
        var asked = _surveys[node];
        Step(new RunInput.Reported(new NodeReport.Surveyed(node, Id, asked.Number, asked.Sets, [.. asked.Sets.Where(whole.Contains)], asked.Part)));
    }

    private void Assembled(NodeId node, int round) => Step(new RunInput.Answered(Answer(node, AssembleWork.KeyOf(round), new Assembled(round, VersionAfter(round)))));

    private void Fail(WorkOrder order, NodeId node, string why, WorkFailure kind) =>
        Step(new RunInput.Answered(new WorkResult(order.Job, node, order.Id, order.Key, order.From, new WorkFailed(why, kind))));

    private RunReply Ask(RunRequest request)
    {
        Step(new RunInput.Asked(request, this));
        var reply = _outputs.OfType<RunOutput.Reply>().Last();
        Assert.Same(this, reply.Asker);
        return reply.Answer;
    }

    private List<RunOutput.AskFence> Fences() => [.. _outputs.OfType<RunOutput.AskFence>()];

    // What a node was sent since the last call.
    private List<IWireMessage> Taken(NodeId node)
    {
        var sent = _outputs.OfType<RunOutput.Send>().Where(s => s.Node == node).ToList();
        _outputs.RemoveAll(o => sent.Contains(o));
        return [.. sent.Select(s => s.Message)];
    }

    // Of an order its kind, of a command its name.
    private List<string> Sent(NodeId node) => [.. Taken(node).Select(m => m is WorkOrder o ? o.Key.Kind : m.GetType().Name)];
}
