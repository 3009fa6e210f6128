using Elastic.Messages;
using Elastic.Messages.Runs;
using Elastic.Messages.Work;
using static Elastic.Testing.RunSamples;

namespace Elastic.Coordination.Tests;

// Sums and version 0 count only once two nodes have come to the same bytes, where audits are on.
public sealed class OutcomeAuditTests : RunCoordinatorScene
{
    public OutcomeAuditTests() => ItsPlan = Plan with { AuditRate = 1 };

    [Fact]
    public void Version_0_counts_when_two_nodes_have_made_the_same()
    {
        BeginWith(3, Journal(0).TakeWhile(e => e is not RunEvent.RunInitialized));
        Assert.Equal(2, Asked(InitializeWork.Key).Count);
        Step(new RunInput.Answered(Made(A, Version(0), D("fingerprint 0"))));
        Assert.Null(Coordinator.Run.Version);
        Step(new RunInput.Answered(Made(A, Version(0), D("fingerprint 0"))));      // the same node again
        Assert.Null(Coordinator.Run.Version);
        Step(new RunInput.Answered(Made(B, Version(0), D("fingerprint 0"))));
        Assert.Equal(Version(0), Coordinator.Run.Version);
    }

    [Fact]
    public void Sums_that_differ_are_settled_by_a_third_node_and_the_one_that_was_outvoted_is_convicted()
    {
        BeginWith(3, [.. Journal(1), .. Confirmed()]);
        Assert.Equal(2, Asked(AverageWork.KeyOf(1, 0)).Count);
        var wrong = Chunk(1, 0) with { Parameters = D("wrong") };
        Step(new RunInput.Answered(Sums(A, 1, Inputs(1), [wrong, Chunk(1, 1)])));
        Step(new RunInput.Answered(Sums(B, 1, 0, 1)));
        Assert.Empty(Coordinator.Run.Averaged);
        Assert.Contains(C, Asked(AverageWork.KeyOf(1, 0)));
        Step(new RunInput.Answered(Sums(C, 1, 0, 1)));
        Assert.Equal([A.Value], Coordinator.Run.Quarantined.Keys);
        Assert.Contains("a computed the average of round 1", Coordinator.Run.Quarantined[A.Value], StringComparison.Ordinal);
        Assert.Equal([Chunk(1, 0), Chunk(1, 1)], Coordinator.Run.Averaged.Values);
    }

    [Fact]
    public void Where_no_second_node_comes_the_audit_is_dropped()
    {
        BeginWith(1, [.. Journal(1), .. Confirmed()]);
        Step(new RunInput.Answered(Sums(A, 1, 0, 1)));
        Assert.Empty(Coordinator.Run.Averaged);
        After(9);                                                        // after a failover another node may be about to enlist
        Step(new RunInput.Tick());
        Assert.Empty(Coordinator.Run.Averaged);
        After(2);
        Step(new RunInput.Tick());
        Assert.Equal(2, Coordinator.Run.Averaged.Count);
    }

    [Fact]
    public void A_share_of_the_sums_is_audited_and_always_the_same_one()
    {
        var plan = Plan with { AuditRate = 0.25 };
        var audited = Enumerable.Range(0, 4000).Count(i => plan.AuditsSums(D("secret"), i / 10, 2 * (i % 10)));
        Assert.InRange(audited, 800, 1200);
        Assert.DoesNotContain(true, Enumerable.Range(0, 100).Select(i => Plan.AuditsSums(D("secret"), i, 0)));
        Assert.All(Enumerable.Range(0, 100), i => Assert.True((Plan with { AuditRate = 1 }).Audits(D("secret"), i, 0)));
        Assert.NotEqual(
            Enumerable.Range(0, 100).Select(i => plan.Audits(D("secret"), i, 0)),
            Enumerable.Range(0, 100).Select(i => plan.Audits(D("another secret"), i, 0)));
    }

