using Elastic.Foundation;
using Elastic.Messages;
using Elastic.Messages.Nodes;
using Elastic.Messages.Runs;
using Elastic.Testing;
using static Elastic.Testing.RunSamples;

namespace Elastic.Coordination.Tests;

// What a supervisor does when nodes and messages come and go. Whole runs are in RunSimulationTests.
public sealed class RunCoordinatorTests
{
    private readonly RunCoordinator _desk = new(Id, _ => Plan, TimeSpan.FromSeconds(10));
    private TimeSpan _now;

    [Fact]
    public void A_new_node_is_told_of_the_run_and_asked_what_it_has_before_it_gets_work()
    {
        Recover(Journal(1));
        Enlist(A);
        Assert.Equal(["OpenRun", "Survey"], Sent(A));
        Survey(A, At(1).Current());
        Assert.Equal(["RunReplica"], Sent(A));
    }

    [Fact]
    public void Work_that_a_node_has_in_hand_is_adopted_and_what_nobody_waits_for_is_dropped()
    {
        Recover(Journal(1));
        Enlist(A, devices: 2, works: [new(WorkKind.Replica, 1, 1), new(WorkKind.Replica, 0, 1)]);
        Survey(A, At(1).Current());
        var sent = _desk.TakeOutbox();
        Assert.Equal([new WorkKey(WorkKind.Replica, 0, 1)], sent.Select(o => o.Command).OfType<NodeCommand.DropWork>().Single().Works);
        Assert.Equal([0], sent.Select(o => o.Command).OfType<NodeCommand.RunReplica>().Select(r => r.Replica));
    }

    [Fact]
    public void Work_that_a_node_does_not_have_by_its_own_account_is_given_out_again_after_three_seconds()
    {
        Begin(1, A);
        Assert.Contains("RunReplica", Sent(A));
        After(2);
        Enlist(A);
        Assert.Empty(Sent(A));
        After(1.5);
        Enlist(A);
        Assert.Equal(["RunReplica"], Sent(A));
    }

