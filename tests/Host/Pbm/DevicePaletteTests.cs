using Elastic.Foundation;
using Elastic.Host.Configuration;
using Elastic.Host.Pbm;
using Elastic.Messages;
using Elastic.Messages.Nodes;
using Elastic.Messages.Pbm;
using Elastic.Messages.Runs;
using Elastic.Storage;

namespace Elastic.Host.Tests.Pbm;

/// <summary>The commands that change which devices compute, on a cluster of the test's making.</summary>
public sealed class DevicePaletteTests
{
    private static readonly Origin Asker = new("1", "pbm anna@gpu7", DateTimeOffset.UnixEpoch);

    private readonly FakeCluster _cluster = new() { Nodes = [Node("10.0.0.1:4053", "z-8h2m4xyq"), Node("10.0.0.2:4053", "b-8h2m4xyq")] };

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
        _cluster.Nodes = [];
        Assert.StartsWith("no nodes yet: ", (await Assert.ThrowsAsync<NotFoundException>(
            () => Lines("node", "devices"))).Message, StringComparison.Ordinal);
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

    private static NodeView Node(string address, string id) => new()
    {
        Node = new(id),
        Address = address,
        Seed = false,
        Devices = ["cpu:0"],
        Endpoint = "",
        Version = "0.1.0",
        State = "up",
        Work = [],
        Arithmetic = "",
    };

    private async Task<List<string>> Lines(string palette, string command, params (string Argument, string Value)[] values)
    {
        var found = ControlPalettes.Of(_cluster.Control, TimeProvider.System).Single(p => p.Name == palette)
            .Commands.Single(c => c.Help.Name == command);
        var lines = new List<string>();
        var call = PbmCall.Of(found.Help, [.. values.Select(v => new CallValue(v.Argument, v.Value))], Asker);
        await foreach (var line in found.Handler(call, TestContext.Current.CancellationToken))
            lines.Add(line.Text!);
        return lines;
    }
}
