using Elastic.Messages;
using Elastic.Messages.Nodes;
using Elastic.Messages.Work;
using static Elastic.Testing.RunSamples;

namespace Elastic.Coordination.Tests;

// What a node decides when its devices change, or one is lost, while replicas are on them.
public sealed class NodeDevicesTests
{
    private readonly NodeCoordinator _node = NodeSamples.Node();

    [Fact]
    public void A_device_that_comes_joins_the_replica_with_the_fewest()
    {
        Begin(mostDevices: 4, [0, 1, 2], replicas: 2);
        Assert.Equal([(1, "cpu:0 cpu:3")], Moves(Has(0, 1, 2, 3)));
    }

    [Fact]
    public void A_device_that_goes_leaves_its_replica_between_two_steps_and_is_closed_when_it_has()
    {
        Begin(mostDevices: 4, [0, 1], replicas: 1);
        var outputs = Has(0);
        Assert.Equal([(1, "cpu:0")], Moves(outputs));
        Assert.Equal(["cpu:0"], Enlisted(outputs).Devices.Select(d => d.Value));
        Assert.Empty(Closed(outputs));
        Assert.Equal(["cpu:1"], Closed(Step(new NodeInput.Moved(1))));
        Assert.Empty(Closed(Step(new NodeInput.Beat())));
    }

    [Fact]
    public void A_device_that_goes_and_comes_back_before_the_replica_has_moved_is_given_to_nobody_meanwhile()
    {
        Begin(mostDevices: 4, [0, 1], replicas: 1);
        Has(0);
        Has(0, 1);
        Step(Ordered(1));
        Assert.Empty(Starts(Step(new NodeInput.Schedule())));
        Assert.Equal([(2, "cpu:1")], Starts(Step(new NodeInput.Moved(1))));
    }

    [Fact]
    public void All_devices_may_change_at_once()
    {
        Begin(mostDevices: 2, [0, 1], replicas: 1);
        Assert.Equal([(1, "cpu:4")], Moves(Has(4)));
        Assert.Empty(Moves(Has(5, 6)));                                   // it has not moved to cpu:4 yet
        var outputs = Step(new NodeInput.Moved(1));
        Assert.Equal([(1, "cpu:5 cpu:6")], Moves(outputs));
        Assert.Equal(["cpu:0", "cpu:1"], Closed(outputs));
        Assert.Equal(["cpu:4"], Closed(Step(new NodeInput.Moved(1))));
    }

    [Fact]
    public void A_replica_without_a_device_is_handed_over()
    {
        Begin(mostDevices: 2, [0, 1], replicas: 2);
        var outputs = Has(0);
        Assert.Empty(Moves(outputs));
        Assert.Equal([2], outputs.OfType<NodeOutput.Stop>().Select(s => s.Work));
        Assert.Contains(
            Step(new NodeInput.Ended(2, new HandedOver(HandOver(1, 1, 2)))),
            o => o is NodeOutput.Send { Message: WorkResult { Outcome: HandedOver } });
    }

    [Fact]
    public void Work_that_waits_gets_new_devices_before_replicas_that_have_some()
    {
        Begin(mostDevices: 4, [0], replicas: 2);
        var outputs = Has(0, 1);
        Assert.Equal([(2, "cpu:1")], Starts(outputs));
        Assert.Empty(Moves(outputs));
    }

    [Fact]
    public void A_replica_moves_to_no_more_devices_than_its_run_was_scaled_to_and_that_is_said()
    {
        Begin(mostDevices: 2, [0], replicas: 1);
        var outputs = Step(new NodeInput.HasDevices(Cpus(0, 1, 2), "a request"));
        Assert.Equal([(1, "cpu:0 cpu:1")], Moves(outputs));
        var used = Assert.Single(Sent<NodeReport.DevicesUsed>(outputs));
        Assert.Equal(("a request", 3), (used.Request, used.Devices.Length));
        Assert.StartsWith("a replica of run a uses 2 of these 3 devices: ", used.Notice, StringComparison.Ordinal);
        Assert.Null(Sent<NodeReport.DevicesUsed>(Step(new NodeInput.HasDevices(Cpus(0, 1), "another"))).Single().Notice);
    }

