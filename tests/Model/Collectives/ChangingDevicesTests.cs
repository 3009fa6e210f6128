using Elastic.Foundation;
using Elastic.Kernels;
using Elastic.Messages;
using Elastic.Messages.Settings;
using Elastic.Model.Batches;
using Elastic.Model.Networks;
using Elastic.Model.Optimization;
using Elastic.Model.Tests.Splits;
using Elastic.Model.Training;
using Elastic.Model.Vectors;
using Elastic.Step;

namespace Elastic.Model.Tests.Collectives;

/// <summary>Devices that come and go between the steps of a replica, or are lost inside of one, leave no trace in the bits.</summary>
public class ChangingDevicesTests
{
    private static readonly OptimizerSettings Settings = DevicePool.Optimizer;

    [Theory]
    [InlineData("gpt2", "adamw")]
    [InlineData("gpt2", "muon")]
    [InlineData("llama", "adamw")]
    public async Task Fifty_times_random_sets_of_devices_that_change_between_steps_give_one_digest(string architecture, string optimizer)
    {
        var model = Samples.Of(architecture, 1, 2, 16, 8, 29) with { Dropout = 0.1 };
        using var pool = new DevicePool(model, 8);
        var expected = await pool.TrainAsync(optimizer, _ => [0]);
        var random = new Random(13);
        // Each time three changes between four steps.
        for (var attempt = 0; attempt < 17; attempt++)
            Assert.Equal(expected, await pool.TrainAsync(optimizer, _ => Some(random)));
    }

    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    [InlineData(2)]
    public async Task A_device_that_hangs_in_any_part_of_a_step_is_named_and_the_replica_repeats_from_its_start_without_it(int part)
    {
        var model = Samples.Tiny();
        using var vectors = Samples.Initialized(model);
        using var pool = new DevicePool(model, 3);                      // ends first: what a device does goes on after a step has failed
        var expected = await pool.TrainAsync("adamw", _ => [0]);
        await pool.AttachAsync(vectors);
        // Three parts of a step are work of the device: accumulate, fold, update.
        var (hung, clock) = (new TroubledDevice(pool.Devices[0]) { HangsIn = 3 + part }, new HandClock());
        var step = Step([hung, pool.Devices[1], pool.Devices[2]], vectors, "adamw", clock);
        await TakeAsync(step, model, 0);
        var running = TakeAsync(step, model, 1);
        await hung.Hangs;
        // Others may not have ended yet: then the deadline is that of the whole part, which begins anew with what they have done.
        while (!running.IsCompleted)
        {
            clock.Pass(StepDeadlines.Default.Most);
            await Task.Yield();
        }
        var lost = await Assert.ThrowsAsync<DeviceFailedException>(() => running);
        Assert.StartsWith(
            $"rank 0 of 3 (cpu:0) did not end its {new[] { "forward and backward pass", "reduce-scatter", "update" }[part]} within ",
            lost.Message, StringComparison.Ordinal);
        Assert.True(lost.IsLost);

        // Nobody goes on with what may be half updated.
        Assert.Contains(lost.Message, (await Assert.ThrowsAsync<InvalidOperationException>(
            () => TakeAsync(step, model, 1))).Message, StringComparison.Ordinal);
        Assert.Equal(expected, await pool.TrainAsync("adamw", _ => [1, 2]));
    }