    [Fact]
    public void Each_round_gets_a_secret_of_its_own_that_decides_its_audits_and_that_the_journal_keeps()
    {
        BeginWith(3, Journal(0).TakeWhile(e => e is not RunEvent.RunInitialized));
        Step(new RunInput.Answered(Made(A, Version(0), D("fingerprint 0"))));
        Step(new RunInput.Answered(Made(B, Version(0), D("fingerprint 0"))));
        var first = Coordinator.Run.AuditSecret;
        Assert.NotNull(first);
        Assert.Equal(first, Stored<RunEvent.RunInitialized>().Single().AuditSecret);

        foreach (var e in Confirmed(0))
            Step(new RunInput.Answered(Finish(e.Node, e.Result)));
        foreach (var node in (NodeId[])[A, B])
            Step(new RunInput.Answered(Sums(node, 0, 0, 1)));
        Score(A, 5);
        Score(B, 5);
        foreach (var node in (NodeId[])[A, B, C])
        {
            Step(new RunInput.Answered(Answer(node, CopyWork.KeyOf(0, 0), new Copied(Result(0, 0).InnerState))));
            Step(new RunInput.Answered(Answer(node, CopyWork.KeyOf(0, 1), new Copied(Result(0, 1).InnerState))));
            Assembled(node, 0);
        }

        Step(new RunInput.Fenced(Fences().Last().Commit, true));
        Assert.Equal(1, Coordinator.Run.Round);
        Assert.NotEqual(first, Coordinator.Run.AuditSecret);
        Assert.Equal(Coordinator.Run.AuditSecret, Stored<RunEvent.RoundCommitted>().Single().AuditSecret);
    }

    [Fact]
    public void A_score_that_differs_is_settled_by_a_third_node()
    {
        BeginWith(3, Journal(2).Where(e => e is not RunEvent.VersionEvaluated { Score.Version: 2 }));
        Assert.Equal(2, Asked(EvaluateWork.KeyOf(2)).Count);
        Score(A, 1, 2);
        Assert.NotEqual(2, Coordinator.Run.Score?.Version);
        Score(B, 5, 2);
        Score(C, 5, 2);
        Assert.Equal(new VersionScore(2, 5, 5), Coordinator.Run.Score);
        Assert.Equal([A.Value], Coordinator.Run.Quarantined.Keys);
    }

    private void Score(NodeId node, double loss, int version = 0) => Step(new RunInput.Answered(
        Answer(node, EvaluateWork.KeyOf(version), new Evaluated(new VersionScore(version, loss, loss)))));

    private IEnumerable<T> Stored<T>() => Outputs.OfType<RunOutput.Store>().SelectMany(s => s.Events).OfType<T>();

    // Nodes that have everything, up to so many of them.
    private void BeginWith(int nodes, IEnumerable<RunEvent> journal)
    {
        Recover(journal);
        foreach (var node in ((NodeId[])[A, B, C]).Take(nodes))
        {
            Enlist(node);
            if (Coordinator.Run.Version is not null)
                Survey(node, Coordinator.Run.Current());
        }
    }

    // The results of round 1, each by two nodes.
    private static IEnumerable<RunEvent> Confirmed() => Confirmed(1).Select((e, i) =>
        i % 2 == 0 ? (RunEvent)e : new RunEvent.ReplicaConfirmed(Id, e.Result, e.Node));

    private static IEnumerable<RunEvent.ReplicaComputed> Confirmed(int round) => Results(round).OfType<RunEvent.ReplicaComputed>()
        .SelectMany(e => (RunEvent.ReplicaComputed[])[e, e with { Node = e.Node == A ? B : A }]);

    private List<NodeId> Asked(WorkKey key) =>
        [.. Outputs.OfType<RunOutput.Send>().Where(s => s.Message is WorkOrder o && o.Key == key).Select(s => s.Node).Distinct()];
}
