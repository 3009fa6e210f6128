using Elastic.Foundation;
using Elastic.Messages;
using Elastic.Messages.Settings;
using Elastic.Model.Optimization;
using Elastic.Model.Splits;
using Elastic.Model.Tests.Collectives;
using Elastic.Model.Training;
using Elastic.Model.Vectors;

namespace Elastic.Model.Tests.Splits;

/// <summary>How a network is cut into stages, and how many micro-batches go through them together, never shows in the bits.</summary>
public sealed class PipelineTests
{
    // 64 x 1,024 tokens of 8,192 channels are 2^31 bytes.
    [Fact]
    public void What_a_stage_hands_over_is_counted_and_what_no_array_holds_is_refused_with_a_remedy()
    {
        Assert.Equal(1 << 30, PipelineStage.BytesOf(1 << 28));
        Assert.Equal(
            "the stages of a replica hand each other 2048 MiB for a micro-batch, and can hand over 2047 at once: lower batch.micro or "
            + "corpus.sample-tokens, or use run.stages = 1",
            Assert.Throws<ElasticException>(() => PipelineStage.BytesOf(64L * 1024 * 8192)).Message);
    }

    public static TheoryData<string, TrainingPrecision, string> All
    {
        get
        {
            var all = new TheoryData<string, TrainingPrecision, string>
            {
                { "gpt2", TrainingPrecision.Fp32, "muon" }, { "gpt2", TrainingPrecision.Fp16, "adamw" },
            };
            foreach (var kind in PrecisionTests.Kinds.Keys)
            {
                all.Add(kind, TrainingPrecision.Fp32, "adamw");
                all.Add(kind, TrainingPrecision.Bf16, "adamw");
            }
            return all;
        }
    }

    [Theory]
    [MemberData(nameof(All))]
    public async Task Every_number_of_stages_and_of_groups_gives_one_digest(string kind, TrainingPrecision of, string optimizer)
    {
        // Deep enough for four stages.
        var (model, precision) = (PrecisionTests.Kinds[kind] with { Layers = 3 }, Precision.Of(of));
        using var pool = new SplitPool(model, 6);
        var expected = await pool.TrainAsync(optimizer, precision, _ => new(1));
        foreach (var (devices, stages) in new[] { (2, 2), (4, 4), (4, 2), (5, 2), (3, 3) })
            Assert.Equal(
                (devices, stages, expected), (devices, stages, await pool.TrainAsync(optimizer, precision, _ => new(devices, stages))));
        // From one split to another between steps, and whole networks with and without ZeRO-2 in between.
        Split[] changes = [new(4, 4), new(2), new(4, 2)];
        Assert.Equal(expected, await pool.TrainAsync(optimizer, precision, step => changes[step], zero: 2));
    }

    [Theory]
    [InlineData(RecomputeMode.Blocks)]
    [InlineData(RecomputeMode.Full)]
    public async Task What_a_stage_computes_again_gives_the_same_digest(RecomputeMode mode)
    {
        foreach (var kind in new[] { "gpt2", "transformer" })
        {
            var model = PrecisionTests.Kinds[kind] with { Layers = 4 };
            using var kept = new SplitPool(model, 3);
            using var again = new SplitPool(model, 3, mode);
            Assert.Equal(
                await kept.TrainAsync("adamw", Precision.Bf16, _ => new(1)),
                await again.TrainAsync("adamw", Precision.Bf16, _ => new(3, 3)));
        }
    }

