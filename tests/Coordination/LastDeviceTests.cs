using Elastic.Messages;
using Elastic.Messages.Nodes;
using Elastic.Messages.Work;
using Elastic.Simulation;
using static Elastic.Testing.RunSamples;

namespace Elastic.Coordination.Tests;

/// <summary>A person waits for a run whose node loses its last device, and says so as it is shipped.</summary>
public sealed class LastDeviceTests() : RunCoordinatorScene(goesOn: false)
{
    private const string Why = "cuda:0 is lost to this process: an illegal address";
    private readonly NodeCoordinator _node = NodeSamples.Node();

    [Fact]
    public void The_run_fails_with_it_and_says_why()
    {
        var first = Begin();
        Fail(first, A, "InvalidOperationException: cuda:0 answers, and has refused work", WorkFailure.Transient);
        After(10);
        Step(new RunInput.Tick());
        Assert.Null(Coordinator.Failure);
        Lose(Order());
        var failed = (Lifecycle.Failed, $"{Why}; the node has no other device");
        Assert.Equal(failed, (Coordinator.Lifecycle, Coordinator.Failure));
        Enlist(A, devices: 0);
        Assert.Equal(failed, (Coordinator.Lifecycle, Coordinator.Failure));
    }

    [Fact]
    public void Another_node_with_a_device_goes_on_with_the_run()
    {
        var lost = Begin();
        Enlist(B, devices: 2);
        Survey(B, Coordinator.Run.Current());
        Lose(lost);
        Enlist(A, devices: 0);
        After(3);
        Step(new RunInput.Tick());
        Assert.Equal((Lifecycle.Running, null), (Coordinator.Lifecycle, Coordinator.Failure));
        Assert.Contains(lost.Key, Taken(B).OfType<WorkOrder>().Select(o => o.Key));
    }

    private WorkOrder Begin()
    {
        Recover(Journal(1));
        Ask(VirtualRun.Begin(8));
        Enlist(A);
        Survey(A, Coordinator.Run.Current());
        _node.Step(new NodeInput.HasDevices([new DeviceId("cuda:0")]));
        var sent = Taken(A);
        _node.Step(new NodeInput.Commanded(sent.OfType<NodeCommand.OpenRun>().First()));
        _node.Step(new NodeInput.Opened(Id, int.MaxValue, null, 1));
        return sent.OfType<WorkOrder>().First(o => o.Content is Compute);
    }

    private void Lose(WorkOrder order)
    {
        _node.Step(new NodeInput.Ordered(order));
        var work = _node.Step(new NodeInput.Schedule()).OfType<NodeOutput.Start>().Single().Work;
        var answers = _node.Step(new NodeInput.DeviceLost(work, new DeviceId("cuda:0"), Why)).OfType<NodeOutput.Send>()
            .Select(s => s.Message).OfType<WorkResult>();
        Step(new RunInput.Answered(Assert.Single(answers)));
    }

    private WorkOrder Order() => Taken(A).OfType<WorkOrder>().First(o => o.Content is Compute);
}