    [Fact]
    public void Devices_beyond_the_micro_batches_of_a_step_go_to_the_replica_too_and_that_is_said()
    {
        Begin(mostDevices: int.MaxValue, [0], replicas: 1);
        Step(new NodeInput.Opened(Id, int.MaxValue, null, MicroBatches: 2));
        var outputs = Step(new NodeInput.HasDevices(Cpus(0, 1, 2), "a request"));
        Assert.Equal([(1, "cpu:0 cpu:1 cpu:2")], Moves(outputs));
        Assert.StartsWith(
            "a step of run a can be divided among 2 of these 3 devices: the others lend their threads",
            Assert.Single(Sent<NodeReport.DevicesUsed>(outputs)).Notice, StringComparison.Ordinal);
        Step(new NodeInput.Moved(1));
        Assert.Null(Sent<NodeReport.DevicesUsed>(Step(new NodeInput.HasDevices(Cpus(0, 1), "another"))).Single().Notice);
    }

    [Fact]
    public void A_run_that_is_to_use_fewer_devices_leaves_the_others()
    {
        Begin(mostDevices: 4, [0, 1, 2], replicas: 1);
        Assert.Equal([(1, "cpu:0")], Moves(Step(new NodeInput.Opened(Id, 1, null))));
        Step(new NodeInput.Moved(1));
        Assert.Equal([(1, "cpu:0 cpu:1")], Moves(Step(new NodeInput.Opened(Id, 2, null))));
    }

    [Fact]
    public void GPUs_are_divided_among_the_replicas_and_none_has_more_than_micro_batches()
    {
        Step(new NodeInput.HasDevices([.. Enumerable.Range(0, 6).Select(i => new DeviceId($"cuda:{i}"))]));
        Open(mostDevices: int.MaxValue, microBatches: 2);
        Step(Ordered(0));
        Assert.Equal([(1, "cuda:0 cuda:1")], Starts(Step(new NodeInput.Schedule())));
        Step(new NodeInput.Opened(Id, int.MaxValue, null, MicroBatches: 8));
        Step(Ordered(1));
        Step(Ordered(2));
        Assert.Equal([(2, "cuda:2 cuda:3"), (3, "cuda:4 cuda:5")], Starts(Step(new NodeInput.Schedule())));
        // The replica stays where its memory is.
        var outputs = Step(new NodeInput.Ended(2, new Computed(Result(1, 1))));
        Assert.Empty(Moves(outputs));
        Step(Ordered(3));
        Assert.Equal([(4, "cuda:2 cuda:3")], Starts(Step(new NodeInput.Schedule())));
    }

    [Theory]
    [InlineData("1 2 4", 6, 2, "4 2")]
    [InlineData("1 2 4", 9, 3, "4 2 3")]                                  // nobody works with fewer than of an even share
    [InlineData("1 2 4", 8, 2, "4 4")]
    [InlineData("1 2 4", 10, 2, "5 5")]                                   // a third group would leave two to the other one
    [InlineData("1 2 4", 12, 2, "8 4")]
    [InlineData("1 2 3", 5, 2, "3 2")]
    [InlineData("1", 7, 2, "3 4")]
    public void Replicas_whose_model_is_split_get_devices_in_whole_groups(string groups, int devices, int replicas, string shares)
    {
        Step(new NodeInput.HasDevices([.. Enumerable.Range(0, devices).Select(i => new DeviceId($"cuda:{i}"))]));
        Open(mostDevices: int.MaxValue, microBatches: 100);
        Step(new NodeInput.Opened(Id, int.MaxValue, null, 100) { GroupSizes = [.. groups.Split(' ').Select(int.Parse)] });
        for (var replica = 0; replica < replicas; replica++)
            Step(Ordered(replica));
        Assert.Equal(shares, string.Join(' ', Starts(Step(new NodeInput.Schedule())).Select(s => s.Devices.Split(' ').Length)));
    }

    [Theory]
    [InlineData("1 2 4", 4, 6, "4 2")]                                    // 3 and 3 would leave two with nothing to do
    [InlineData("1 2 4", 4, 5, "3 2")]                                    // what makes no group updates parameters
    [InlineData("1 2 4", 2, 4, "2 2")]
    [InlineData("1 2 3", 4, 6, "3 3")]
    [InlineData("1", 4, 7, "4 3")]
    public void Devices_that_come_go_to_replicas_whose_model_is_split_in_whole_groups(string groups, int before, int after, string shares)
    {
        Step(new NodeInput.HasDevices(Cpus([.. Enumerable.Range(0, before)])));
        Open(mostDevices: int.MaxValue, microBatches: 100);
        Step(new NodeInput.Opened(Id, int.MaxValue, null, 100) { GroupSizes = [.. groups.Split(' ').Select(int.Parse)] });
        Step(Ordered(0));
        Step(Ordered(1));
        var had = Starts(Step(new NodeInput.Schedule())).ToDictionary(s => s.Item1, s => s.Item2);
        foreach (var (work, devices) in Moves(Has([.. Enumerable.Range(0, after)])))
            had[work] = devices;
        Assert.Equal(shares, string.Join(' ', had.OrderBy(h => h.Key).Select(h => h.Value.Split(' ').Length)));
    }

