using Elastic.Messages;
using Elastic.Messages.Nodes;
using Elastic.Messages.Work;
using static Elastic.Testing.RunSamples;

namespace Elastic.Coordination.Tests;

// Which run's work gets a node's device, where several runs want it.
public sealed class NodeQueueTests
{
    private static readonly RunId Big = new("big-00000000");
    private static readonly RunId Job = new("eval-a-00000000");

    private readonly NodeCoordinator _node = NodeSamples.Node();

    public NodeQueueTests() => Step(new NodeInput.HasDevices([new DeviceId("cpu:0")]));

    [Fact]
    public void A_replica_hands_over_to_one_of_a_higher_priority_at_its_next_step_and_waits_until_that_run_has_no_work_here()
    {
        Open(Id, 0);
        Open(Big, 5);
        Assert.Equal(["start 1"], Order(Id, 0));
        Assert.Equal(["stop 1"], Order(Big, 0));
        Assert.Empty(Order(Big, 1));                                      // one device: one replica makes room
        Assert.Equal(["start 2"], End(1, new HandedOver(HandOver(1, 0, 2))));
        Drop(Id, 0);
        Assert.Empty(Order(Id, 0));
        Assert.Equal([new NodeReport.Queued(A, Id, ComputeWork.KeyOf(1, 0), Big, 5)], Beat());
        Assert.Equal(["start 3"], End(2, null));
        Assert.Empty(End(3, null));                                       // between two rounds: the device is kept for it
        for (var beat = 0; beat < 3; beat++)
            Assert.Equal(Big, Assert.Single(Beat()).Behind);
        Beat();
        Assert.Equal(["start 4"], Done(Step(new NodeInput.Schedule())));
        Assert.Empty(Beat());
    }

    [Fact]
    public void Runs_of_one_priority_take_turns_and_none_hands_over()
    {
        Open(Id, 5);
        Open(Big, 5);
        Assert.Equal(["start 1"], Order(Id, 0));
        Assert.Empty(Order(Big, 0));
        Assert.Equal(new NodeReport.Queued(A, Big, ComputeWork.KeyOf(1, 0), Id, 5), Assert.Single(Beat()));
        Assert.Empty(Order(Id, 1));
        Assert.Equal(["start 2"], End(1, null));
        Assert.Equal(["start 3"], End(2, null));
    }

    [Fact]
    public void A_priority_that_is_raised_counts_for_the_work_that_waits()
    {
        Open(Id, 0);
        Open(Big, 0);
        Order(Id, 0);
        Assert.Empty(Order(Big, 0));
        Open(Big, 1);
        Assert.Equal(["stop 1"], Done(Step(new NodeInput.Schedule())));
        Assert.Empty(Done(Step(new NodeInput.Schedule())));
    }

    [Fact]
    public void An_evaluation_takes_turns_with_the_most_important_run_that_is_at_work()
    {
        Open(Big, 5);
        Open(Job, 0, isEvaluation: true);
        Assert.Equal(["start 1"], Order(Big, 0));
        Assert.Empty(Order(Job, 0));
        Assert.Equal(["start 2"], End(1, null));
    }

    [Fact]
    public void The_devices_that_each_run_computes_on_are_reported()
    {
        Step(new NodeInput.HasDevices([new DeviceId("cpu:0"), new DeviceId("cpu:1")]));
        Open(Id, 0);
        Order(Id, 0);
        var report = Sent<NodeReport.Enlist>(Step(new NodeInput.Beat())).Single();
        Assert.Equal([new NodeReport.DeviceUse(Id.Job, 2)], report.Uses);
    }

    private void Open(RunId run, int priority, bool isEvaluation = false)
    {
        Step(new NodeInput.Commanded(new NodeCommand.OpenRun(run)
        {
            Number = new OrderId(1, 1),
            Settings = "{}",
            Corpus = D("corpus"),
            Manifest = null,
            Sources = [],
            Kind = isEvaluation ? JobKind.Evaluation : JobKind.Run,
            Part = Part.Whole,
        }));
        Step(new NodeInput.Opened(run, 4, null, Priority: priority));
    }

    private List<string> Order(RunId run, int replica)
    {
        Step(new NodeInput.Ordered(new WorkOrder
        {
            Job = run.Job,
            Id = new OrderId(1, replica + 1),
            Key = ComputeWork.KeyOf(1, replica),
            From = Version(1),
            Sources = [],
            Part = Part.Whole,
            Content = new Compute(1, replica, Version(1), null, null, Plan.At(1)),
        }));
        return Done(Step(new NodeInput.Schedule()));
    }

    private List<string> End(int work, WorkOutcome? outcome)
    {
        Step(new NodeInput.Ended(work, outcome));
        return Done(Step(new NodeInput.Schedule()));
    }

    private void Drop(RunId run, int replica) =>
        Step(new NodeInput.Commanded(new NodeCommand.DropWork(run, [ComputeWork.KeyOf(1, replica)])));

    private List<NodeReport.Queued> Beat() => [.. Sent<NodeReport.Queued>(Step(new NodeInput.Beat()))];

    private static IEnumerable<T> Sent<T>(IEnumerable<NodeOutput> outputs) =>
        outputs.OfType<NodeOutput.Send>().Select(s => s.Message).OfType<T>();

    private static List<string> Done(IEnumerable<NodeOutput> outputs) => [.. outputs.Select(o => o switch
    {
        NodeOutput.Start start => $"start {start.Work}",
        NodeOutput.Stop stop => $"stop {stop.Work}",
        _ => "",
    }).Where(t => t.Length > 0)];

    private IReadOnlyList<NodeOutput> Step(NodeInput input) => _node.Step(input);
}