    // Of a stage's works in a step: whether it has a stage, its beginning, then passes in turn.
    [Theory]
    [InlineData(1, 2, "stage 1 of 3 (cpu:1) did not end its forward pass of micro-batch 1 within", 3, 2)]
    [InlineData(1, 3, "stage 1 of 3 (cpu:1) did not end its backward pass of micro-batch 0 within", 3, 4)]
    [InlineData(2, 2, "stage 2 of 3 (cpu:2) did not end its backward pass of micro-batch 0 within", 3, 2)]
    public async Task A_stage_that_hangs_is_named_and_the_others_repeat_the_step_without_it(
        int stage, int work, string message, params int[] passesOfOthers)
    {
        var model = PrecisionTests.Kinds["gpt2"];
        using var vectors = Samples.Initialized(model);
        using var pool = new SplitPool(model, 3);                       // ends first: what a stage does goes on after a step has failed
        var expected = await pool.TrainAsync("adamw", Precision.Fp32, _ => new(1));
        await pool.AttachAsync(vectors);
        var clock = new HandClock();
        List<CountedDevice> counted = [.. pool.Devices.Select(d => new CountedDevice(d))];
        var hung = new TroubledDevice(counted[stage]);
        IReadOnlyList<IDeviceThread> devices = [.. counted.Select((d, i) => i == stage ? (IDeviceThread)hung : d)];
        var step = Step(devices, vectors, 3, clock);
        await SplitPool.TakeAsync(step, model, 0);
        // From the second step on, the group is open.
        hung.HangsIn = counted[stage].Ended + work;
        var others = counted.Where((_, i) => i != stage).ToList();
        // Before their passes all begin the step, and the first is asked for its vocabulary.
        var idle = Task.WhenAll(others.Zip(passesOfOthers, (d, passes) => d.WhenEnded(d.Ended + passes + (d == counted[0] ? 2 : 1))));
        var running = SplitPool.TakeAsync(step, model, 1);
        await hung.Hangs;
        await idle;
        clock.Pass(StepDeadlines.Default.Most);
        var lost = await Assert.ThrowsAsync<DeviceFailedException>(() => running);
        Assert.StartsWith(message, lost.Message, StringComparison.Ordinal);
        Assert.True(lost.IsLost);
        Assert.False(step.IsUpdating);

        // It goes on after all, beside those that repeat the step.
        IReadOnlyList<IDeviceThread> left = [.. pool.Devices.Where((_, i) => i != stage)];
        step = Step(left, vectors, 2, clock);
        hung.Release();
        for (var number = 1; number < SplitPool.Steps; number++)
            await SplitPool.TakeAsync(step, model, number);
        Assert.Equal(expected, Samples.DigestOf(vectors));
    }

    [Fact]
    public async Task A_stage_that_fails_is_named_with_its_pass()
    {
        var model = PrecisionTests.Kinds["gpt2"];
        using var vectors = Samples.Initialized(model);
        using var pool = new SplitPool(model, 4);
        await pool.AttachAsync(vectors);
        var broken = new TroubledDevice(pool.Devices[3]);
        IReadOnlyList<IDeviceThread> devices = [.. pool.Devices.Take(3), broken];
        var step = Step(devices, vectors, 2, TimeProvider.System);
        await SplitPool.TakeAsync(step, model, 0);
        broken.Before = _ => throw new InvalidOperationException("no power\nframe #0: a stack");
        Assert.Equal(
            "stage 1 of 2 of group 1 (cpu:3) failed in its preparation: no power",
            (await Assert.ThrowsAsync<DeviceFailedException>(() => SplitPool.TakeAsync(step, model, 1))).Message);
    }

    [Fact]
    public async Task A_stage_that_finds_its_neighbours_memory_gone_tells_which_device_is_lost()
    {
        var model = PrecisionTests.Kinds["gpt2"];
        using var vectors = Samples.Initialized(model);
        using var pool = new SplitPool(model, 2);
        await pool.AttachAsync(vectors);
        var reader = new TroubledDevice(pool.Devices[1]);
        var step = Step([pool.Devices[0], reader], vectors, 2, TimeProvider.System);
        await SplitPool.TakeAsync(step, model, 0);
        reader.Before = _ => throw new DeviceFailedException(pool.Devices[0].Id, isLost: true, "cpu:0 is lost to this process");
        var lost = await Assert.ThrowsAsync<DeviceFailedException>(() => SplitPool.TakeAsync(step, model, 1));
        Assert.Equal((new DeviceId("cpu:0"), true), (lost.Device, lost.IsLost));
        Assert.Equal("stage 1 of 2 (cpu:1) did not end its preparation: cpu:0 is lost to this process", lost.Message);
    }

    private static TrainingStep Step(IReadOnlyList<IDeviceThread> devices, ReplicaVectors vectors, int stages, TimeProvider time) => new(
        devices, new LocalCollective(devices, time), vectors.Layout, new AdamW(DevicePool.Optimizer), 1, time: time, stages: stages);
}
