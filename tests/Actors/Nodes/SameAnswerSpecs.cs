using Elastic.Foundation;
using Elastic.Messages;
using Elastic.Messages.Observations;
using Elastic.Messages.Runs;
using Elastic.Messages.Settings;
using Elastic.Storage;

namespace Elastic.Actors.Tests.Nodes;

/// <summary>The answer does not depend on the machines: fingerprints are compared, never losses.</summary>
public sealed class SameAnswerSpecs : IDisposable
{
    private readonly TinyRun _tiny = new();

    public void Dispose() => _tiny.Dispose();

    [Theory]
    [InlineData(AveragingMethod.Average, "gpt2")]
    [InlineData(AveragingMethod.Nesterov, "gpt2")]
    [InlineData(AveragingMethod.Average, "llama")]
    [InlineData(AveragingMethod.Average, "bert")]
    [InlineData(AveragingMethod.Average, "transformer")]
    [InlineData(AveragingMethod.Nesterov, "gpt2 with adapters")]
    public async Task Four_replicas_of_four_micro_batches_give_one_fingerprint_on_one_two_and_three_devices(
        AveragingMethod averaging, string architecture)
    {
        var settings = Of(architecture, TinyRun.Settings("a", replicas: 4, averaging));
        var fingerprints = new List<Digest?>();
        foreach (var devices in new[] { "cpu:1", "cpu:2", "cpu:3" })
            fingerprints.Add((await _tiny.TrainAsync(settings, devices, data: devices.Replace(':', '-'))).Fingerprint);

        Assert.NotNull(fingerprints[0]);
        Assert.Single(fingerprints.Distinct());
    }

    private static TrainingSettings Of(string architecture, TrainingSettings settings)
    {
        settings = settings with
        {
            Model = settings.Model with
            {
                Architecture = architecture.Split(' ')[0],
                Lora = settings.Model.Lora with { Rank = architecture.EndsWith("adapters", StringComparison.Ordinal) ? 2 : 0 },
            },
        };
        return settings.Model.ReadsPairs
            ? settings with { Corpus = settings.Corpus with { Samples = SampleKind.Pairs, AnswerField = "answer" } }
            : settings;
    }

    // No parameter of these models depends on the context.
    [Theory]
    [InlineData("llama", SampleKind.Blocks)]
    [InlineData("llama", SampleKind.Documents)]
    [InlineData("transformer", SampleKind.Pairs)]
    public async Task Short_samples_of_a_model_with_a_long_context_give_the_weights_and_the_score_of_one_with_a_short_context(
        string architecture, SampleKind samples)
    {
        var settings = Of(architecture, TinyRun.Settings("a"));
        settings = settings with { Corpus = settings.Corpus with { Samples = samples } };
        var expected = await _tiny.TrainAsync(settings, "cpu:1", data: "short");
        settings = settings with
        {
            Model = settings.Model with { Context = 4 * settings.Model.Context },
            Corpus = settings.Corpus with { SampleTokens = settings.Model.Context },
        };
        var view = await _tiny.TrainAsync(settings, "cpu:2", data: "long");
        Assert.Equal((expected.Fingerprint, expected.ValLoss, expected.Tokens), (view.Fingerprint, view.ValLoss, view.Tokens));
        Assert.NotNull(view.ValLoss);
        Assert.Equal(expected.SourceScores!, view.SourceScores!);
    }

    [Fact]
    public async Task Scores_by_source_are_sums_of_the_one_score_with_the_same_bits_on_one_and_three_devices()
    {
        var settings = TinyRun.Settings("a", rounds: 2);
        var (one, three) = (
            await _tiny.TrainAsync(settings, "cpu:1", data: "one"), await _tiny.TrainAsync(settings, "cpu:3", data: "three"));
        Assert.True(one.SourceScores!.Length > 1);
        Assert.Equal(one.SourceScores, three.SourceScores);
        Assert.Equal(
            one.ValLoss!.Value, one.SourceScores.Sum(s => s.Nats) / one.SourceScores.Sum(s => s.Targets), 1e-12 * one.ValLoss.Value);
        Assert.Equal(8 * settings.Model.Context, one.SourceScores.Sum(s => s.Targets));
        var store = new ObservationStore(DatabaseAddress.Parse(null, Path.Combine(_tiny.Root, "one")));
        var observed = (await store.ReadAsync(new ObservationQuery(AtMost: 10_000), default)).Select(o => o.What).OfType<ScoreOfSource>();
        Assert.Equal(
            one.SourceScores, observed.Where(o => o.Version == 2).Select(o => new SourceScore(o.Source, o.Nats, o.Targets)));
    }

