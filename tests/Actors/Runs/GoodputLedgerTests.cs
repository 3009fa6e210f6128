using System.Collections.Immutable;
using Elastic.Actors.Runs;
using Elastic.Coordination;
using Elastic.Foundation;
using Elastic.Messages;
using Elastic.Messages.Observations;
using Elastic.Messages.Runs;

namespace Elastic.Actors.Tests.Runs;

public sealed class GoodputLedgerTests
{
    private static readonly RunId Run = new("tiny");
    private static readonly NodeId A = new("a"), B = new("b");
    private readonly GoodputLedger _ledger = new(Run);

    [Fact]
    public void A_round_without_trouble_has_a_goodput_of_one()
    {
        Look(0, (0, A, 0), (1, B, 0));
        Computed(0, A);
        Look(10, (1, B, 0));
        Computed(1, B);
        Look(12);
        Assert.Equal(new Goodput(Run, 4, 22, 22), Committed());
    }

    [Fact]
    public void What_a_lost_node_a_second_runner_and_an_audit_spent_does_not_count()
    {
        Look(0, (0, A, 0), (1, B, 0));
        Look(4, (0, A, 0));                                            // B is lost
        Look(5, (0, A, 0), (1, A, 5));
        Computed(0, A);
        Look(10, (1, A, 5), (0, B, 10));                               // B is back, and audits
        Computed(0, B);
        Look(18, (1, A, 5));
        Computed(1, A);
        Look(20);
        Assert.Equal(new Goodput(Run, 4, 10 + 15, 10 + 4 + 8 + 15), Committed());
        Assert.Equal(new Goodput(Run, 4, 0, 0), Committed());          // nothing is left for the next round
    }

    [Fact]
    public void The_part_before_a_hand_over_counts()
    {
        Look(0, (0, A, 0));
        _ledger.Stored(new RunEvent.ReplicaHandedOver(Run, new ReplicaHandOver(4, 0, 3, Digest.Of("s"u8), 1, Digest.Of("x"u8))));
        Look(6);
        Look(6, (0, B, 6));
        Computed(0, B);
        Look(10);
        Assert.Equal(new Goodput(Run, 4, 10, 10), Committed());
    }

    [Fact]
    public void A_result_that_was_lost_does_not_count_and_the_one_that_comes_instead_does()
    {
        Look(0, (0, A, 0), (1, B, 0));
        Computed(0, A);
        Computed(1, B);
        Look(10);
        Assert.Null(_ledger.Stored(new RunEvent.WorkLost(Run, 4, [1], false, "its node is gone")));
        Look(12, (1, A, 12));
        Computed(1, A);
        Look(19);
        Assert.Equal(new Goodput(Run, 4, 10 + 7, 20 + 7), Committed());
    }

    [Fact]
    public void After_a_step_back_nothing_that_was_computed_before_it_counts()
    {
        Look(0, (0, A, 0), (1, B, 0));
        Computed(0, A);
        Look(10, (1, B, 0));
        _ledger.Stored(new RunEvent.ReplicaHandedOver(Run, new ReplicaHandOver(4, 1, 3, Digest.Of("s"u8), 1, Digest.Of("x"u8))));
        Assert.Null(_ledger.Stored(new RunEvent.RolledBack(Run, null, "damaged")));
        Look(10);
        Look(10, (0, A, 10), (1, B, 10));
        Computed(0, A);
        Computed(1, B);
        Look(15);
        Assert.Equal(new Goodput(Run, 4, 5 + 5, 20 + 10), Committed());
    }

    [Fact]
    public void Lost_work_is_recovered_with_the_first_step_after_it()
    {
        Assert.Null(_ledger.Step(A, 4, 1, Seconds(1)));
        _ledger.Lost(1, Seconds(2));
        _ledger.Lost(1, Seconds(3));                                   // lost again before it took a step
        Assert.Null(_ledger.Step(A, 4, 0, Seconds(4)));
        Assert.Equal(new WorkRecovered(Run, B, 4, 1, 3), _ledger.Step(B, 4, 1, Seconds(5)));
        Assert.Null(_ledger.Step(B, 4, 1, Seconds(6)));
    }

    private static TimeSpan Seconds(double seconds) => TimeSpan.FromSeconds(seconds);

    private void Look(double now, params (int Replica, NodeId Node, double Since)[] inFlight) => _ledger.Look(
        inFlight.ToImmutableDictionary(w => new InFlightWork(ComputeWork.KeyOf(4, w.Replica), w.Node), w => Seconds(w.Since)),
        Seconds(now));

    private void Computed(int replica, NodeId node) => Assert.Null(_ledger.Stored(new RunEvent.ReplicaComputed(
        Run, new ReplicaResult(4, replica, Digest.Of("c"u8), Digest.Of("i"u8), 64, 1, Digest.Of("s"u8)), node)));

    private Goodput? Committed() => _ledger.Stored(new RunEvent.RoundCommitted(
        Run, 4, Digest.Of("v"u8), Digest.Of("f"u8), 4096, Digest.Of("h"u8)));
}
