using Elastic.Foundation;
using Elastic.Messages;
using Elastic.Messages.Settings;
using Elastic.Model.Networks;
using Elastic.Model.Optimization;
using Elastic.Model.Tests.Collectives;
using Elastic.Model.Training;

namespace Elastic.Model.Tests.Splits;

/// <summary>Pipelines whose stages are tensor groups, or have several pieces of the network: no split shows in the bits.</summary>
public sealed class SharedStagesTests
{
    // With tied embeddings and dropout; the Llama's are apart.
    private static readonly ModelSettings Gpt2 = Samples.Model(3, 4, 32, 16, 97) with { Dropout = 0.1 };

    private static readonly ModelSettings Llama =
        Samples.Llama(3, 4, 4, 32, 16, 97, l => l with { TiedEmbeddings = false, HeadNorms = true }) with { Dropout = 0.1 };

    [Theory]
    [InlineData("gpt2", TrainingPrecision.Fp32, "adamw")]
    [InlineData("gpt2", TrainingPrecision.Bf16, "muon")]
    [InlineData("llama", TrainingPrecision.Bf16, "adamw")]
    public async Task Stages_of_several_devices_give_the_parameters_and_moments_of_one_device(
        string kind, TrainingPrecision of, string optimizer)
    {
        var precision = Precision.Of(of);
        using var pool = new SplitPool(kind == "gpt2" ? Gpt2 : Llama, 8);
        var expected = await pool.TrainAsync(optimizer, precision, _ => new(1));
        // Two stages and three, two ranks and four, two pipelines beside each other, a device that is left over; stages of two pieces.
        foreach (var split in new Split[] { new(4, 2, 2), new(7, 3, 2), new(8, 2, 4), new(8, 2, 2), new(5, 2, 1, 2), new(4, 2, 2, 2) })
            Assert.Equal((split, expected), (split, await pool.TrainAsync(optimizer, precision, _ => split)));
        Split[] changes = [new(4, 2, 2), new(4, 4), new(2, 2, 1, 2)];
        Assert.Equal(expected, await pool.TrainAsync(optimizer, precision, step => changes[step]));
        changes = [new(2), new(8, 2, 2), new(4, 2, 2)];
        Assert.Equal(expected, await pool.TrainAsync(optimizer, precision, step => changes[step], zero: 2));
    }

    [Theory]
    [InlineData(RecomputeMode.Blocks)]
    [InlineData(RecomputeMode.Full)]
    public async Task What_a_shared_stage_computes_again_gives_the_same_digest(RecomputeMode mode)
    {
        using var kept = new SplitPool(Gpt2, 1);
        using var again = new SplitPool(Gpt2, 4, mode);
        Assert.Equal(
            await kept.TrainAsync("adamw", Precision.Bf16, _ => new(1)),
            await again.TrainAsync("adamw", Precision.Bf16, _ => new(4, 2, 2, 2)));
    }

    // Units of the second pipeline: micro-batch 17 alone, then pairs, which need more memory while 17 is between its two passes.
    [Theory]
    [InlineData(1, 1)]
    [InlineData(2, 1)]
    [InlineData(1, 2)]
    public async Task A_larger_unit_that_comes_while_a_smaller_one_is_in_flight_leaves_that_its_results(int tensor, int chunks)
    {
        var model = Samples.Model(2, 2, 16, 8, 97);
        using var pool = new SplitPool(model, 4 * tensor);
        Assert.Equal(
            await pool.TrainAsync("adamw", Precision.Fp32, _ => new(1), microBatches: 35),
            await pool.TrainAsync("adamw", Precision.Fp32, _ => new(4 * tensor, 2, tensor, chunks), microBatches: 35));
    }

