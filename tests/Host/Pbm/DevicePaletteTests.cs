using Elastic.Foundation;
using Elastic.Host.Configuration;
using Elastic.Messages;
using Elastic.Messages.Nodes;
using Elastic.Messages.Runs;
using Elastic.Storage;
using static Elastic.Host.Tests.Pbm.PaletteCalls;

namespace Elastic.Host.Tests.Pbm;

/// <summary>The commands that change which devices compute, on a cluster of the test's making.</summary>
public sealed class DevicePaletteTests
{

    private readonly FakeCluster _cluster = new()
    {
        Nodes = [Views.Node("10.0.0.1:4053", "z-8h2m4xyq"), Views.Node("10.0.0.2:4053", "b-8h2m4xyq")],
    };

    [Fact]
    public async Task Without_new_devices_those_of_the_node_are_shown()
    {
        Assert.Equal(["node 10.0.0.2:4053 has cpu:0"], await Lines("node", "devices", ("node", "b-8h2m4xyq")));
        _cluster.Nodes = [_cluster.Nodes[0]];
        Assert.Equal(["node 10.0.0.1:4053 has cpu:0"], await Lines("node", "devices"));
        Assert.Equal(default, _cluster.Used);
    }

    [Fact]
    public async Task New_devices_are_asked_of_the_node_and_said_with_what_there_is_to_know()
    {
        _cluster.Notice = "a replica of run tiny uses 1 of these 2 devices";
        Assert.Equal(
            ["node 10.0.0.1:4053 has cpu:0,2", _cluster.Notice],
            await Lines("node", "devices", ("node", "10.0.0.1:4053"), ("devices", "cpu:0,2")));
        Assert.Equal((("z-8h2m4xyq", "cpu:0,2"), Asker), (_cluster.Used, _cluster.Asker));
    }