    // 448 pairs: whole steps of 400 or 80, and a last one of 48, in which not every replica has samples, or as many as others.
    [Theory]
    [InlineData("bert", 4, 100)]
    [InlineData("transformer", 2, 40)]
    public async Task An_epoch_of_pairs_that_ends_inside_of_a_step_reads_each_pair_once_and_gives_one_fingerprint(
        string architecture, int replicas, int sequences)
    {
        var settings = TinyRun.Settings("a", replicas);
        settings = settings with
        {
            Run = settings.Run with { Rounds = null, Epochs = 1 },
            Batch = settings.Batch with { Sequences = sequences, Micro = sequences / 4 },
            Model = settings.Model with { Architecture = architecture },
            Corpus = settings.Corpus with { Samples = SampleKind.Pairs, AnswerField = "answer" },
        };
        var fingerprints = new List<Digest?>();
        foreach (var devices in new[] { "cpu:1", "cpu:3" })
        {
            var data = devices.Replace(':', '-');
            fingerprints.Add((await _tiny.TrainAsync(settings, devices, data)).Fingerprint);
            var audit = await JournalAudit.RunAsync(
                Path.Combine(_tiny.Root, data), null, new RunName("a"), TestContext.Current.CancellationToken);
            Assert.True(audit.IsProven, string.Join(Environment.NewLine, audit.Problems));
            var epoch = Assert.Single(audit.Epochs);
            Assert.Equal((epoch.Blocks, epoch.Blocks), (epoch.Consumed, audit.Samples));
            Assert.NotEqual(0, epoch.Blocks % (replicas * sequences));
        }

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
    [InlineData("gpt2", TrainingPrecision.Fp32)]
    [InlineData("gpt2", TrainingPrecision.Fp16)]
    [InlineData("gpt2", TrainingPrecision.Bf16)]
    [InlineData("bert", TrainingPrecision.Fp32)]
    [InlineData("transformer", TrainingPrecision.Fp32)]
    [InlineData("gpt2 with adapters", TrainingPrecision.Fp32)]
    public async Task A_run_stopped_in_the_middle_of_a_round_and_started_again_ends_as_if_nothing_had_happened(
        string architecture, TrainingPrecision precision)
    {
        var settings = Of(architecture, TinyRun.Settings("a", replicas: 2, rounds: 4, innerSteps: 10));
        settings = settings with { Run = settings.Run with { Precision = precision } };
        var undisturbed = await _tiny.TrainAsync(settings, "cpu:2", data: "undisturbed");

        var stopped = await _tiny.TrainAsync(
            settings, "cpu:2", data: "stopped", stop: v => v is { Round: 2, Samples: > 2 * 2 * 10 * 8 }, hold: TinyRun.HeldIn(2));
        Assert.Equal((RunPhase.Stopped, 2), (stopped.Phase, stopped.Round));
        var resumed = await _tiny.TrainAsync(settings, "cpu:1", data: "stopped");

        Assert.Equal(RunPhase.Finished, resumed.Phase);
        Assert.Equal(undisturbed.Fingerprint, resumed.Fingerprint);
        // Each sample once, and no problem.
        var report = await JournalAudit.RunAsync(Path.Combine(_tiny.Root, "stopped"), null, new RunName("a"), CancellationToken.None);
        Assert.Equal((true, 4, 4L * 2 * 10 * 8), (report.IsProven, report.Rounds, report.Samples));
    }

    [Fact]
    public async Task A_run_stopped_and_started_again_in_the_same_process_goes_on()
    {
        var settings = TinyRun.Settings("a", rounds: 4, innerSteps: 10);
        var undisturbed = await _tiny.TrainAsync(settings, "cpu:2", data: "undisturbed");

        using var deadline = new CancellationTokenSource(TinyRun.Patience);
        await using var node = await _tiny.StartAsync("cpu:2", "stopped", deadline.Token, TinyRun.HeldIn(2));
        // In the middle of the round: a run that stops before its first step would be held when it goes on.
        var stopped = await _tiny.TrainAsync(node, settings, v => v.Round == 2 && v.Steps > 20, deadline.Token);
        var resumed = await _tiny.TrainAsync(node, settings, null, deadline.Token);

        Assert.Equal((RunPhase.Stopped, 2), (stopped.Phase, stopped.Round));
        Assert.Equal(RunPhase.Finished, resumed.Phase);
        Assert.Equal(undisturbed.Fingerprint, resumed.Fingerprint);
    }
}