    [Fact]
    public void The_work_of_a_lost_device_begins_anew_on_the_others()
    {
        Begin(mostDevices: 4, [0, 1, 2], replicas: 1);
        var outputs = Step(new NodeInput.DeviceLost(1, new DeviceId("cpu:1"), "it hangs"));
        Assert.Equal(["cpu:0", "cpu:2"], Enlisted(outputs).Devices.Select(d => d.Value));
        Assert.Equal([ComputeWork.KeyOf(1, 0)], Enlisted(outputs).Pieces().Select(w => w.Key));
        Assert.Equal(["cpu:1"], Closed(outputs));
        Assert.Equal(
            new NodeReport.DeviceLost(A, Id, ComputeWork.KeyOf(1, 0), new DeviceId("cpu:1"), "it hangs", RepeatsStep: false),
            Assert.Single(Sent<NodeReport.DeviceLost>(outputs)));
        Assert.Contains("cpu:1 is lost (it hangs)", Assert.Single(outputs.OfType<NodeOutput.Say>()).Text, StringComparison.Ordinal);
        Assert.Equal([(2, "cpu:0 cpu:2")], Starts(Step(new NodeInput.Schedule())));
        Assert.Empty(Step(new NodeInput.Ended(1, new Computed(Result(1, 0)))).OfType<NodeOutput.Send>());     // too late
    }

    [Fact]
    public void A_replica_that_repeats_its_step_keeps_its_other_devices_wherever_it_was_to_move()
    {
        Begin(mostDevices: 4, [0, 1, 2], replicas: 1);
        Assert.Equal([(1, "cpu:1 cpu:2 cpu:4")], Moves(Step(new NodeInput.HasDevices(Cpus(1, 2, 4)))));
        var outputs = Step(new NodeInput.DeviceLost(1, new DeviceId("cpu:1"), "it hangs", RepeatsStep: true));
        var repeat = Assert.Single(outputs.OfType<NodeOutput.RepeatStep>());
        Assert.Equal((1, "cpu:0 cpu:2"), (repeat.Work, string.Join(' ', repeat.Devices)));
        Assert.Equal([(1, "cpu:2 cpu:4")], Moves(outputs));                          // at the next step boundary
        Assert.True(Assert.Single(Sent<NodeReport.DeviceLost>(outputs)).RepeatsStep);
        Assert.Equal(["cpu:1"], Closed(outputs));
        Assert.Equal(["cpu:2", "cpu:4"], Enlisted(outputs).Devices.Select(d => d.Value));
        Assert.Contains("repeats the step on the others", Assert.Single(outputs.OfType<NodeOutput.Say>()).Text, StringComparison.Ordinal);
        Assert.Empty(Starts(Step(new NodeInput.Schedule())));
        Assert.Equal(["cpu:0"], Closed(Step(new NodeInput.Moved(1))));
        Assert.Contains(
            Step(new NodeInput.Ended(1, new Computed(Result(1, 0)))), o => o is NodeOutput.Send { Message: WorkResult });
    }

    [Fact]
    public void Work_that_has_ended_cannot_repeat_a_step()
    {
        Begin(mostDevices: 4, [0, 1], replicas: 1);
        Step(new NodeInput.Ended(1, new Computed(Result(1, 0))));
        var outputs = Step(new NodeInput.DeviceLost(1, new DeviceId("cpu:1"), "it hangs", RepeatsStep: true));
        Assert.Empty(outputs.OfType<NodeOutput.RepeatStep>());
        Assert.Empty(Sent<NodeReport.DeviceLost>(outputs));                          // the run has the result
        Assert.Equal(["cpu:0"], Enlisted(outputs).Devices.Select(d => d.Value));
    }