    [Fact]
    public async Task What_the_node_refuses_and_nodes_that_are_not_there_are_said()
    {
        _cluster.Refusal = "-d names device 1 twice: name each once";
        Assert.Equal(_cluster.Refusal, (await Assert.ThrowsAsync<ElasticException>(
            () => Lines("node", "devices", ("node", "10.0.0.1:4053"), ("devices", "cpu:1,1")))).Message);
        Assert.StartsWith("there is no node gpu9: ", (await Assert.ThrowsAsync<NotFoundException>(
            () => Lines("node", "devices", ("node", "gpu9")))).Message, StringComparison.Ordinal);
        Assert.Equal(
            "there are 2 nodes (10.0.0.1:4053, 10.0.0.2:4053): name one, e.g. pbm node devices -n 10.0.0.1:4053",
            (await Assert.ThrowsAsync<SettingsException>(() => Lines("node", "devices"))).Message);
        _cluster.Nodes = [Views.Node("gpu7:4053", "z-8h2m4xyq")];
        Assert.StartsWith("node gpu7:4053", (await Lines("node", "devices", ("node", "GPU7:4053")))[0], StringComparison.Ordinal);
        _cluster.Nodes = [];
        Assert.StartsWith("no nodes yet: ", (await Assert.ThrowsAsync<NotFoundException>(
            () => Lines("node", "devices"))).Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task What_the_threads_and_the_work_of_a_node_do_is_shown_on_lines_of_their_own()
    {
        _cluster.Threads = node => new NodeReply.Threads(node, 42, ["tiny-3k9v2mq7 compute 5 replica 0 computes step 7, for 0.1 s"],
            [new("elastic-devic\u001b", "runs", "", 12.25, 0.975), new(".NET TP Worker", "waits", "futex_wait_queue", 0.5, 0)]);
        Assert.Equal(
            [
                "node 10.0.0.2:4053, process 42",
                "tiny-3k9v2mq7 compute 5 replica 0 computes step 7, for 0.1 s",
                "THREAD          STATE  WAITS IN          CPU NOW  CPU IN ALL",
                "elastic-devic\uFFFD  runs                        98 %      12.3 s",
                ".NET TP Worker  waits  futex_wait_queue      0 %       0.5 s",
            ],
            await Lines("node", "stacks", ("node", "b-8h2m4xyq")));
        Assert.Equal(Asker, _cluster.Asker);
        _cluster.Threads = node => new NodeReply.Threads(node, 42, [], []);
        Assert.Equal(
            ["node 10.0.0.1:4053, process 42", "its operating system says nothing of its threads"],
            await Lines("node", "stacks", ("node", "10.0.0.1:4053")));
        Assert.EndsWith("name one, e.g. pbm node stacks -n 10.0.0.1:4053", (await Assert.ThrowsAsync<SettingsException>(
            () => Lines("node", "stacks"))).Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("1", "a replica of run tiny uses 1 device of its node at most")]
    [InlineData("3", "a replica of run tiny uses 3 devices of its node at most")]
    [InlineData("0", "a replica of run tiny uses all devices of its node that are free")]
    public async Task A_run_is_scaled_by_its_setting_and_nothing_else_changes(string devices, string said)
    {
        var settings = Testing.TinySettings.Of("tiny");
        _cluster.Remembered = new RememberedRun(new RunId("tiny-3k9v2mq7"), settings, Digest.Of([1]));
        Assert.Equal([said], await Lines("run", "scale", ("devices", devices)));
        var run = settings.Run with { DevicesPerReplica = int.Parse(devices, System.Globalization.CultureInfo.InvariantCulture) };
        Assert.Equal(settings with { Run = run, Corpus = _cluster.Started!.Corpus }, _cluster.Started);
    }

    [Fact]
    public async Task A_run_is_not_scaled_beyond_the_memory_of_a_node_that_computes_it()
    {
        var settings = Testing.TinySettings.Of("tiny");
        settings = settings with { Run = settings.Run with { DevicesPerReplica = 1 } };
        _cluster.Remembered = new RememberedRun(FakeCluster.Tiny.RunId, settings, Digest.Of([1]));
        var busy = _cluster.Nodes[0] with
        {
            Devices = ["cpu:0", "cpu:1", "cpu:2", "cpu:3"],
            Work = [$"{FakeCluster.Tiny.RunId} compute 5 replica 0"],
            FreeMemoryBytes = 1000,
        };
        _cluster.Nodes = [busy, _cluster.Nodes[1] with { FreeMemoryBytes = 1 }];                   // the other one has nothing of the run
        Assert.Matches(
            @"^node 10\.0\.0\.1:4053: training here needs .* more on 3 devices than on 1 device .* 1000 B are free: use fewer devices",
            (await Assert.ThrowsAsync<ElasticException>(() => Lines("run", "scale", ("devices", "3")))).Message);
        Assert.Null(_cluster.Started);
        _cluster.Nodes = [busy with { FreeMemoryBytes = 1 << 30 }];
        await Lines("run", "scale", ("devices", "3"));
        Assert.NotNull(_cluster.Started);
    }

    [Fact]
    public async Task A_run_that_is_not_at_work_is_not_started_by_scaling_it()
    {
        _cluster.Runs = [FakeCluster.Tiny with { Phase = RunPhase.Stopped }];
        Assert.Equal(
            "run tiny is not at work: give it this with its start, pbm run start -n tiny -s run.devices-per-replica=2",
            (await Assert.ThrowsAsync<ElasticException>(() => Lines("run", "scale", ("devices", "2")))).Message);
        Assert.Null(_cluster.Started);
    }

    [Theory]
    [InlineData("two")]
    [InlineData("-1")]
    [InlineData("1025")]
    public async Task A_number_of_devices_that_is_none_is_refused(string devices)
    {
        var settings = Testing.TinySettings.Of("tiny");
        _cluster.Remembered = new RememberedRun(new RunId("tiny-3k9v2mq7"), settings, Digest.Of([1]));
        Assert.Contains("run.devices-per-replica", (await Assert.ThrowsAsync<SettingsException>(
            () => Lines("run", "scale", ("devices", devices)))).Message, StringComparison.Ordinal);
    }

    private Task<List<string>> Lines(string palette, string command, params (string Argument, string Value)[] values) =>
        _cluster.Command($"{palette} {command}").TextsAsync(values);
}