    [Fact]
    public void Every_answer_is_acknowledged_though_it_came_before()
    {
        Begin(1, A);
        Sent(A);
        for (var i = 0; i < 2; i++)
        {
            Handle(Finish(A, Result(1, 0)));
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
        _desk.Tick();
        Assert.Null(_desk.TakeOwn());
        Survey(B, []);
        HandleOwn();
        Assert.Equal(2, _desk.Run.Round);
    }

    [Fact]
    public void To_begin_at_the_very_beginning_can_wait_much_longer()
    {
        Recover(Journal(3));
        Enlist(A);
        Survey(A, []);
        After(199);
        _desk.Tick();
        Assert.Null(_desk.TakeOwn());
        After(2);
        _desk.Tick();
        HandleOwn();
        Assert.Equal(0, _desk.Run.Round);
    }

    [Fact]
    public void What_one_node_has_whole_is_not_lost()
    {
        Recover(Journal(3));
        Enlist(A);
        Survey(A, [Version(3)]);
        Enlist(B);
        Survey(B, [D("inner 2 0"), D("inner 2 1")]);
        HandleOwn();
        Assert.Equal((3, true), (_desk.Run.Round, _desk.ClusterView.Surveyed));
    }

    [Fact]
    public void A_node_that_begins_anew_is_not_gone_in_between()
    {
        Begin(1, A, Results(1));
        Handle(Sums(A, 1, 0, 1));
        Enlist(B);
        Survey(B, [Version(1)]);
        Hold(A, 1);
        Assert.Null(_desk.TakeOwn());                                    // one of two
        Enlist(B, incarnation: "2");
        Assert.Null(_desk.TakeOwn());                                    // and not one of one
        _desk.Lose(B);
        Assert.IsType<RunCommand.CommitRound>(_desk.TakeOwn());
    }

    [Fact]
    public void A_version_of_sums_that_were_replaced_is_not_committed_however_many_hold_it()
    {
        Begin(1, A, Results(1));
        Handle(Sums(A, 1, 0, 1));
        _desk.Hold(new NodeReport.VersionHeld(A, Id, 1, D("a version of other contributions")));
        Assert.Null(_desk.TakeOwn());
        Assert.Contains("Assemble", Sent(A));                           // it is asked again
        Hold(A, 1);
        Assert.IsType<RunCommand.CommitRound>(_desk.TakeOwn());
    }

    [Fact]
    public void A_leaving_node_is_released_when_others_have_what_it_had_and_told_again_until_it_goes()
    {
        Begin(1, A);
        Enlist(B);
        Survey(B, []);
        Enlist(A, leaving: true);
        _desk.PutDown(new NodeReport.RunIdle(A, Id));
        Assert.DoesNotContain("Release", Sent(A));
        foreach (var (copy, set) in new[] { (0, Version(1)), (1, D("inner 0 0")), (5, D("inner 0 1")) })
            _desk.Hold(new NodeReport.SetHeld(B, Id, 1, copy, set));
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
        _desk.Lose(A);
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
        var given = _desk.TakeOutbox().First(o => o.Node == B && WorkKey.Of(o.Command) is not null).Command;
        _desk.TakeBack(new NodeReport.WorkFailed(B, given, "the disk is full", WorkFailure.Permanent));
        Enlist(A, leaving: true);
        _desk.PutDown(new NodeReport.RunIdle(A, Id));
        Assert.DoesNotContain("Release", Sent(A));
        _desk.Lose(B);
        Assert.Contains("Release", Sent(A));
    }

    [Fact]
    public void A_node_that_cannot_do_its_work_rests_while_others_can_and_is_tried_again()
    {
        Begin(1, A);
        Enlist(B);
        Survey(B, At(1).Current());
        var work = _desk.TakeOutbox().Select(o => o.Command).OfType<NodeCommand.RunReplica>().First();
        _desk.TakeBack(new NodeReport.WorkFailed(A, work, "the disk is full", WorkFailure.Permanent));
        Assert.Null(_desk.Failure);
        Assert.Contains("Exclude", Sent(A));
        Assert.Equal([B], _desk.ClusterView.Workers);
        After(31);
        _desk.Tick();
        Assert.Equal([A, B], _desk.ClusterView.Workers);
    }

    [Fact]
    public void A_node_that_fails_again_and_again_for_no_reason_rests_while_others_can_and_longer_each_time()
    {
        Begin(1, A);
        Enlist(B);
        Survey(B, At(1).Current());
        var work = _desk.TakeOutbox().Where(o => o.Node == A).Select(o => o.Command).OfType<NodeCommand.RunReplica>().First();
        FailOnA(work);
        Assert.Equal([A, B], _desk.ClusterView.Workers);
        foreach (var rest in new[] { 30, 60, 120 })
        {
            FailOnA(work);
            Assert.Null(_desk.Failure);
            Assert.Equal([B], _desk.ClusterView.Workers);
            After(rest - 1);
            _desk.Tick();
            Assert.Equal([B], _desk.ClusterView.Workers);
            After(2);
            _desk.Tick();
            Assert.Equal([A, B], _desk.ClusterView.Workers);
        }

        void FailOnA(NodeCommand.RunReplica failing)
        {
            var key = WorkKey.Of(failing)!.Value;
            Enlist(A, works: key);                                      // it has it in hand, by its own account
            var again = _desk.TakeBack(new NodeReport.WorkFailed(A, failing, "IOException: Input/output error", WorkFailure.Transient));
            _desk.GiveOutAgain(again!.Value.Work);
        }
    }

    [Fact]
    public void A_node_that_lost_the_word_to_open_a_run_is_told_again_at_once()
    {
        Begin(1, A);
        Sent(A);
        _desk.Unopened(new NodeReport.RunUnopened(A, Id, null));
        Assert.Contains("OpenRun", Sent(A));
        Assert.Equal([A], _desk.ClusterView.Workers);
        _desk.Unopened(new NodeReport.RunUnopened(A, Id, "its corpus cannot be had"));
        Assert.DoesNotContain("OpenRun", Sent(A));
        Assert.Empty(_desk.ClusterView.Workers);
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
        var work = _desk.TakeOutbox().Select(o => o.Command).OfType<NodeCommand.RunReplica>().First();
        _desk.TakeBack(new NodeReport.WorkFailed(A, work, "the disk is full", WorkFailure.Permanent));
        Assert.Equal("the disk is full", _desk.Failure);
        Sent(A);
        Enlist(A);
        Assert.Empty(Sent(A));

        Handle(RunSamples.Begin);
        Assert.Null(_desk.Failure);
        After(4);
        Enlist(A);
        Assert.Contains("RunReplica", Sent(A));
    }

    [Fact]
    public void A_paused_run_is_stopped_when_all_have_put_down_what_they_had_and_starts_where_it_was()
    {
        Begin(1, A);
        Sent(A);
        Handle(new RunRequest.Pause(VirtualRun.Name, VirtualRun.By(7)));
        Assert.Equal(["StopRun"], Sent(A));
        Assert.Equal(RunPhase.Computing, _desk.Phase);
        Handle(Stopped(A, HandOver(1, 0, 2)));
        _desk.PutDown(new NodeReport.RunIdle(A, Id));
        Assert.Equal(RunPhase.Stopped, _desk.Phase);
        Sent(A);

        Handle(RunSamples.Begin);
        Assert.Equal(HandOver(1, 0, 2), _desk.TakeOutbox().Select(o => o.Command).OfType<NodeCommand.RunReplica>().Single().HandOver);
    }

    [Fact]
    public void A_run_started_without_devices_takes_the_arithmetic_of_most_devices_and_the_others_only_store()
    {
        Recover(new RunEvent.RunStarted(Id, RunSamples.Begin.Settings, RunSamples.Elements, D("corpus"), 1000, 100, ""));
        Enlist(A, arithmetic: "cuda");
        HandleOwn();
        Assert.Equal("cuda", _desk.Run.Arithmetic);
        Enlist(B, devices: 4);
        Assert.Equal([A], _desk.ClusterView.Workers);
        Assert.Contains("Exclude", Sent(B));
        Assert.Equal([A, B], _desk.ClusterView.Staying);
    }

    [Fact]
    public void A_node_in_quarantine_is_told_once_and_is_no_part_of_the_fleet()
    {
        Recover([.. Journal(1), new RunEvent.NodeQuarantined(Id, B, "it lies")]);
        Enlist(B);
        Assert.Equal(["Exclude"], Sent(B));
        Enlist(B);
        Assert.Empty(Sent(B));
        Assert.Empty(_desk.ClusterView.Nodes);
    }

    private void Recover(params IEnumerable<RunEvent> journal)
    {
        foreach (var e in journal)
            _desk.Fold(e);
        _desk.Recovered(goOn: true);
    }

    // A run, and one node that has everything.
    private void Begin(int round, NodeId node, params IEnumerable<RunEvent> then)
    {
        Recover([.. Journal(round), .. then]);
        Enlist(node);
        Survey(node, _desk.Run.Current());
        HandleOwn();
    }

    private void After(double seconds) => _desk.At(_now += TimeSpan.FromSeconds(seconds));

    private void Enlist(NodeId node, int devices = 1, string incarnation = "1", string arithmetic = "1 cpu", bool leaving = false, params WorkKey[] works) =>
        _desk.Enlist(new NodeReport.Enlist(
            node, [.. Enumerable.Range(0, devices).Select(i => new DeviceId($"cpu:{i}"))], incarnation, "", false, "0.2", arithmetic,
            [.. works.Select(w => new RunWork(Id, w))], leaving));

    private void Survey(NodeId node, IEnumerable<Digest> intact)
    {
        _desk.Hold(new NodeReport.Surveyed(node, Id, [.. _desk.Run.References()], [.. intact], new Part(0, 1)));
        if (!_desk.ClusterView.Surveyed && _desk.Run.Current().All(s => !_desk.ClusterView.HoldersOf(s).IsEmpty))
            HandleOwn();
    }

    private void Hold(NodeId node, int round) => _desk.Hold(new NodeReport.VersionHeld(node, Id, round, VersionAfter(round)));

    private void Handle(RunCommand command)
    {
        var decision = _desk.Decide(command);
        Assert.Null(decision.Refusal);
        foreach (var e in decision.Events)
            _desk.Fold(e);
        _desk.Settle(command, decision);
    }

    private void HandleOwn()
    {
        while (_desk.TakeOwn() is { } own)
            Handle(own);
    }

    // The kinds of messages for a node since the last call.
    private List<string> Sent(NodeId node) => [.. _desk.TakeOutbox().Where(o => o.Node == node).Select(o => o.Command.GetType().Name)];
}
