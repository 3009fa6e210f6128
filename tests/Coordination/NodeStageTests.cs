using Elastic.Messages;
using Elastic.Messages.Nodes;
using Elastic.Messages.Work;
using static Elastic.Testing.RunSamples;

namespace Elastic.Coordination.Tests;

// What a node decides about a stage of a replica whose other stages are on other nodes.
public sealed class NodeStageTests
{
    private static readonly WorkKey Key = ComputeStageWork.KeyOf(1, 0, 1);
    private static readonly RunId Big = new("big-00000000");

    private readonly NodeCoordinator _node = NodeSamples.Node();

    public NodeStageTests()
    {
        Step(new NodeInput.HasDevices([new DeviceId("cpu:0"), new DeviceId("cpu:1")]));
        Open(Id, 0);
    }

    [Fact]
    public void Its_heartbeat_names_the_attempt()
    {
        Assert.Equal([1], Starts(Order("x", 1)));
        Assert.Equal([(Key, "x")], Pieces().Select(w => (w.Key, w.Attempt)));
    }

    [Fact]
    public void A_newer_attempt_takes_the_place_of_an_older_one_and_not_the_other_way_round()
    {
        Order("x", 1);
        var outputs = Order("y", 2);
        Assert.Equal([1], outputs.OfType<NodeOutput.Abandon>().Select(a => a.Work));
        Assert.Equal([(Key, "y")], Pieces().Select(w => (w.Key, w.Attempt)));
        Step(new NodeInput.Ended(1, null));
        Assert.Equal([2], Starts(Step(new NodeInput.Schedule())));
        Assert.Empty(Order("x", 1).OfType<NodeOutput.Abandon>());
        Assert.Equal([(Key, "y")], Pieces().Select(w => (w.Key, w.Attempt)));
    }

    [Fact]
    public void Why_an_older_attempt_was_over_is_no_answer_to_a_newer_one_but_a_result_is()
    {
        Order("x", 1);
        Assert.Single(Sent<WorkResult>(Step(new NodeInput.Ended(1, new StageLost(0, "gone")))));
        var outputs = Order("y", 2);
        Assert.Empty(Sent<WorkResult>(outputs));
        Assert.Equal([2], Starts(outputs));

        var first = new Compute(1, 1, Version(1), null, null, Plan.At(1)) { Stages = Places, Attempt = "x" };
        Assert.Equal([3], Starts(Order(first, ComputeWork.KeyOf(1, 1), 3, after: 2)));
        Step(new NodeInput.Ended(3, new Computed(Result(1, 1))));
        outputs = Order(first with { Attempt = "y" }, ComputeWork.KeyOf(1, 1), 4, after: 0);
        Assert.Equal(new Computed(Result(1, 1)), Assert.Single(Sent<WorkResult>(outputs)).Outcome);
        Assert.Empty(Starts(outputs));
    }

    [Fact]
    public void With_a_lost_device_the_work_fails_and_does_not_begin_anew_by_itself()
    {
        Order("x", 1);
        var outputs = Step(new NodeInput.DeviceLost(1, new DeviceId("cpu:0"), "it hangs"));
        Assert.Equal(
            new WorkFailed("it hangs; its replica is computed by several nodes", WorkFailure.Transient),
            Assert.Single(Sent<WorkResult>(outputs)).Outcome);
        Assert.Empty(Starts(Step(new NodeInput.Schedule())));
    }

    [Fact]
    public void It_stays_on_its_devices_until_it_ends()
    {
        Order("x", 1);
        var outputs = Step(new NodeInput.HasDevices([new DeviceId("cpu:2")]));
        Assert.DoesNotContain(outputs, o => o is NodeOutput.Move or NodeOutput.Stop);
        Assert.Equal(
            ["cpu:0", "cpu:1"], Step(new NodeInput.Ended(1, null)).OfType<NodeOutput.CloseDevice>().Select(c => c.Device.Value).Order());
    }

    [Fact]
    public void It_gives_way_to_a_run_of_a_higher_priority()
    {
        Order("x", 1);
        Open(Big, 5);
        var outputs = Order(new Compute(1, 0, Version(1), null, null, Plan.At(1)), ComputeWork.KeyOf(1, 0), 1, Big);
        Assert.Equal([1], outputs.OfType<NodeOutput.Stop>().Select(s => s.Work));
    }

    [Fact]
    public void It_waits_with_the_others_while_another_run_computes()
    {
        Open(Big, 0);
        Order(new Compute(1, 0, Version(1), null, null, Plan.At(1)), ComputeWork.KeyOf(1, 0), 1, Big);
        Assert.Empty(Starts(Order("x", 1)));
        Assert.Equal(
            new NodeReport.Queued(A, Id, Key, Big, 0), Assert.Single(Sent<NodeReport.Queued>(Step(new NodeInput.Beat()))));
    }

    private static readonly StagePlace[] Places = [new(B, "b:7001"), new(A, "a:7001")];

    private void Open(RunId run, int priority)
    {
        Step(new NodeInput.Commanded(new NodeCommand.OpenRun(run)
        {
            Number = new OrderId(1, 1),
            Settings = "{}",
            Corpus = D("corpus"),
            Manifest = null,
            Sources = [],
            Kind = JobKind.Run,
            Part = Part.Whole,
        }));
        Step(new NodeInput.Opened(run, 4, null, Priority: priority));
    }

    private List<NodeOutput> Order(string attempt, int number) => Order(
        new ComputeStage(new Compute(1, 0, Version(1), null, null, Plan.At(1)) { Stages = Places, Attempt = attempt }, 1), Key, number, Id);

    // The work of this number ends first, so that there is a device.
    private List<NodeOutput> Order(WorkContent content, WorkKey key, int number, int after)
    {
        if (after > 0)
            Step(new NodeInput.Ended(after, null));
        return Order(content, key, number, Id);
    }

    private List<NodeOutput> Order(WorkContent content, WorkKey key, int number, RunId run) =>
    [
        .. Step(new NodeInput.Ordered(new WorkOrder
        {
            Job = run.Job,
            Id = new OrderId(1, number),
            Key = key,
            From = Version(1),
            Sources = [],
            Part = Part.Whole,
            Content = content,
        })),
        .. Step(new NodeInput.Schedule()),
    ];

    private IEnumerable<HeldWork> Pieces() => Sent<NodeReport.Enlist>(Step(new NodeInput.Beat())).Single().Pieces();

    private static IEnumerable<int> Starts(IEnumerable<NodeOutput> outputs) => outputs.OfType<NodeOutput.Start>().Select(s => s.Work);

    private static IEnumerable<T> Sent<T>(IEnumerable<NodeOutput> outputs) =>
        outputs.OfType<NodeOutput.Send>().Select(s => s.Message).OfType<T>();

    private IReadOnlyList<NodeOutput> Step(NodeInput input) => _node.Step(input);
}
