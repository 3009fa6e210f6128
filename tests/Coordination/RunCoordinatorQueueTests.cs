using Elastic.Messages;
using Elastic.Messages.Nodes;
using static Elastic.Testing.RunSamples;

namespace Elastic.Coordination.Tests;

// A run whose work waits for devices, behind another run's or for nodes with the labels that it needs.
public sealed class RunCoordinatorQueueTests : RunCoordinatorScene
{
    private static readonly RunId Big = new("big-00000000");

    [Fact]
    public void Work_that_waits_behind_another_run_s_is_said_with_the_reason_until_it_takes_a_step()
    {
        Begin(1, A);
        Assert.Null(Coordinator.WaitsFor);
        Queued(priority: 5);
        Assert.Equal("devices: run big has priority 5", Coordinator.WaitsFor);
        Queued(priority: 0);
        Assert.Equal("devices: run big computes on them, and they take turns", Coordinator.WaitsFor);
        Step(new RunInput.Reported(new NodeReport.StepTaken(A, Id, 1, 0, 1, 3, 1e-3)));
        Assert.Null(Coordinator.WaitsFor);
    }

    [Fact]
    public void A_node_on_which_work_waits_for_long_is_not_taken_for_one_that_hangs()
    {
        Begin(1, A);
        for (var minute = 0; minute < 20; minute++)
        {
            After(60);
            Enlist(A, works: [Held(ComputeWork.KeyOf(1, 0), 1)]);
            Queued(priority: 5);
            Step(new RunInput.Tick());
        }

        Assert.False(Coordinator.View.Nodes[A].Leaving);
        Assert.DoesNotContain("Exclude", Sent(A));
    }

    [Fact]
    public void A_replica_that_waits_for_a_device_is_given_to_a_node_that_has_one_free()
    {
        Begin(1, A);
        foreach (var node in new[] { B, C })
        {
            Enlist(node);
            Survey(node, Coordinator.Run.Current());
        }

        Assert.Contains("compute", Sent(B));                           // the other replica
        Assert.DoesNotContain("compute", Sent(C));
        Queued(priority: 5);
        Assert.Equal([ComputeWork.KeyOf(1, 0)], Taken(C).OfType<Messages.Work.WorkOrder>().Select(o => o.Key));
    }

    [Fact]
    public void Only_nodes_with_the_labels_that_a_run_needs_compute_for_it()
    {
        ItsPlan = Plan with { Needs = ["big", "zone=b"] };
        Recover(Journal(1));
        Enlist(A, labels: ["zone=b"]);
        Assert.Equal(
            (Lifecycle.Waiting, "a node with a device that may compute for it, and the labels that it needs: big, zone=b"),
            (Coordinator.Lifecycle, Coordinator.WaitsFor));
        Assert.Contains(
            "it lacks labels that the run needs (big)", Taken(A).OfType<NodeCommand.Exclude>().Single().Why, StringComparison.Ordinal);
        Enlist(B, labels: ["zone=b", "big", "more"]);
        Survey(A, Coordinator.Run.Current());
        Assert.DoesNotContain("compute", Sent(A));
        Assert.Contains("compute", Sent(B));
    }

    private void Queued(int priority) =>
        Step(new RunInput.Reported(new NodeReport.Queued(A, Id, ComputeWork.KeyOf(1, 0), Big, priority)));
}
