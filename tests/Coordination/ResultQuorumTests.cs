using Elastic.Messages;
using Elastic.Messages.Runs;
using Elastic.Messages.Work;
using static Elastic.Messages.Runs.RunEvent;
using static Elastic.Testing.RunSamples;

namespace Elastic.Coordination.Tests;

// Who is believed when the same work gives different bytes.
public sealed class ResultQuorumTests
{
    private static readonly RunState First = Fold(Computing, new ReplicaComputed(Id, Result(0, 0), A));
    private static readonly RunState Contested = Vote(First, B, "x");

    [Fact]
    public void The_first_result_counts_and_the_same_bytes_from_another_node_confirm_it()
    {
        Assert.Equal([new ReplicaConfirmed(Id, Result(0, 0), B)], Events(First, B));
        var confirmed = Vote(First, B);
        Assert.Equal(Result(0, 0), confirmed.QuorumOf(0).Winner);
        Assert.Equal(Result(0, 0), confirmed.Finished[0]);
    }

    [Fact]
    public void A_contribution_that_arrives_twice_with_other_bytes_is_disputed_not_averaged()
    {
        Assert.Equal([new ReplicaContested(Id, Result(0, 0), Result(0, 0, "x"), B)], Events(First, B, "x"));
        Assert.True(Contested.QuorumOf(0).IsDisputed);
        Assert.Equal(Result(0, 0), Contested.Finished[0]);

        var both = Fold(Contested, new ReplicaComputed(Id, Result(0, 1), C));
        Assert.Equal(RunPhase.Computing, both.Phase(Plan));
        Assert.Equal("a replica's result is disputed: nothing can be averaged yet", Decide(both, Sums(A, 0, 0), Plan).Refusal);
        Assert.Equal("a replica's result is disputed", Decide(WithChunks(both), Commit(0), Plan).Refusal);
    }

    [Fact]
    public void What_two_of_three_agree_on_counts_and_the_third_is_quarantined()
    {
        var events = Events(Contested, C, "x");
        Assert.Equal(new ReplicaSettled(Id, Result(0, 0, "x"), C), events[0]);
        Assert.Equal(A, Assert.IsType<NodeQuarantined>(events[1]).Node);
        Assert.Equal(2, events.Count);

        var settled = Vote(Contested, C, "x");
        Assert.Equal((Result(0, 0, "x"), false), (settled.Finished[0], settled.QuorumOf(0).IsDisputed));
        Assert.True(settled.IsQuarantined(A));
        Assert.Equal(B, Assert.IsType<NodeQuarantined>(Events(Contested, C)[1]).Node);
    }

    [Fact]
    public void Three_different_results_wait_for_a_fourth_that_agrees_with_one()
    {
        var three = Vote(Contested, C, "y");
        Assert.True(three.QuorumOf(0).IsDisputed);
        var events = Events(three, new NodeId("d"), "y");
        Assert.Equal(Result(0, 0, "y"), Assert.IsType<ReplicaSettled>(events[0]).Result);
        Assert.Equal([A, B], events.OfType<NodeQuarantined>().Select(q => q.Node));
    }

    [Fact]
    public void Who_contradicts_what_two_agreed_on_is_quarantined_at_once()
    {
        var events = Events(Vote(First, B), C, "x");
        Assert.IsType<ReplicaContested>(events[0]);
        Assert.Equal(C, Assert.IsType<NodeQuarantined>(events[1]).Node);
        Assert.Equal(Result(0, 0), Fold(Vote(First, B), [.. events]).Finished[0]);
    }

    [Fact]
    public void Who_gives_two_answers_is_quarantined_and_neither_counts()
    {
        var events = Events(First, A, "x");
        Assert.Equal(A, Assert.IsType<NodeQuarantined>(events[1]).Node);
        Assert.Equal([0], Assert.IsType<WorkLost>(events[2]).Replicas);
        var run = Fold(First, [.. events]);
        Assert.Empty(run.Finished);
        Assert.Equal(Result(0, 0, "y"), Vote(run, B, "y").Finished[0]);
    }

    [Fact]
    public void Who_repeats_another_node_s_answer_after_one_of_its_own_settles_nothing()
    {
        var run = Fold(Contested, [.. Events(Contested, A, "x")]);          // a answered otherwise first, and its first answer was stored
        Assert.True(run.IsQuarantined(A));
        Assert.False(run.IsQuarantined(B));
        Assert.Empty(run.Finished);                                        // neither a's first answer nor what a says now
        Assert.Equal(Result(0, 0, "x"), Vote(run, B, "x").Finished[0]);
    }

    [Fact]
    public void What_two_nodes_agreed_on_stays_when_one_of_them_contradicts_itself_later()
    {
        var confirmed = Vote(First, B);
        var run = Fold(confirmed, [.. Events(confirmed, A, "x")]);
        Assert.True(run.IsQuarantined(A));
        Assert.Equal(Result(0, 0), run.Finished[0]);
    }

