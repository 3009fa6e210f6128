using Elastic.Actors.Control;
using Elastic.Actors.Nodes;
using Elastic.Foundation;
using Elastic.Messages.Runs;
using Elastic.Messages.Settings;

namespace Elastic.Actors.Tests.Nodes;

/// <summary>A run that is made longer: where the learning rate does not depend on the length, nobody sees when that was.</summary>
public sealed class LongerRunSpecs : IDisposable
{
    private readonly TinyRun _tiny = new();

    public void Dispose() => _tiny.Dispose();

    [Fact]
    public async Task Rounds_that_are_added_at_any_moment_give_the_bits_of_a_run_that_had_them_from_the_start()
    {
        var (two, four) = (Constant(2), Constant(4));
        var straight = await _tiny.TrainAsync(four, "cpu:1", data: "straight");

        var finished = await _tiny.TrainAsync(two, "cpu:1", data: "finished");
        Assert.Equal((RunPhase.Finished, 2), (finished.Phase, finished.Round));
        Assert.NotEqual(straight.Fingerprint, finished.Fingerprint);
        var longer = await _tiny.TrainAsync(four, "cpu:2", data: "finished");
        Assert.Equal((4, straight.Fingerprint), (longer.Round, longer.Fingerprint));

        // Stopped within the first round, and then made longer.
        var stopped = await _tiny.TrainAsync(two, "cpu:1", data: "stopped", stop: v => v.Steps > 0, hold: TinyRun.HeldIn(0));
        Assert.Equal((RunPhase.Stopped, 0), (stopped.Phase, stopped.Round));
        Assert.Equal(straight.Fingerprint, (await _tiny.TrainAsync(four, "cpu:1", data: "stopped")).Fingerprint);

        Assert.Equal(straight.Fingerprint, (await WhileItRunsAsync(two, four)).Fingerprint);
    }

    [Fact]
    public async Task With_a_schedule_that_falls_the_change_decides_the_bits_and_machines_do_not()
    {
        var (two, four) = (Falling(2), Falling(4));
        var straight = await _tiny.TrainAsync(four, "cpu:1", data: "straight");
        await _tiny.TrainAsync(two, "cpu:1", data: "one");
        var one = await _tiny.TrainAsync(four, "cpu:1", data: "one");
        await _tiny.TrainAsync(two, "cpu:2", data: "other");
        var stopped = await _tiny.TrainAsync(
            four, "cpu:2", data: "other", stop: v => v is { Round: 2, Steps: > 2 * 20 }, hold: TinyRun.HeldIn(2));
        Assert.Equal((RunPhase.Stopped, 2), (stopped.Phase, stopped.Round));
        var other = await _tiny.TrainAsync(four, "cpu:1", data: "other");
        Assert.Equal((RunPhase.Finished, one.Fingerprint), (other.Phase, other.Fingerprint));
        Assert.NotEqual(straight.Fingerprint, one.Fingerprint);
    }

    private async Task<RunView> WhileItRunsAsync(TrainingSettings two, TrainingSettings four)
    {
        using var deadline = new CancellationTokenSource(TinyRun.Patience);
        TaskCompletionSource begun = new(TaskCreationOptions.RunContinuationsAsynchronously),
            asked = new(TaskCreationOptions.RunContinuationsAsynchronously);
        // The first round is not over before more of them were asked for.
        await using var node = await ElasticNode.StartAsync(
            NodeSettings.Defaults with { Devices = "cpu:1", DataDir = Path.Combine(_tiny.Root, "running") }, NodeDuty.Train, _ => { },
            new NodeFaults(AfterStep: (_, _) =>
            {
                begun.TrySetResult();
                return asked.Task.WaitAsync(deadline.Token);
            }), Transport.Plain, deadline.Token);
        var corpus = await node.BuildCorpusAsync(
            two.Corpus with { Sources = [Path.Combine(_tiny.Root, "text")] }, null, deadline.Token);
        var training = _tiny.TrainAsync(node, two, null, deadline.Token);
        await begun.Task.WaitAsync(deadline.Token);
        var reply = await node.StartRunAsync(four, corpus, Origins.Now("a test"));
        asked.SetResult();
        Assert.Contains("the run has 4 rounds from now on, where it had 2", Assert.IsType<RunReply.Accepted>(reply).Notice!);
        return await training;
    }

    private static TrainingSettings Constant(int rounds) => Falling(rounds) is var s
        ? s with { Optimizer = s.Optimizer with { Schedule = LearningRateSchedule.Constant } } : s;

    private static TrainingSettings Falling(int rounds) => TinyRun.Settings("a", rounds: rounds, innerSteps: 20);
}
