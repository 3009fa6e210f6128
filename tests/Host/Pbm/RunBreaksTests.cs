using Elastic.Foundation;
using Elastic.Messages.Runs;
using static Elastic.Host.Tests.Pbm.PaletteCalls;

namespace Elastic.Host.Tests.Pbm;

/// <summary>Pause, resume and checkpoint, on a cluster of the test's making.</summary>
public sealed class RunBreaksTests
{

    private readonly FakeCluster _cluster = new();

    [Fact]
    public async Task A_run_is_paused_and_goes_on_in_the_name_of_who_asks()
    {
        Assert.Equal(["run tiny takes a break from its next step on; pbm run resume -n tiny goes on with it"], await Lines("pause"));
        _cluster.RunsByTurns = new([[FakeCluster.Tiny with { Phase = RunPhase.Paused }]]);
        Assert.Equal(["run tiny goes on; see it go: pbm run watch -n tiny"], await Lines("resume"));
        Assert.Equal(
            [new RunRequest.Pause(FakeCluster.Tiny.Name, Asker), new RunRequest.Resume(FakeCluster.Tiny.Name, Asker)], _cluster.Asked);
    }

    [Fact]
    public async Task What_is_so_already_is_said_to_be_so()
    {
        _cluster.RunsByTurns = new([[FakeCluster.Tiny with { Phase = RunPhase.Paused }], [FakeCluster.Tiny]]);
        Assert.Equal(["run tiny is paused already; pbm run resume -n tiny goes on with it"], await Lines("pause"));
        Assert.Equal(["run tiny takes no break; see it go: pbm run watch -n tiny"], await Lines("resume"));
        _cluster.RunsByTurns = new([[FakeCluster.Tiny with { Phase = RunPhase.Stopped }]]);
        Assert.Equal(["run tiny is stopped already; pbm run start -n tiny goes on with it"], await Lines("stop"));
        _cluster.RunsByTurns = new([[FakeCluster.Tiny with { Phase = RunPhase.Finished }]]);
        Assert.Equal(
            "run tiny is finished; more rounds begin with pbm run start -n tiny -s run.rounds=NUMBER",
            (await Assert.ThrowsAsync<ElasticException>(() => Lines("stop"))).Message);
    }

    [Fact]
    public async Task A_refusal_says_why_not()
    {
        _cluster.Refusal = "run tiny is stopped: pbm run start -n tiny goes on with it";
        foreach (var command in new[] { "pause", "resume", "checkpoint" })
            Assert.Equal(_cluster.Refusal, (await Assert.ThrowsAsync<ElasticException>(() => Lines(command))).Message);
    }

    [Fact]
    public async Task A_checkpoint_is_said_to_stand_once_it_does_with_its_folder_and_fingerprint()
    {
        var written = FakeCluster.Tiny with
        {
            Round = 8,
            CheckpointVersion = 8,
            CheckpointFingerprint = Digest.Of([]),
            Checkpoint = "/data/round-000008.json",
        };
        _cluster.RunsByTurns = new([[FakeCluster.Tiny], [FakeCluster.Tiny], [FakeCluster.Tiny with { Round = 8 }], [written]]);
        Assert.Equal(
            [
                "run tiny has no version to keep before the end of round 8",
                "the checkpoint of round 8 of run tiny stands: /data/round-000008.json", $"fingerprint {Digest.Of([]).Hex}",
            ], await Lines("checkpoint"));
        Assert.IsType<RunRequest.Checkpoint>(Assert.Single(_cluster.Asked));
    }

    [Fact]
    public async Task A_checkpoint_that_will_not_come_is_an_error()
    {
        _cluster.RunsByTurns = new([[FakeCluster.Tiny], [FakeCluster.Tiny with { Failure = "the disk is full" }]]);
        Assert.Equal("run tiny cannot go on: the disk is full",
            (await Assert.ThrowsAsync<ElasticException>(() => Lines("checkpoint"))).Message);
        _cluster.RunsByTurns = new([[FakeCluster.Tiny], []]);
        Assert.Equal("run tiny was deleted meanwhile", (await Assert.ThrowsAsync<ElasticException>(() => Lines("checkpoint"))).Message);
    }

    private Task<List<string>> Lines(string name)
    {
        var command = _cluster.Command($"run {name}");
        Assert.True(command.Changes);
        return command.TextsAsync(("name", "tiny"));
    }
}