    [Fact]
    public void What_else_a_quarantined_node_did_in_the_round_and_nobody_confirmed_is_not_believed()
    {
        var run = Vote(Fold(First, new ReplicaComputed(Id, Result(0, 1), A)), B, "x");
        var lost = Assert.IsType<WorkLost>(Events(run, C, "x")[2]);
        Assert.Equal([1], lost.Replicas);
        Assert.False(lost.Chunks);

        var confirmed = Fold(run, new ReplicaConfirmed(Id, Result(0, 1), B));
        Assert.Equal(2, Events(confirmed, C, "x").Count);
    }

    [Fact]
    public void What_was_averaged_from_a_wrong_contribution_is_lost()
    {
        var run = Vote(WithChunks(Fold(First, new ReplicaComputed(Id, Result(0, 1), B))), B, "x");
        var after = Fold(run, [.. Events(run, C, "x")]);
        Assert.Empty(after.Averaged);
        Assert.Equal([0, 1], after.Finished.Keys);                        // b's other result stays: a is the one that lied
        Assert.Equal(Result(0, 0, "x"), after.Finished[0]);
    }

    [Fact]
    public void Nobody_is_convicted_beside_a_result_of_several_nodes_also_when_one_node_computes_a_replica_since()
    {
        // One of a and its neighbour handed over wrong bytes; run.stages is 1 by now.
        var first = Fold(Computing, [.. Decide(Computing, OfTwo(A, "x"), Plan).Events]);
        Assert.Equal(1, Assert.Single(first.QuorumOf(0).Votes).Others);
        var contested = Vote(first, B);
        Assert.True(contested.QuorumOf(0).IsDisputed);
        Assert.Equal([new ReplicaSettled(Id, Result(0, 0), C)], Events(contested, C));
        Assert.Equal([new ReplicaContested(Id, Result(0, 0, "x"), Result(0, 0), A)], Events(first, A));

        // Late: two agreed already.
        var confirmed = Vote(First, B);
        Assert.Equal([new ReplicaContested(Id, Result(0, 0), Result(0, 0, "x"), C, Others: 1)],
            Decide(confirmed, OfTwo(C, "x"), Plan).Events);
        Assert.StartsWith("replica 0 cannot have been computed with -1 other nodes",
            Decide(First, Finish(B, Result(0, 0)) with { Outcome = new Computed(Result(0, 0), Others: -1) }, Plan).Refusal,
            StringComparison.Ordinal);
    }

    [Fact]
    public void A_third_answer_of_a_node_that_nobody_convicts_is_refused()
    {
        // That a neighbour computed it, too, the node says itself.
        var run = Fold(First, [.. Decide(First, OfTwo(A, "x"), Plan).Events]);
        Assert.Equal("a has given two answers for replica 0 already", Decide(run, OfTwo(A, "y"), Plan).Refusal);
        Assert.Equal("a has given two answers for replica 0 already", Decide(run, Finish(A, Result(0, 0, "y")), Plan).Refusal);
        Assert.Empty(Decide(run, OfTwo(A, "x"), Plan).Events);
        Assert.Equal(Result(0, 0, "x"), Vote(run, B, "x").QuorumOf(0).Winner);

        // As it says what it went on from. Where it took all steps itself, it is convicted all the same.
        run = Fold(First, [.. Decide(First, Resumed(A, Result(0, 0, "x")), Plan).Events]);
        Assert.Equal("a has given two answers for replica 0 already", Decide(run, Resumed(A, Result(0, 0, "y")), Plan).Refusal);
        Assert.Equal(A, Assert.IsType<NodeQuarantined>(Events(run, A, "y")[1]).Node);
    }

    [Fact]
    public void Two_results_that_follow_from_one_hand_over_confirm_nothing()
    {
        var resumed = Fold(Computing, new ReplicaComputed(Id, Result(0, 0), A, D("handed over")));
        var both = Fold(resumed, [.. Decide(resumed, Resumed(B, Result(0, 0)), Plan).Events]);
        Assert.Equal((null, false), (both.QuorumOf(0).Winner, both.QuorumOf(0).IsDisputed));
        Assert.Equal(Result(0, 0), Vote(both, C).QuorumOf(0).Winner);
    }

    [Fact]
    public void Who_went_on_from_a_hand_over_is_outvoted_and_not_convicted()
    {
        var resumed = Fold(Computing, new ReplicaComputed(Id, Result(0, 0, "of a bad state"), A, D("handed over")));
        var contested = Vote(resumed, B);
        Assert.True(contested.QuorumOf(0).IsDisputed);
        Assert.Equal([new ReplicaSettled(Id, Result(0, 0), C)], Events(contested, C));

        // Nor does a second result that follows from the hand-over win against the one that does not.
        var second = Decide(contested, Resumed(C, Result(0, 0, "of a bad state")), Plan);
        Assert.Equal([new ReplicaConfirmed(Id, Result(0, 0, "of a bad state"), C, D("handed over"))], second.Events);
        Assert.True(Fold(contested, [.. second.Events]).QuorumOf(0).IsDisputed);
    }