    // Of the works of a rank in a step after the first one: its beginning, and then the segments of passes. And how many the others do
    // until they wait.
    [Theory]
    [InlineData(1, 4, "rank 1 of stage 0 (cpu:1) did not end its forward pass of micro-batch 0 within", 6, 1, 1)]
    [InlineData(3, 4, "rank 1 of stage 1 (cpu:3) did not end its forward pass of micro-batch 0 within", 22, 21, 5)]
    [InlineData(2, 30, "rank 0 of stage 1 (cpu:2) did not end its backward pass of micro-batch ", 48, 46, 30)]
    public async Task A_rank_that_hangs_is_named_with_its_stage_and_the_others_repeat_the_step_without_it(
        int device, int work, string message, params int[] worksOfOthers)
    {
        using var vectors = Samples.Initialized(Gpt2);
        using var pool = new SplitPool(Gpt2, 4);                        // ends first: what a rank does goes on after a step has failed
        var expected = await pool.TrainAsync("adamw", Precision.Fp32, _ => new(1));
        await pool.AttachAsync(vectors);
        var hung = new TroubledDevice(pool.Devices[device]);
        List<CountedDevice> others = [.. pool.Devices.Where((_, i) => i != device).Select(d => new CountedDevice(d))];
        List<IDeviceThread> devices = [.. others];
        devices.Insert(device, hung);
        var clock = new HandClock();
        var step = Step(devices, 2, clock);
        await SplitPool.TakeAsync(step, Gpt2, 0);
        hung.HangsIn = hung.Works + work;
        var idle = Task.WhenAll(others.Zip(worksOfOthers, (d, works) => d.WhenEnded(d.Ended + works)));
        var running = SplitPool.TakeAsync(step, Gpt2, 1);
        await hung.Hangs;
        await idle;
        clock.Pass(StepDeadlines.Default.Most);
        var lost = await Assert.ThrowsAsync<DeviceFailedException>(() => running);
        Assert.StartsWith(message, lost.Message, StringComparison.Ordinal);
        Assert.Equal((new DeviceId($"cpu:{device}"), true, false), (lost.Device, lost.IsLost, step.IsUpdating));

        // It goes on after all, beside those that repeat the step.
        step = Step([.. pool.Devices.Where((_, i) => i != device)], 1, clock);
        hung.Release();
        for (var number = 1; number < SplitPool.Steps; number++)
            await SplitPool.TakeAsync(step, Gpt2, number);
        Assert.Equal(expected, Samples.DigestOf(vectors));

        TrainingStep Step(IReadOnlyList<IDeviceThread> those, int stages, TimeProvider time) => new(
            those, new LocalCollective(those, time), vectors.Layout, new AdamW(DevicePool.Optimizer), 1, time: time, stages: stages,
            tensor: 2);
    }

    [Fact]
    public async Task A_rank_that_fails_is_named_with_its_stage_and_group_and_what_cannot_be_shared_is_refused()
    {
        using var pool = new SplitPool(Gpt2, 8);
        using var vectors = Samples.Initialized(Gpt2);
        await pool.AttachAsync(vectors);
        var broken = new TroubledDevice(pool.Devices[7]);
        IReadOnlyList<IDeviceThread> devices = [.. pool.Devices.Take(7), broken];
        var step = Step(2, 2);
        await SplitPool.TakeAsync(step, Gpt2, 0);
        broken.Before = _ => throw new InvalidOperationException("no power");
        Assert.Equal(
            "rank 1 of stage 1 of group 1 (cpu:7) failed in its preparation: no power",
            (await Assert.ThrowsAsync<DeviceFailedException>(() => SplitPool.TakeAsync(step, Gpt2, 1))).Message);
        Assert.Contains(
            "has 4 parts, which the 8 devices of a tensor group cannot divide; use tensor:4",
            Assert.Throws<ElasticException>(() => new Elastic.Model.Splits.PipelineGroup(Architectures.Open(Gpt2), 2, 8)).Message,
            StringComparison.Ordinal);
        Assert.Throws<ArgumentOutOfRangeException>(() => Step(3, 4));

        TrainingStep Step(int stages, int tensor) => new(
            devices, new LocalCollective(devices), vectors.Layout, new AdamW(DevicePool.Optimizer), 1, stages: stages, tensor: tensor);
    }
}