    [Fact]
    public void With_its_last_device_a_nodes_work_fails_and_what_waits_for_one()
    {
        Begin(mostDevices: 4, [0], replicas: 2);
        var outputs = Step(new NodeInput.DeviceLost(1, new DeviceId("cpu:0"), "it hangs"));
        Assert.All(Sent<WorkResult>(outputs), r => Assert.Equal(
            new WorkFailed("it hangs; the node has no other device", WorkFailure.Exhausted), r.Outcome));
        Assert.Equal(
            [ComputeWork.KeyOf(1, 0), ComputeWork.KeyOf(1, 1)], Sent<WorkResult>(outputs).Select(r => r.Key));
        Assert.Empty(Enlisted(outputs).Devices);
    }

    [Fact]
    public void A_replica_that_was_to_stop_and_loses_a_device_does_not_begin_anew()
    {
        Begin(mostDevices: 4, [0, 1], replicas: 1);
        Step(new NodeInput.Commanded(new NodeCommand.StopRun(Id)));
        var outputs = Step(new NodeInput.DeviceLost(1, new DeviceId("cpu:1"), "it hangs"));
        Assert.Contains(outputs, o => o is NodeOutput.Send { Message: NodeReport.RunIdle });
        Assert.Empty(Starts(Step(new NodeInput.Schedule())));
        Assert.Empty(Enlisted(Step(new NodeInput.Beat())).Pieces());
    }

    [Fact]
    public void Dropped_work_that_loses_a_device_does_not_begin_anew_either()
    {
        Begin(mostDevices: 4, [0, 1], replicas: 1);
        Step(new NodeInput.Commanded(new NodeCommand.DropWork(Id, [ComputeWork.KeyOf(1, 0)])));
        Step(new NodeInput.DeviceLost(1, new DeviceId("cpu:1"), "it hangs"));
        Assert.Empty(Starts(Step(new NodeInput.Schedule())));
    }

    private static IReadOnlyList<DeviceId> Cpus(params int[] numbers) => [.. numbers.Select(n => new DeviceId($"cpu:{n}"))];

    private static List<(int Work, string Devices)> Starts(IEnumerable<NodeOutput> outputs) =>
        [.. outputs.OfType<NodeOutput.Start>().Select(s => (s.Work, string.Join(' ', s.Devices)))];

    private static List<(int Work, string Devices)> Moves(IEnumerable<NodeOutput> outputs) =>
        [.. outputs.OfType<NodeOutput.Move>().Select(m => (m.Work, string.Join(' ', m.Devices)))];

    private static List<string> Closed(IEnumerable<NodeOutput> outputs) =>
        [.. outputs.OfType<NodeOutput.CloseDevice>().Select(c => c.Device.Value)];

    private static IEnumerable<T> Sent<T>(IEnumerable<NodeOutput> outputs) =>
        outputs.OfType<NodeOutput.Send>().Select(s => s.Message).OfType<T>();

    private static NodeReport.Enlist Enlisted(IEnumerable<NodeOutput> outputs) => Sent<NodeReport.Enlist>(outputs).Single();

    private static NodeInput.Ordered Ordered(int replica) => new(new WorkOrder
    {
        Job = Id.Job,
        Id = new OrderId(1, replica + 1),
        Key = ComputeWork.KeyOf(1, replica),
        From = Version(1),
        Sources = [],
        Part = Part.Whole,
        Content = new Compute(1, replica, Version(1), null, null, Plan.At(1)),
    });

    // Replicas at work, or waiting, on these devices.
    private void Begin(int mostDevices, int[] devices, int replicas)
    {
        Has(devices);
        Open(mostDevices, int.MaxValue);
        for (var replica = 0; replica < replicas; replica++)
            Step(Ordered(replica));
        Step(new NodeInput.Schedule());
    }

    private void Open(int mostDevices, int microBatches)
    {
        Step(new NodeInput.Commanded(new NodeCommand.OpenRun(Id)
        {
            Number = new OrderId(1, 1),
            Settings = "{}",
            Corpus = D("corpus"),
            Manifest = null,
            Sources = [],
            Part = Part.Whole,
        }));
        Step(new NodeInput.Opened(Id, mostDevices, null, microBatches));
    }

    private IReadOnlyList<NodeOutput> Has(params int[] devices) => Step(new NodeInput.HasDevices(Cpus(devices)));

    private IReadOnlyList<NodeOutput> Step(NodeInput input) => _node.Step(input);
}