    [Fact]
    public void What_was_handed_over_in_a_round_and_what_went_on_from_it_count_no_more_once_a_node_is_convicted()
    {
        // Node a's it may be: the journal does not say.
        var of1 = new ReplicaHandOver(0, 1, 1, D("handed over"), 3, D("samples"));
        var before = Fold(First, new ReplicaHandedOver(Id, of1));
        var resumed = Fold(First, new ReplicaComputed(Id, Result(0, 1), B, of1.State));
        foreach (var run in new[] { before, resumed })
            Assert.Equal([0, 1], Assert.IsType<WorkLost>(Events(run, A, "x")[2]).Replicas);
        var confirmed = Fold(resumed, new ReplicaConfirmed(Id, Result(0, 1), C));
        Assert.Equal([0], Assert.IsType<WorkLost>(Events(confirmed, A, "x")[2]).Replicas);

        // What was under way meanwhile: a result, and a hand-over of its own.
        var late = Resumed(B, Result(0, 1));
        var further = Stopped(B, of1 with { Step = 2, State = D("further") });
        var itsOwn = further with { Outcome = new HandedOver(of1 with { Step = 2, State = D("further") }, of1.State) };
        Assert.Single(Decide(before, late, Plan).Events);
        Assert.Single(Decide(before, itsOwn, Plan).Events);
        var after = Fold(before, [.. Events(before, A, "x")]);
        Assert.Empty(after.HandedOver);
        foreach (var doubtful in new[] { late, itsOwn })
            Assert.Equal("replica 1 went on from a hand-over that does not count any more", Decide(after, doubtful, Plan).Refusal);

        // Steps that a node takes from the beginning, and what follows from them.
        after = Carry(after, Stopped(B, of1));
        Assert.Equal([new ReplicaComputed(Id, Result(0, 1), C, of1.State)], Decide(after, Resumed(C, Result(0, 1)), Plan).Events);
    }

    [Fact]
    public void An_audit_and_a_dispute_take_all_steps_again()
    {
        var handOver = new ReplicaHandOver(0, 0, 1, D("handed over"), 3, D("samples"));
        var run = Fold(Computing, new ReplicaHandedOver(Id, handOver));
        var audited = Plan with { AuditRate = 1 };
        var view = ClusterView.Empty;
        Assert.False(Computations.FromScratch(run, view, audited, 0));
        var key = ComputeWork.KeyOf(0, 0);
        Assert.True(Computations.FromScratch(run, view.Give(key, A, TimeSpan.Zero), audited, 0));
        Assert.False(Computations.FromScratch(run, view.Give(key, A, TimeSpan.Zero), Plan, 0));   // a straggler's second runner
        Assert.True(Computations.FromScratch(Contested, view, Plan, 0));
    }

    [Fact]
    public void The_second_computation_of_an_audited_replica_does_not_go_on_from_the_hand_over_of_the_first()
    {
        var run = Fold(Computing, new ReplicaHandedOver(Id, new ReplicaHandOver(0, 0, 1, D("handed over"), 3, D("samples"))));
        DeviceId[] devices = [.. Enumerable.Range(0, 4).Select(i => new DeviceId($"cpu:{i}"))];
        var view = ClusterView.Empty.Enlist(A, devices).Enlist(B, devices).Hold(A, [.. run.Current()]).Hold(B, [.. run.Current()]) with
        { Surveyed = true };
        var (plan, orders) = (Plan with { AuditRate = 1 }, new List<Compute>());
        for (var i = 0; i < 2; i++)
        {
            var given = Scheduler.Next(run, view, plan, default);
            orders.AddRange(given.Given.Select(g => g.Content).OfType<Compute>().Where(c => c.Replica == 0));
            view = given.View;
        }

        Assert.Equal([D("handed over"), null], orders.Select(o => o.HandOver?.State));
    }

    [Fact]
    public void A_node_in_quarantine_is_refused()
    {
        var run = Vote(Contested, C, "x");
        Assert.StartsWith(
            "a is in quarantine: a computed replica 0 of round 0 to other bytes",
            Decide(run, Finish(A, Result(0, 1)), Plan).Refusal, StringComparison.Ordinal);
        Assert.StartsWith("a is in quarantine", Decide(WithResults(run), Sums(A, 0, 0), Plan).Refusal);
    }

    private static IReadOnlyList<RunEvent> Events(RunState run, NodeId node, string bytes = "")
    {
        var decision = Decide(run, Finish(node, Result(0, 0, bytes)), Plan);
        Assert.Null(decision.Refusal);
        return decision.Events;
    }

    private static WorkResult OfTwo(NodeId node, string bytes) =>
        Finish(node, Result(0, 0, bytes)) with { Outcome = new Computed(Result(0, 0, bytes), Others: 1) };

    private static WorkResult Resumed(NodeId node, ReplicaResult result) =>
        Finish(node, result) with { Outcome = new Computed(result, D("handed over")) };

    // The vote, which repeated must change nothing.
    private static RunState Vote(RunState run, NodeId node, string bytes = "")
    {
        var after = Fold(run, [.. Events(run, node, bytes)]);
        Assert.Empty(Events(after, node, bytes));
        return after;
    }
}
