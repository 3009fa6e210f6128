using System.Collections.Concurrent;
using Elastic.Actors.Control;
using Elastic.Actors.Hosting;
using Elastic.Actors.Nodes;
using Elastic.Foundation;
using Elastic.Messages;
using Elastic.Messages.Nodes;
using Elastic.Messages.Runs;
using Elastic.Messages.Settings;
using Elastic.Model.Training;

namespace Elastic.Actors.Tests.Nodes;

/// <summary>Devices of a node that come, go and are lost while a run computes on them: the fingerprint never changes.</summary>
public sealed class DeviceSpecs : IDisposable
{
    private readonly TinyRun _tiny = new();
    private readonly ConcurrentDictionary<DeviceId, int> _works = [];

    public void Dispose() => _tiny.Dispose();

    [Fact]
    public async Task Devices_that_change_at_random_in_the_middle_of_rounds_leave_the_fingerprint_as_it_is()
    {
        // Five micro-batches a step: devices have unequal shares.
        var settings = TinyRun.Settings("a", replicas: 2, rounds: 4, innerSteps: 30);
        settings = settings with { Batch = settings.Batch with { Sequences = 5 * settings.Batch.Micro } };
        var expected = await _tiny.TrainAsync(settings, "cpu:1", data: "undisturbed");

        using var deadline = new CancellationTokenSource(TimeSpan.FromMinutes(2));
        // A step waits, so that changes reach the middle of rounds.
        await using var node = await StartAsync("cpu:1", "disturbed", new NodeFaults(
            AfterStep: (_, stop) => Task.Delay(2, CancellationToken.None), BeforeDeviceWork: Count), deadline.Token);
        using var over = new CancellationTokenSource();
        var changes = ChangeAsync(node, over.Token);
        var view = await _tiny.TrainAsync(node, settings, null, deadline.Token);
        await over.CancelAsync();

        Assert.Equal(RunPhase.Finished, view.Phase);
        Assert.Equal(expected.Fingerprint, view.Fingerprint);
        Assert.True(await changes > 10, $"{await changes} changes");
        Assert.True(_works.Count > 3, $"only {string.Join(' ', _works.Keys)} computed");
    }

    // The threads of a device have its name and a number.
    [Fact]
    public async Task One_micro_batch_a_step_is_computed_by_the_threads_of_all_devices_with_the_same_bits()
    {
        var settings = TinyRun.Settings("a", rounds: 4, innerSteps: 8);
        settings = settings with { Batch = settings.Batch with { Sequences = settings.Batch.Micro } };
        var expected = await _tiny.TrainAsync(settings, "cpu:1", data: "one");

        using var deadline = new CancellationTokenSource(TimeSpan.FromMinutes(2));
        var lent = false;
        await using var node = await StartAsync("cpu:3", "three", new NodeFaults(BeforeDeviceWork: device =>
            lent |= Directory.EnumerateDirectories("/proc/self/task").Any(t => NameOf(t) == "cpu:0 2")), deadline.Token);
        var view = await _tiny.TrainAsync(node, settings, null, deadline.Token);
        Assert.Equal(expected.Fingerprint, view.Fingerprint);
        Assert.True(lent, "cpu:0 never had three threads");

        // A thread may have ended meanwhile.
        static string NameOf(string task)
        {
            try
            {
                return File.ReadAllText(Path.Combine(task, "comm")).Trim();
            }
            catch (IOException)
            {
                return "";
            }
        }
    }

    [Fact]
    public async Task A_lost_device_costs_the_steps_since_the_last_hand_over_and_comes_back_when_a_person_says_so()
    {
        var settings = TinyRun.Settings("a", rounds: 4, innerSteps: 8);
        var expected = await _tiny.TrainAsync(settings, "cpu:1", data: "undisturbed");

        using var deadline = new CancellationTokenSource(TimeSpan.FromMinutes(2));
        var said = new ConcurrentQueue<string>();
        await using var node = await StartAsync("cpu:3", "disturbed", new NodeFaults(BeforeDeviceWork: device =>
        {
            Count(device);
            // In the middle of a step of the first round: its update has begun on another device, perhaps.
            if (device.Value == "cpu:1" && _works[device] == 12)
                throw new DeviceFailedException(device, isLost: true, "no driver");
        }), deadline.Token, said.Enqueue);
        var view = await _tiny.TrainAsync(node, settings, null, deadline.Token);

        Assert.Equal(expected.Fingerprint, view.Fingerprint);
        Assert.Equal(12, _works[new DeviceId("cpu:1")]);
        Assert.Contains(said, s => s.Contains("device cpu:1 is lost (rank 1 of 3 (cpu:1) is gone in its", StringComparison.Ordinal));
        Assert.Equal(["cpu:0", "cpu:2"], (await node.Control.NodesAsync(deadline.Token)).Single().Devices);

        var back = Assert.IsType<NodeReply.HasDevices>(await UseAsync(node, "cpu:3", deadline.Token));
        Assert.Equal(["cpu:0", "cpu:1", "cpu:2"], back.Devices.Select(d => d.Value));
        var shown = Assert.IsType<NodeReply.Threads>(
            await node.Control.ThreadsAsync($"{node.Endpoint}", Origins.Now("a test"), deadline.Token));
        Assert.Equal(Environment.ProcessId, shown.Process);
        Assert.Contains(shown.Lines, l => l.StartsWith("the thread pool has ", StringComparison.Ordinal));
        Assert.Contains(shown.Views, t => t.CpuSeconds > 0);
        var longer = settings with { Run = settings.Run with { Name = "b" } };
        Assert.Equal(expected.Fingerprint, (await _tiny.TrainAsync(node, longer, null, deadline.Token)).Fingerprint);
        Assert.True(_works[new DeviceId("cpu:1")] > 12);
    }

