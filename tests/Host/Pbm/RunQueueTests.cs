using Elastic.Foundation;
using Elastic.Host.Configuration;
using Elastic.Host.Pbm;
using Elastic.Messages.Runs;
using Elastic.Storage;
using static Elastic.Host.Tests.Pbm.PaletteCalls;

namespace Elastic.Host.Tests.Pbm;

/// <summary>What people see of the queue of runs, and how they change it, on a cluster of the test's making.</summary>
public sealed class RunQueueTests
{
    private static readonly RunView Big = FakeCluster.Tiny with
    {
        Name = new("big"),
        RunId = new("big-3k9v2mq7"),
        Priority = 5,
        Needs = ["fast"],
        Devices = 3,
    };

    private readonly FakeCluster _cluster = new()
    {
        Runs =
        [
            FakeCluster.Tiny with { Devices = 3, WaitsFor = "devices: run big has priority 5" }, Big,
            FakeCluster.Tiny with { Name = new("old"), RunId = new("old-3k9v2mq7"), Priority = 9, Phase = RunPhase.Paused },
        ],
        Nodes =
        [
            Views.Node("10.0.0.1:4053", "z-8h2m4xyq") with { Uses = [new(Big.RunId.Job, 2)] },
            Views.Node("10.0.0.2:4053", "b-8h2m4xyq") with { Uses = [new(Big.RunId.Job, 1)], State = "suspected" },
        ],
        Cluster = new([], null, "10.0.0.1:4053", "loopback only"),
    };

    [Fact]
    public async Task A_run_s_place_and_share_are_shown_in_the_list_of_the_cluster_and_of_the_run()
    {
        var list = await Lines("run", "list");
        Assert.EndsWith("2/3         5      1", list[1].Text, StringComparison.Ordinal);
        Assert.EndsWith("0/2         9", list[2].Text, StringComparison.Ordinal);
        Assert.EndsWith("0/3         0      2", list[3].Text, StringComparison.Ordinal);
        Assert.Equal((2, 1), ((int)list[1].Json!["devicesInUse"]!, (int)list[1].Json!["place"]!));
        Assert.Null(list[2].Json!["place"]);

        var cluster = await Lines("cluster", "show");
        Assert.Equal(
            [
                "run big: priority 5, place 1 in the queue, computes on 2 of 3 devices that may compute for it",
                "run tiny: priority 0, place 2 in the queue, computes on 0 of 3 devices that may compute for it",
            ], cluster.TakeLast(2).Select(l => l.Text));
        Assert.Equal(["big", "tiny"], cluster[0].Json!["queue"]!.AsArray().Select(r => (string?)r!["run"]));

        var why = await Lines("run", "why", ("name", "tiny"));
        Assert.Equal(
            ["it waits for devices: run big has priority 5",
                "priority 0, place 2 in the queue, computes on 0 of 3 devices that may compute for it"],
            why.Skip(1).Take(2).Select(l => l.Text));
        Assert.Contains("needs         fast", (await Lines("run", "status", ("name", "big"))).Select(l => l.Text));
    }

    [Fact]
    public async Task A_priority_is_set_as_the_setting_that_it_is_and_only_of_a_run_that_is_at_work()
    {
        _cluster.Remembered = new RememberedRun(FakeCluster.Tiny.RunId, Testing.TinySettings.Of("tiny"), Digest.Of([7]));
        Assert.Equal("run tiny has priority -3", Assert.Single(await Lines("run", "priority", ("name", "tiny"), ("priority", "-3"))).Text);
        Assert.Equal((-3, Asker), (_cluster.Started!.Run.Priority, _cluster.Asker));
        Assert.Contains("run.priority", (await Assert.ThrowsAsync<SettingsException>(
            () => Lines("run", "priority", ("name", "tiny"), ("priority", "high")))).Message, StringComparison.Ordinal);
        Assert.Equal(
            "run old is not at work: give it this with its start, pbm run start -n old -s run.priority=1",
            (await Assert.ThrowsAsync<ElasticException>(() => Lines("run", "priority", ("name", "old"), ("priority", "1")))).Message);
    }

    private Task<List<PbmLine>> Lines(string palette, string command, params (string Argument, string Value)[] values) =>
        _cluster.Command($"{palette} {command}").LinesAsync(values);
}
