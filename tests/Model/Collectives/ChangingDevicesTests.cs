using Elastic.Foundation;
using Elastic.Messages;
using Elastic.Messages.Settings;
using Elastic.Model.Cpu;
using Elastic.Model.Networks;
using Elastic.Model.Optimization;
using Elastic.Model.Training;
using Elastic.Model.Vectors;
using Elastic.Step;

namespace Elastic.Model.Tests.Collectives;

/// <summary>Devices that come and go between the steps of a replica, or are lost inside of one, leave no trace in the bits.</summary>
public class ChangingDevicesTests
{
    private const int MicroBatches = 5, Steps = 4;
    private static readonly OptimizerSettings Settings = Samples.Optimizer();
    private static readonly StepDeadlines Soon = new(TimeSpan.FromMinutes(5), TimeSpan.FromSeconds(1));

    [Theory]
    [InlineData("gpt2", "adamw")]
    [InlineData("gpt2", "muon")]
    [InlineData("llama", "adamw")]
    public async Task Fifty_times_random_sets_of_devices_that_change_between_steps_give_one_digest(string architecture, string optimizer)
    {
        var model = Samples.Of(architecture, 1, 2, 16, 8, 29) with { Dropout = 0.1 };
        using var pool = new Pool(model, 8);
        var expected = await pool.TrainAsync(optimizer, _ => [0]);
        var random = new Random(13);
        for (var attempt = 0; attempt < 50; attempt++)
            Assert.Equal(expected, await pool.TrainAsync(optimizer, _ => Some(random)));
    }

    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    [InlineData(2)]
    public async Task A_device_that_hangs_in_any_part_of_a_step_is_named_and_the_replica_repeats_from_its_start_without_it(int part)
    {
        var model = Samples.Tiny();
        using var pool = new Pool(model, 3);
        var expected = await pool.TrainAsync("adamw", _ => [0]);
        using var vectors = Samples.Initialized(model);
        await pool.AttachAsync(vectors);
        // Three parts of a step are work of the device: accumulate, fold, update.
        var hung = new TroubledDevice(pool.Devices[1]) { HangsIn = 3 + part };
        var step = Step([pool.Devices[0], hung, pool.Devices[2]], vectors, "adamw", Soon);
        await TakeAsync(step, model, 0);
        var lost = await Assert.ThrowsAsync<DeviceFailedException>(() => TakeAsync(step, model, 1));
        Assert.Matches(
            $"^rank 1 of 3 \\(cpu:1\\) did not end its {new[] { "forward and backward pass", "reduce-scatter", "update" }[part]} within",
            lost.Message);
        Assert.True(lost.IsLost);

        // Nobody goes on with what may be half updated.
        Assert.Contains(lost.Message, (await Assert.ThrowsAsync<InvalidOperationException>(
            () => TakeAsync(step, model, 1))).Message, StringComparison.Ordinal);
        hung.Release();
        Assert.Equal(expected, await pool.TrainAsync("adamw", _ => [0, 2]));
    }

    [Fact]
    public async Task A_collective_that_fails_after_the_update_ends_the_step_for_good()
    {
        var model = Samples.Tiny();
        using var pool = new Pool(model, 2);
        using var vectors = Samples.Initialized(model);
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
        using var pool = new Pool(model, 2);
        using var vectors = Samples.Initialized(model);
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
        using var pool = new Pool(model, 3);
        using var vectors = Samples.Initialized(model);
        await pool.AttachAsync(vectors);
        // Ranks 0 and 1 have nothing to do with one micro-batch; rank 2 is behind them by more than the deadline for that.
        var slow = new TroubledDevice(pool.Devices[2]) { HangsIn = 0 };
        var step = new TrainingStep(
            [pool.Devices[0], pool.Devices[1], slow], new LocalCollective(pool.Devices), vectors.Layout, new AdamW(Settings), 1,
            deadlines: new StepDeadlines(TimeSpan.FromMinutes(5), TimeSpan.FromMilliseconds(1)));
        var running = step.RunAsync(Samples.MicroBatches(model, 1, 2, 0), default, 1e-3, 1);
        await Task.Delay(50, TestContext.Current.CancellationToken);
        Assert.False(running.IsCompleted);
        slow.Release();
        Assert.True(double.IsFinite(await running));
    }

    private static int[] Some(Random random)
    {
        int[] all = [.. Enumerable.Range(0, 8)];
        random.Shuffle(all);
        return all[..random.Next(1, 9)];
    }

    private static TrainingStep Step(
        IReadOnlyList<IDeviceThread> devices, ReplicaVectors vectors, string optimizer, StepDeadlines? deadlines = null) => new(
        devices, new LocalCollective(devices), vectors.Layout, Optimizers.Open(Settings with { Kind = optimizer }), 1,
        deadlines: deadlines);

    private static Task<double> TakeAsync(TrainingStep step, ModelSettings model, int number) =>
        step.RunAsync(Samples.MicroBatches(model, MicroBatches, 2, number), new DropoutSeed(1, 0, 0, number), 1e-2, number + 1);

    // Devices that stay open, of which each step takes some.
    private sealed class Pool(ModelSettings model, int count) : IDisposable
    {
        private readonly List<DeviceThread> _devices = [.. Enumerable.Range(0, count).Select(i => new DeviceThread(
            new DeviceId($"cpu:{i}"), () => new CpuDevice(new DeviceId($"cpu:{i}"), Architectures.Open(model))))];

        public List<DeviceThread> Devices => _devices;

        public Task<bool[]> AttachAsync(ReplicaVectors vectors) =>
            Task.WhenAll(_devices.Select(d => d.RunAsync(device =>
            {
                device.Attach(vectors);
                return true;
            })));

        /// <summary>All steps, each on the devices that <paramref name="which"/> says.</summary>
        public async Task<Digest> TrainAsync(string optimizer, Func<int, int[]> which)
        {
            using var vectors = Samples.Initialized(model);
            await AttachAsync(vectors);
            for (var number = 0; number < Steps; number++)
                await TakeAsync(Step([.. which(number).Select(i => _devices[i])], vectors, optimizer), model, number);
            return Samples.DigestOf(vectors);
        }

        public void Dispose() => _devices.ForEach(d => d.Dispose());
    }

    private sealed class BrokenGather(ICollective inner) : ICollective
    {
        public string? Aborted { get; private set; }

        public Task<IReadOnlyList<double>> ReduceScatterAsync(
            IReadOnlyList<IReadOnlyList<SubtreeRoot>> roots, int microBatches, IReadOnlyList<Slice> slices, TimeSpan deadline) =>
            inner.ReduceScatterAsync(roots, microBatches, slices, deadline);

        public Task AllGatherAsync(IReadOnlyList<Slice> slices, TimeSpan deadline) => throw new ElasticException("no gather");

        public void Abort(string why) => Aborted = why;
    }
}