    // With ZeRO-2 and vectors in files; a step that was taken again on the others is the only one.
    [Theory]
    [InlineData(1, OffloadMode.None, 12)]
    [InlineData(2, OffloadMode.File, 14)]
    public async Task A_lost_device_costs_one_step_where_slices_are_mirrored(int zero, OffloadMode offload, int work)
    {
        const int Steps = 8;
        var settings = TinyRun.Settings("a", rounds: 1, innerSteps: Steps);
        settings = settings with { Batch = settings.Batch with { Sequences = 3 * settings.Batch.Micro } };
        var expected = await _tiny.TrainAsync(settings, "cpu:1", data: "undisturbed");
        settings = settings with { Optimizer = settings.Optimizer with { MirrorSlices = true } };

        using var deadline = new CancellationTokenSource(TimeSpan.FromMinutes(2));
        var (said, steps) = (new ConcurrentQueue<string>(), 0);
        var data = Path.Combine(_tiny.Root, "disturbed");
        await using var node = await ElasticNode.StartAsync(
            NodeSettings.Defaults with { Devices = "cpu:3", DataDir = data, Zero = zero, Offload = offload }, NodeDuty.Train, said.Enqueue,
            new NodeFaults(
                AfterStep: (_, _) =>
                {
                    steps++;
                    return Task.CompletedTask;
                },
                BeforeDeviceWork: device =>
                {
                    Count(device);
                    if (device.Value == "cpu:1" && _works[device] == work)
                        throw new DeviceFailedException(device, isLost: true, "no driver");
                }), Transport.Plain, deadline.Token);
        var view = await _tiny.TrainAsync(node, settings, null, deadline.Token);

        Assert.Equal(expected.Fingerprint, view.Fingerprint);
        Assert.Equal(work, _works[new DeviceId("cpu:1")]);
        Assert.Contains(said, s => s.Contains("device cpu:1 is lost", StringComparison.Ordinal)
            && s.Contains("its replica repeats the step on the others", StringComparison.Ordinal));
        // A round that had begun anew would have taken some steps twice.
        Assert.Equal(Steps, steps);
        Assert.Equal(offload == OffloadMode.File, Directory.Exists(Path.Combine(data, "offload")));
        Assert.True(offload == OffloadMode.None || !Directory.EnumerateFileSystemEntries(Path.Combine(data, "offload")).Any());
    }

    [Fact]
    public async Task Devices_that_a_node_cannot_have_are_refused_and_it_keeps_its_own()
    {
        using var deadline = new CancellationTokenSource(TimeSpan.FromMinutes(1));
        await using var node = await StartAsync("cpu:2", "data", NodeFaults.None, deadline.Token);
        const string Forms = ": use \"auto\", \"cpu:N\", \"cpu:0,2\", \"cuda:all\", \"cuda:0,1\", \"cuda:0#0,0#1\" or \"none\"";
        foreach (var (devices, why) in new[]
            {
                ("cpu:1,1", "-d names device 1 twice: name each once"),
                ("none", "a node in a run has at least one device: name one, or stop the node to take it out of the run"),
                ("cpu:", $"-d = \"cpu:\"{Forms}"),
                ("cpu:0,1024", $"-d = \"cpu:0,1024\"{Forms}"),
                ("cuda:7", "-d names cuda:7, but this program was built without devices of this kind; it knows cpu, roomy: "
                    + "build it with -p:Cuda=true, or use cpu:N"),
            })
        {
            var refused = Assert.IsType<NodeReply.Refused>(await UseAsync(node, devices, deadline.Token));
            Assert.Equal($"node {node.Endpoint}: {why}", refused.Why);
        }

        Assert.Equal(["cpu:0", "cpu:1"], (await node.Control.NodesAsync(deadline.Token)).Single().Devices);
    }