    [Fact]
    public async Task A_collective_that_fails_after_the_update_ends_the_step_for_good()
    {
        var model = Samples.Tiny();
        using var vectors = Samples.Initialized(model);
        using var pool = new DevicePool(model, 2);
        await pool.AttachAsync(vectors);
        var collective = new BrokenGather(new LocalCollective(pool.Devices));
        var step = new TrainingStep(pool.Devices, collective, vectors.Layout, new AdamW(Settings), 1);
        Assert.Equal("no gather", (await Assert.ThrowsAsync<ElasticException>(() => TakeAsync(step, model, 0))).Message);
        Assert.Equal("a step has failed: no gather", collective.Aborted);
        Assert.Contains("load the replica's vectors anew", (await Assert.ThrowsAsync<InvalidOperationException>(
            () => TakeAsync(step, model, 0))).Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_gradient_that_is_not_finite_is_no_loss_of_a_device()
    {
        var model = Samples.Tiny();
        using var vectors = Samples.Initialized(model);
        using var pool = new DevicePool(model, 2);
        await pool.AttachAsync(vectors);
        var step = Step(pool.Devices, vectors, "adamw");
        var first = vectors.Parameters;
        var kept = Samples.Values(first);
        first.CopyFrom(0, [float.NaN]);
        for (var again = 0; again < 2; again++)
            Assert.Contains("the gradient's norm became NaN", (await Assert.ThrowsAsync<ElasticException>(
                () => TakeAsync(step, model, 0))).Message, StringComparison.Ordinal);
        first.CopyFrom(0, kept);
        Assert.True(double.IsFinite(await TakeAsync(step, model, 0)));
    }

    [Fact]
    public async Task More_devices_than_micro_batches_wait_for_the_slowest_without_taking_it_for_lost()
    {
        var model = Samples.Tiny();
        using var vectors = Samples.Initialized(model);
        using var pool = new DevicePool(model, 3);
        await pool.AttachAsync(vectors);
        // Ranks 0 and 1 have nothing to do with one micro-batch; rank 2 is behind them by more than the deadline for that.
        var (slow, clock) = (new TroubledDevice(pool.Devices[2]) { HangsIn = 0 }, new HandClock());
        var step = Step([pool.Devices[0], pool.Devices[1], slow], vectors, "adamw", clock);
        var running = step.RunAsync(Samples.MicroBatches(model, 1, 2, 0), default, 1e-3, 1);
        await slow.Hangs;
        clock.Pass(10 * StepDeadlines.Default.Behind);
        Assert.False(running.IsCompleted);
        slow.Release();
        Assert.True(double.IsFinite(await running));
    }

    [Fact]
    public async Task A_device_may_be_behind_the_first_by_a_minute_and_ten_times_what_that_took()
    {
        var model = Samples.Tiny();
        using var vectors = Samples.Initialized(model);
        using var pool = new DevicePool(model, 2);
        await pool.AttachAsync(vectors);
        var clock = new HandClock();
        var (first, hung) = (new TroubledDevice(pool.Devices[1]) { HangsIn = 0 }, new TroubledDevice(pool.Devices[0]) { HangsIn = 0 });
        var running = TakeAsync(Step([hung, first], vectors, "adamw", clock), model, 0);
        await hung.Hangs;
        clock.Pass(TimeSpan.FromSeconds(7));
        var shortened = clock.NextTimerChange();
        first.Release();
        await shortened;
        clock.Pass(TimeSpan.FromSeconds(129));
        Assert.False(running.IsCompleted);
        clock.Pass(TimeSpan.FromSeconds(1));
        Assert.StartsWith(
            "rank 0 of 2 (cpu:0) did not end its forward and backward pass within 137 s",
            (await Assert.ThrowsAsync<DeviceFailedException>(() => running)).Message, StringComparison.Ordinal);
    }

    // As by docker pause, in the middle of a step. One that hangs all the same is found when the process runs again.
    [Fact]
    public async Task A_process_that_stood_still_for_hours_in_a_step_loses_no_device_and_one_that_hangs_is_found_later()
    {
        var model = Samples.Tiny();
        using var vectors = Samples.Initialized(model);
        using var pool = new DevicePool(model, 2);
        await pool.AttachAsync(vectors);
        var clock = new HandClock();
        var slow = new TroubledDevice(pool.Devices[0]) { HangsIn = 0 };
        var running = TakeAsync(Step([slow, pool.Devices[1]], vectors, "adamw", clock), model, 0);
        await slow.Hangs;
        clock.Advance(TimeSpan.FromHours(5));
        Assert.False(running.IsCompleted);
        slow.Release();
        Assert.True(double.IsFinite(await running));

        var hung = new TroubledDevice(pool.Devices[0]) { HangsIn = 0 };
        running = TakeAsync(Step([hung, pool.Devices[1]], vectors, "adamw", clock), model, 1);
        await hung.Hangs;
        clock.Advance(TimeSpan.FromHours(5));
        clock.Pass(StepDeadlines.Default.Most);
        Assert.True((await Assert.ThrowsAsync<DeviceFailedException>(() => running)).IsLost);
        hung.Release();
    }

    // What a pass took is the measure of what comes after it in the same step: a part below 0 counts a device's works from the step's end.
    [Theory]
    [InlineData(1, 1, -2, "reduce-scatter")]
    [InlineData(2, 1, 2, "reduce-scatter of a bucket")]
    [InlineData(2, 1, -2, "fold")]
    [InlineData(1, 2, -2, "reduce-scatter")]
    public async Task Hours_in_which_a_process_stood_still_in_a_pass_are_no_time_for_a_device_that_hangs_after_it(
        int zero, int stages, int part, string what)
    {
        var model = PrecisionTests.Kinds["gpt2"];
        using var vectors = Samples.Initialized(model);
        using var pool = new DevicePool(model, 2);
        await pool.AttachAsync(vectors);
        var clock = new HandClock();
        var hung = new TroubledDevice(pool.Devices[0]);
        var (slow, other) = (new TroubledDevice(hung), new CountedDevice(pool.Devices[1]));
        IDeviceThread[] devices = [slow, other];
        var step = new TrainingStep(
            devices, new LocalCollective(devices, clock), vectors.Layout, new AdamW(Settings), 1, time: clock, zero: zero, stages: stages);
        // In the first one stages are opened.
        await TakeAsync(step, model, 0);
        var (before, beforeOfOther) = (hung.Works, other.Ended);
        await TakeAsync(step, model, 1);
        slow.HangsIn = slow.Works;
        hung.HangsIn = hung.Works + (part < 0 ? hung.Works - before : 0) + part;
        // What it gets done puts the deadline off.
        var idle = other.WhenEnded(other.Ended + (part < 0 ? other.Ended - beforeOfOther : 0) + part + 1);
        var running = TakeAsync(step, model, 2);
        await slow.Hangs;
        clock.Advance(TimeSpan.FromHours(5));
        Assert.False(running.IsCompleted);
        slow.Release();
        await hung.Hangs;
        await idle;
        clock.Pass(TimeSpan.FromMinutes(3));
        var lost = await Assert.ThrowsAsync<DeviceFailedException>(() => running.WaitAsync(TimeSpan.FromMinutes(1)));
        Assert.StartsWith($"rank 0 of 2 (cpu:0) did not end its {what} within 1", lost.Message, StringComparison.Ordinal);
        Assert.True(lost.IsLost);
        hung.Release();
    }

    // Larger models, and more sequences in a step, than a device computes in half an hour.
    [Fact]
    public async Task A_device_that_gets_on_may_take_hours_for_a_pass_and_one_that_does_not_is_named()
    {
        var (model, clock) = (Samples.Tiny(), new HandClock());
        using var vectors = Samples.Initialized(model);
        foreach (var partsEnd in new[] { true, false })
        {
            using var device = new DeviceThread(
                new DeviceId("cpu:0"), () => new SlowDevice(Samples.Device(vectors, model), TimeSpan.FromMinutes(25), partsEnd, clock));
            var running = TakeAsync(Step([device], vectors, "adamw", clock), model, 0);
            if (partsEnd)
                Assert.True(double.IsFinite(await running));
            else
                Assert.StartsWith(
                    "rank 0 of 1 (cpu:0) did not end its forward and backward pass within ",
                    (await Assert.ThrowsAsync<DeviceFailedException>(() => running)).Message, StringComparison.Ordinal);
        }
    }

    [Fact]
    public void A_device_tells_each_group_of_micro_batches_and_each_piece_of_a_vector_that_it_has_ended()
    {
        var model = Samples.Tiny();
        using var vectors = Samples.Initialized(model);
        using var device = Samples.Device(vectors, model);
        var progress = new Progress();
        progress.Begin(device);
        // Eight micro-batches with as many rows as go through the network at once.
        device.Accumulate(Samples.MicroBatches(model, 8, MicroBatchGroups.EnoughRows / model.Context, 0), default);
        Assert.Equal(8, progress.Parts);
        var whole = Slice.Split(vectors.Layout, 1)[0];
        device.FoldSlice(device.Roots, 8, whole);
        progress.Begin(device);
        device.UpdateSlice(whole, new AdamW(Settings), new OptimizerStep(1e-3, 1, 1));
        Assert.Equal(1, progress.Parts);
    }

    // As Muon does, where a step has few tokens, or a disk that vectors lie on.
    [Theory]
    [InlineData(UpdateGranularity.Tiles)]
    [InlineData(UpdateGranularity.WholeMatrices)]
    public async Task An_update_that_takes_twenty_times_as_long_as_the_pass_loses_no_device(UpdateGranularity granularity)
    {
        var (model, clock) = (Samples.Tiny(), new HandClock());
        using var vectors = Samples.Initialized(model);
        using var device = new DeviceThread(new DeviceId("cpu:0"), () => Samples.Device(vectors, model));
        var slow = new TroubledDevice(device) { Before = work => clock.Pass(TimeSpan.FromSeconds(work == 0 ? 10 : 0)) };
        var step = new TrainingStep(
            [slow], new LocalCollective([slow], clock), vectors.Layout, new SlowOptimizer(TimeSpan.FromSeconds(200), granularity, clock), 1,
            time: clock);
        Assert.True(double.IsFinite(await TakeAsync(step, model, 0)));
    }

    private static int[] Some(Random random)
    {
        int[] all = [.. Enumerable.Range(0, 8)];
        random.Shuffle(all);
        return all[..random.Next(1, 9)];
    }

    private static TrainingStep Step(
        IReadOnlyList<IDeviceThread> devices, ReplicaVectors vectors, string optimizer, TimeProvider? time = null) => new(
        devices, new LocalCollective(devices, time), vectors.Layout, Optimizers.Open(Settings with { Kind = optimizer }), 1, time: time);

    private static Task<double> TakeAsync(TrainingStep step, ModelSettings model, int number) =>
        DevicePool.TakeAsync(step, model, number);

    private sealed class SlowOptimizer(TimeSpan takes, UpdateGranularity granularity, HandClock clock) : IOptimizer
    {
        private readonly AdamW _inner = new(Settings);

        public IReadOnlyList<string> Vectors => _inner.Vectors;

        public UpdateGranularity Granularity => granularity;

        public void Update(ReplicaVectors vectors, HostVector gradient, Slice slice, OptimizerStep step, ThreadTeam team)
        {
            clock.Pass(takes);
            _inner.Update(vectors, gradient, slice, step, team);
        }
    }

    // Takes four times as long as one part, in as many parts, or in one.
    private sealed class SlowDevice(TrainingDevice inner, TimeSpan part, bool partsEnd, HandClock clock)
        : TrainingDevice(inner.Id, inner.Architecture)
    {
        public override IReadOnlyList<SubtreeRoot> Roots => inner.Roots;

        public override double[] Accumulate(
            IReadOnlyList<MicroBatch> microBatches, DropoutSeed seed, Precision precision, double lossScale)
        {
            for (var i = 0; i < 4; i++)
            {
                clock.Pass(part);
                if (partsEnd)
                    NotePart();
            }
            return inner.Accumulate(microBatches, seed, precision, lossScale);
        }

        public override double[] FoldSlice(IReadOnlyList<SubtreeRoot> roots, int totalMicroBatches, Slice slice) =>
            inner.FoldSlice(roots, totalMicroBatches, slice);

        public override void UpdateSlice(Slice slice, IOptimizer optimizer, OptimizerStep step) =>
            inner.UpdateSlice(slice, optimizer, step);

        public override double[] Losses(MicroBatch batch) => inner.Losses(batch);

        public override float[] Logits(ReadOnlySpan<int> source, ReadOnlySpan<int> tokens) => inner.Logits(source, tokens);

        protected override void Dispose(bool disposing) => inner.Dispose();
    }

    private sealed class BrokenGather(ICollective inner) : ICollective
    {
        public string? Aborted { get; private set; }

        public Task<IReadOnlyList<double>> ReduceScatterAsync(
            IReadOnlyList<IReadOnlyList<SubtreeRoot>> roots, int microBatches, IReadOnlyList<Slice> slices, TimeSpan deadline) =>
            inner.ReduceScatterAsync(roots, microBatches, slices, deadline);

        public Task ReduceBucketAsync(IReadOnlyList<PassBucket> buckets, TimeSpan deadline) =>
            inner.ReduceBucketAsync(buckets, deadline);

        public Task AllGatherAsync(IReadOnlyList<Slice> slices, TimeSpan deadline) => throw new ElasticException("no gather");

        public void Abort(string why) => Aborted = why;
    }
}
