using Elastic.Foundation;
using Elastic.Messages.Runs;
using Elastic.Messages.Settings;

namespace Elastic.Actors.Tests.Nodes;

/// <summary>The answer does not depend on the machines: fingerprints are compared, never losses.</summary>
public sealed class SameAnswerSpecs : IDisposable
{
    // A round of so many steps is not over, nor are the rounds after it, before a stop has come through.
    private const int StepsToStopIn = 40;

    private readonly TinyRun _tiny = new();

    public void Dispose() => _tiny.Dispose();

    [Theory]
    [InlineData(AveragingMethod.Average, "gpt2")]
    [InlineData(AveragingMethod.Nesterov, "gpt2")]
    [InlineData(AveragingMethod.Average, "llama")]
    [InlineData(AveragingMethod.Average, "bert")]
    [InlineData(AveragingMethod.Average, "transformer")]
    public async Task Four_replicas_of_four_micro_batches_give_one_fingerprint_on_one_two_and_three_devices(
        AveragingMethod averaging, string architecture)
    {
        var settings = TinyRun.Settings("a", replicas: 4, averaging);
        settings = settings with { Model = settings.Model with { Architecture = architecture } };
        if (settings.Model.ReadsPairs)
            settings = settings with { Corpus = settings.Corpus with { Samples = SampleKind.Pairs, AnswerField = "answer" } };
        var fingerprints = new List<Digest?>();
        foreach (var devices in new[] { "cpu:1", "cpu:2", "cpu:3" })
            fingerprints.Add((await _tiny.TrainAsync(settings, devices, data: devices.Replace(':', '-'))).Fingerprint);

        Assert.NotNull(fingerprints[0]);
        Assert.Single(fingerprints.Distinct());
    }

    [Fact]
    public async Task Another_seed_gives_another_fingerprint()
    {
        var settings = TinyRun.Settings("a");
        var one = await _tiny.TrainAsync(settings, "cpu:1", data: "one");
        var other = await _tiny.TrainAsync(settings with { Run = settings.Run with { Seed = 43 } }, "cpu:1", data: "other");

        Assert.NotEqual(one.Fingerprint, other.Fingerprint);
    }

    // In fp16 the loss scale is handed over with the moments: without it the steps that were skipped would be others.
    [Theory]
    [InlineData(TrainingPrecision.Fp32)]
    [InlineData(TrainingPrecision.Fp16)]
    public async Task A_run_stopped_in_the_middle_of_a_round_and_started_again_ends_as_if_nothing_had_happened(TrainingPrecision precision)
    {
        var settings = TinyRun.Settings("a", replicas: 2, rounds: 6, innerSteps: StepsToStopIn);
        settings = settings with { Run = settings.Run with { Precision = precision } };
        var undisturbed = await _tiny.TrainAsync(settings, "cpu:2", data: "undisturbed");

        var stopped = await _tiny.TrainAsync(settings, "cpu:2", data: "stopped", stop: v => v is { Round: 2, Steps: > 2 * StepsToStopIn });
        Assert.Equal(RunPhase.Stopped, stopped.Phase);
        Assert.True(stopped.Round < 6);
        var resumed = await _tiny.TrainAsync(settings, "cpu:1", data: "stopped");

        Assert.Equal(RunPhase.Finished, resumed.Phase);
        Assert.Equal(undisturbed.Fingerprint, resumed.Fingerprint);
    }

    [Fact]
    public async Task A_run_stopped_and_started_again_in_the_same_process_goes_on()
    {
        var settings = TinyRun.Settings("a", rounds: 6, innerSteps: StepsToStopIn);
        var undisturbed = await _tiny.TrainAsync(settings, "cpu:2", data: "undisturbed");

        using var deadline = new CancellationTokenSource(TimeSpan.FromMinutes(2));
        await using var node = await _tiny.StartAsync("cpu:2", "stopped", deadline.Token);
        var stopped = await _tiny.TrainAsync(node, settings, v => v.Round == 2, deadline.Token);
        var resumed = await _tiny.TrainAsync(node, settings, null, deadline.Token);

        Assert.Equal(RunPhase.Stopped, stopped.Phase);
        Assert.Equal(RunPhase.Finished, resumed.Phase);
        Assert.Equal(undisturbed.Fingerprint, resumed.Fingerprint);
    }
}
