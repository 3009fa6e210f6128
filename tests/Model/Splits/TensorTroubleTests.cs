using Elastic.Foundation;
using Elastic.Messages;
using Elastic.Messages.Settings;
using Elastic.Model.Networks;
using Elastic.Model.Optimization;
using Elastic.Model.Splits;
using Elastic.Model.Tests.Collectives;
using Elastic.Model.Training;

namespace Elastic.Model.Tests.Splits;

/// <summary>What a tensor group refuses, and what it says of a rank that dies or hangs in the middle of a micro-batch.</summary>
public class TensorTroubleTests
{
    private static readonly ModelSettings Model = Samples.Tiny(0.1);

    // The middle of the second micro-batch: some segments of it are computed by all.
    private const int InThePass = 60;

    [Fact]
    public async Task A_rank_that_hangs_in_the_middle_of_a_micro_batch_is_named_within_the_deadline_and_others_repeat_the_step()
    {
        using var pool = new DevicePool(Model, 3);
        var whole = await pool.TrainAsync("adamw", _ => [0]);
        var troubled = new TroubledDevice(pool.Devices[1]) { HangsIn = InThePass };
        using var vectors = Samples.Initialized(Model);
        await pool.AttachAsync(vectors);
        IReadOnlyList<IDeviceThread> group = [troubled, pool.Devices[0]];
        var clock = new HandClock();
        var step = DevicePool.TakeAsync(Step(group, clock), Model, 0);
        await troubled.Hangs;
        // The other one may not have ended yet: then the deadline is that of the whole part.
        clock.Pass(StepDeadlines.Default.Most);
        var failure = await Assert.ThrowsAsync<DeviceFailedException>(() => step);
        Assert.Equal(new DeviceId("cpu:1"), failure.Device);
        Assert.True(failure.IsLost);
        Assert.Contains("rank 0 of 2 (cpu:1) did not end its forward and backward pass within", failure.Message, StringComparison.Ordinal);
        // The vectors are as before the step.
        IReadOnlyList<IDeviceThread> others = [pool.Devices[0], pool.Devices[2]];
        for (var number = 0; number < DevicePool.Steps; number++)
            await DevicePool.TakeAsync(Step(others, null), Model, number);
        Assert.Equal(whole, Samples.DigestOf(vectors));
        troubled.Release();

        TrainingStep Step(IReadOnlyList<IDeviceThread> devices, TimeProvider? time) => new(
            devices, new LocalCollective(devices), vectors.Layout, Optimizers.Open(DevicePool.Optimizer), 1, time: time, tensor: 2);
    }

    [Fact]
    public async Task A_rank_that_fails_in_the_middle_of_a_micro_batch_is_named_and_the_step_before_it_stands()
    {
        using var pool = new DevicePool(Model, 2);
        using var vectors = Samples.Initialized(Model);
        await pool.AttachAsync(vectors);
        var before = Samples.DigestOf(vectors);
        IReadOnlyList<IDeviceThread> group =
        [
            pool.Devices[0],
            new TroubledDevice(pool.Devices[1]) { Before = n => _ = n == InThePass ? throw new IOException("the bus is gone") : n },
        ];
        var step = new TrainingStep(group, new LocalCollective(group), vectors.Layout, new AdamW(DevicePool.Optimizer), 1, tensor: 2);
        var failure = await Assert.ThrowsAsync<DeviceFailedException>(() => DevicePool.TakeAsync(step, Model, 0));
        Assert.Equal("rank 1 of 2 (cpu:1) failed in its forward and backward pass: the bus is gone", failure.Message);
        Assert.False(step.IsUpdating);
        Assert.Equal(before, Samples.DigestOf(vectors));
    }

    [Fact]
    public async Task A_device_that_is_left_over_updates_its_slice_with_the_others()
    {
        using var pool = new DevicePool(Model, 3);
        var whole = await pool.TrainAsync("adamw", _ => [0]);
        Assert.Equal(whole, await pool.TrainAsync("adamw", _ => [0, 1, 2], tensor: 2));
    }

    [Fact]
    public async Task A_group_without_a_micro_batch_updates_its_slices_with_the_others()
    {
        using var pool = new DevicePool(Model, 14);
        var whole = await pool.TrainAsync("muon", _ => [0]);
        Assert.Equal(whole, await pool.TrainAsync("muon", _ => [.. Enumerable.Range(0, 14)], tensor: 2));
    }

    public static TheoryData<string, ModelSettings, int, int, string> Refusals => new()
    {
        { "heads", Samples.Model(1, 6, 48, 16, 97), 4, 2, "which the 4 devices of a tensor group cannot divide; use tensor:2" },
        { "heads of keys", Samples.Llama(1, 8, 1, 64, 16, 97), 2, 1, "has 1 parts, which the 2 devices" },
        { "vocabulary", Samples.Model(1, 8, 64, 16, 97), 8, 4, "leaves nothing for the last of 8 devices; use tensor:4" },
        { "bert", Samples.Of("bert", 1, 3, 24, 16, 97), 2, 1, "has 1 parts, which the 2 devices" },
        { "transformer", Samples.Of("transformer", 1, 4, 32, 16, 97), 8, 4, "has 4 parts, which the 8 devices" },
        { "adapters", Model with { Lora = Model.Lora with { Rank = 4 } }, 8, 4, "has 4 parts, which the 8 devices" },
    };

    [Theory]
    [MemberData(nameof(Refusals))]
    public void A_network_that_so_many_devices_cannot_share_is_refused_with_what_can(
        string what, ModelSettings model, int ranks, int most, string why)
    {
        var architecture = Architectures.Open(model);
        Assert.Equal(most, TensorSplit.Most(architecture));
        var refusal = Assert.Throws<ElasticException>(() => TensorSplit.Check(architecture, ranks));
        Assert.Contains(why, refusal.Message, StringComparison.Ordinal);
        Assert.True(what.Length > 0);
    }
}