    [Fact]
    public async Task Devices_whose_gradients_the_memory_does_not_hold_are_refused_with_the_numbers()
    {
        using var deadline = new CancellationTokenSource(TimeSpan.FromMinutes(1));
        await using var node = await StartAsync("cpu:1", "data", new NodeFaults(FreeMemoryBytes: 1000), deadline.Token);
        Assert.IsType<NodeReply.HasDevices>(await UseAsync(node, "cpu:2", deadline.Token));        // nothing is in training yet
        Assert.IsType<NodeReply.HasDevices>(await UseAsync(node, "cpu:1", deadline.Token));
        await _tiny.TrainAsync(node, TinyRun.Settings("a", rounds: 2), null, deadline.Token);
        Assert.Matches(
            @"^node [^ ]+: training here needs [\d.]+ [KM]iB of memory more on 4 devices than on 1 device \(gradients [\d.]+ [KM]iB, "
            + @"activations [\d.]+ [KM]iB\), and 1000 B are free: use fewer devices, or free some memory$",
            Assert.IsType<NodeReply.Refused>(await UseAsync(node, "cpu:9", deadline.Token)).Why);
        var view = (await node.Control.NodesAsync(deadline.Token)).Single();
        Assert.Equal(1000, view.FreeMemoryBytes);
        Assert.Equal(["cpu:0"], view.Devices);
    }

    [Fact]
    public void What_only_CPU_devices_offer_is_refused_where_a_node_has_others()
    {
        IReadOnlyList<DeviceId> cpu = [new("cpu:0"), new("cpu:1")], gpu = [new("cuda:0")];
        var (two, file) = (NodeSettings.Defaults with { Zero = 2 }, NodeSettings.Defaults with { Offload = OffloadMode.File });
        var split = NodeSettings.Defaults with { Split = "tensor:2, pipeline:2" };
        DeviceNames.CheckSharding(split, cpu);
        Assert.Equal(
            "node.split = tensor:2, pipeline:2 is for CPU devices, and this node has cuda:0, whose libraries compute products of a share's "
            + "shape by other algorithms, with other bits: use node.split = pipeline:4",
            Assert.Throws<ElasticException>(() => DeviceNames.CheckSharding(split, gpu)).Message);
        DeviceNames.CheckSharding(split with { Split = "pipeline:2x2" }, gpu);
        DeviceNames.CheckSharding(NodeSettings.Defaults, gpu);
        DeviceNames.CheckSharding(two, cpu);
        DeviceNames.CheckSharding(file, cpu);
        Assert.Equal(
            "node.zero = 2 is for replicas on CPU devices, and this node has cuda:0: use node.zero = 1, and node.split = pipeline:2, of "
            + "which each device has sums of its own layers' gradients only",
            Assert.Throws<ElasticException>(() => DeviceNames.CheckSharding(two, gpu)).Message);
        Assert.Equal(
            "node.offload = file is for CPU devices, and this node has cuda:0: use node.offload = none",
            Assert.Throws<ElasticException>(() => DeviceNames.CheckSharding(file, gpu)).Message);
    }

    [Fact]
    public async Task A_node_that_is_not_there_and_one_that_only_stores_are_refused()
    {
        using var deadline = new CancellationTokenSource(TimeSpan.FromMinutes(1));
        await using var node = await StartAsync("none", "data", NodeFaults.None, deadline.Token);
        Assert.Equal(
            $"node {node.Endpoint}: this node was started with --devices none, and only stores: start it again with devices",
            Assert.IsType<NodeReply.Refused>(await UseAsync(node, "cpu:2", deadline.Token)).Why);
        var gone = await node.Control.UseDevicesAsync("10.0.0.9:4053", "cpu:2", Origins.Now("a test"), deadline.Token);
        Assert.StartsWith(
            "there is no node 10.0.0.9:4053 now: ", Assert.IsType<NodeReply.Refused>(gone).Why, StringComparison.Ordinal);
    }

    private static async Task<NodeReply> UseAsync(ElasticNode node, string devices, CancellationToken cancel)
    {
        // The node is enlisted a moment after it has joined.
        while ((await node.Control.NodesAsync(cancel)).Length == 0)
            await Task.Delay(20, cancel);
        return await node.Control.UseDevicesAsync($"{node.Endpoint}", devices, Origins.Now("a test"), cancel);
    }

    private static async Task<int> ChangeAsync(ElasticNode node, CancellationToken over)
    {
        var (random, changes) = (new Random(3), 0);
        while (!over.IsCancellationRequested)
        {
            int[] all = [0, 1, 2, 3, 4];
            random.Shuffle(all);
            var some = string.Join(',', all.Take(random.Next(2, 6)));
            Assert.IsType<NodeReply.HasDevices>(await UseAsync(node, $"cpu:{some}", CancellationToken.None));
            changes++;
            await Task.Delay(random.Next(30), CancellationToken.None);
        }

        return changes;
    }

    private void Count(DeviceId device) => _works.AddOrUpdate(device, 1, (_, n) => n + 1);

    private Task<ElasticNode> StartAsync(
        string devices, string data, NodeFaults faults, CancellationToken cancel, Action<string>? say = null) =>
        ElasticNode.StartAsync(
            NodeSettings.Defaults with { Devices = devices, DataDir = Path.Combine(_tiny.Root, data) }, NodeDuty.Train, say ?? (_ => { }),
            faults, Transport.Plain, cancel);
}
