using Elastic.Messages.Nodes;
using Elastic.Messages.Runs;
using Elastic.Messages.Work;
using static Elastic.Testing.RunSamples;

namespace Elastic.Coordination.Tests;

/// <summary>Nodes that could not do their work get none for a while.</summary>
public sealed class RestingNodeTests : RunCoordinatorScene
{
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
        Assert.Null(Coordinator.Failure);
        Assert.Contains("Exclude", Sent(A));
        Assert.Equal([B], Coordinator.View.Workers);
        Assert.Contains(Outputs.OfType<RunOutput.Notice>(), n => n.Text == $"{A}:7000 ({A}) rests: the disk is full");
        After(10);
        Step(new RunInput.Tick());
        var resting = Coordinator.Show();
        Assert.Equal([new RestingNode(A, $"{A}:7000", "the disk is full", 20)], resting.Resting);
        Assert.Equal((2, 1), (resting.Nodes, resting.Devices));
        After(21);
        Step(new RunInput.Tick());
        Assert.Equal([A, B], Coordinator.View.Workers);
        Assert.Equal((0, 2), (Coordinator.Show().Resting.Length, Coordinator.Show().Devices));
    }

    [Fact]
    public void A_node_that_fails_again_and_again_for_no_reason_rests_while_others_can_and_longer_each_time()
    {
        Begin(1, A);
        Enlist(B);
        Survey(B, At(1).Current());
        var order = Taken(A).OfType<WorkOrder>().First(o => o.Content is Compute);
        FailOnA();
        Assert.Equal([A, B], Coordinator.View.Workers);
        foreach (var rest in new[] { 30, 60, 120 })
        {
            FailOnA();
            Assert.Null(Coordinator.Failure);
            Assert.Equal([B], Coordinator.View.Workers);
            After(rest - 1);
            Step(new RunInput.Tick());
            Assert.Equal([B], Coordinator.View.Workers);
            After(2);
            Step(new RunInput.Tick());
            Assert.Equal([A, B], Coordinator.View.Workers);
        }

        void FailOnA()
        {
            After(10);                                                   // what failed before does not rest any more
            Step(new RunInput.Tick());
            Enlist(A, works: new HeldWork(Id.Job, order.Id, order.Key, order.From));     // it has it in hand, by its own account
            Fail(order, A, "IOException: Input/output error", WorkFailure.Transient);
        }
    }
}
