using Elastic.Kernels;
using Elastic.Messages;
using Elastic.Model.Batches;
using Elastic.Model.Cpu;
using Elastic.Model.Training;
using Elastic.Model.Vectors;
using Elastic.Step;

namespace Elastic.Model.Tests.Collectives;

/// <summary>What every collective keeps to. An implementation derives from this class and says how it is opened.</summary>
public abstract class CollectiveContract
{
    private protected static readonly TimeSpan Long = TimeSpan.FromMinutes(5);
    private protected static readonly ToyArchitecture Toy = new();
    private protected static readonly FlatLayout Layout = new(Toy.Parameters);

    /// <summary>A collective of these devices, whose deadlines this clock measures.</summary>
    protected abstract ICollective Open(IReadOnlyList<IDeviceThread> devices, TimeProvider time);

    /// <summary>A device that the collective is for, as a rank.</summary>
    private protected virtual TrainingDevice NewDevice(int rank) => new CpuDevice(new DeviceId($"cpu:{rank}"), Toy);

    /// <summary>Where such devices have a replica.</summary>
    private protected virtual ReplicaVectors NewVectors() => new(Layout);

    private protected ICollective Open(IReadOnlyList<IDeviceThread> devices) => Open(devices, TimeProvider.System);

    private protected Scene NewScene(int ranks, int microBatches) => new(this, ranks, microBatches);

    [Theory]
    [InlineData(1, 1)]
    [InlineData(1, 5)]
    [InlineData(2, 2)]
    [InlineData(2, 7)]
    [InlineData(3, 8)]
    [InlineData(4, 4)]
    [InlineData(5, 3)]
    public async Task Each_rank_gets_its_slice_of_the_sum_in_tree_order(int ranks, int microBatches)
    {
        using var scene = NewScene(ranks, microBatches);
        var squares = await Open(scene.Devices).ReduceScatterAsync(await scene.RootsAsync(), microBatches, scene.Slices, Long);
        var expected = scene.Sum();
        Assert.Equal(expected, await scene.GatheredAsync());
        Assert.Equal(Layout.Tiles, squares.Count);
        for (var tile = 0; tile < Layout.Tiles; tile++)
            Assert.Equal(Layout.Segments.Sum(s => Scene.SquaresOf(s, expected, tile)), squares[tile], 1e-3);
    }

    [Fact]
    public async Task Squares_come_in_tile_order_whoever_is_first()
    {
        using var scene = NewScene(3, 6);
        using var gate = new ManualResetEventSlim();
        // The last rank ends first.
        var devices = scene.Devices.Select((d, i) => new TroubledDevice(d)
        {
            Before = _ =>
            {
                if (i == 2)
                    gate.Set();
            },
        }).ToList();
        var roots = await scene.RootsAsync();
        devices[0].HangsIn = 0;
        var running = Open(devices).ReduceScatterAsync(roots, 6, scene.Slices, Long);
        gate.Wait(TestContext.Current.CancellationToken);
        devices[0].Release();
        var squares = await running;
        using var again = NewScene(1, 6);
        Assert.Equal(await Open(again.Devices).ReduceScatterAsync(await again.RootsAsync(), 6, again.Slices, Long), squares);
    }

    [Fact]
    public async Task What_is_not_finite_passes_through_and_reaches_no_other_element()
    {
        using var scene = NewScene(3, 5);
        var at = (int)Layout.Segments[0].Offset;
        scene.Gradients[1][at] = float.NaN;
        scene.Gradients[4][at + 1] = float.PositiveInfinity;
        var squares = await Open(scene.Devices).ReduceScatterAsync(await scene.RootsAsync(), 5, scene.Slices, Long);
        var sum = await scene.GatheredAsync();
        Assert.True(float.IsNaN(sum[at]));
        Assert.Equal(float.PositiveInfinity, sum[at + 1]);
        Assert.Equal(scene.Sum(), sum);
        Assert.Equal(2, sum.Count(v => !float.IsFinite(v)));
        Assert.False(double.IsFinite(GradientNorm.Fold(squares)));
    }

    [Fact]
    public async Task Ranks_of_unequal_sizes_are_refused_by_name_and_nothing_is_written()
    {
        using var scene = NewScene(2, 2);
        var roots = await scene.RootsAsync();
        using var small = new HostVector(FlatLayout.Tile);
        var odd = new[] { roots[0], [new SubtreeRoot(roots[1][0].Node, small, new ScatteredRows())] };
        var collective = Open(scene.Devices);
        var refusal = await Assert.ThrowsAsync<ArgumentException>(() => collective.ReduceScatterAsync(odd, 2, scene.Slices, Long));
        Assert.StartsWith(
            $"rank 1 of 2 (cpu:1) brings {FlatLayout.Tile} elements where the slices have {Layout.TrainedLength}", refusal.Message,
            StringComparison.Ordinal);
        Assert.Equal(scene.Gradients[0], Samples.Values(roots[0][0].Gradient));

        // A refusal is no failure.
        await collective.ReduceScatterAsync(roots, 2, scene.Slices, Long);
        Assert.Equal(scene.Sum(), await scene.GatheredAsync());
    }

    [Fact]
    public async Task Micro_batches_that_are_missing_doubled_or_out_of_order_are_refused()
    {
        using var scene = NewScene(2, 4);
        var (collective, roots) = (Open(scene.Devices), await scene.RootsAsync());
        async Task<string> Refusal(IReadOnlyList<SubtreeRoot> first, IReadOnlyList<SubtreeRoot> second, int count) =>
            (await Assert.ThrowsAsync<ArgumentException>(
                () => collective.ReduceScatterAsync([first, second], count, scene.Slices, Long))).Message;
        Assert.StartsWith(
            "rank 0 of 2 (cpu:0) brings micro-batches 2 to 3 where 0 is next", await Refusal(roots[1], roots[0], 4),
            StringComparison.Ordinal);
        Assert.StartsWith(
            "rank 1 of 2 (cpu:1) brings micro-batches 0 to 1 where 2 is next", await Refusal(roots[0], roots[0], 4),
            StringComparison.Ordinal);
        Assert.StartsWith(
            "2 ranks bring 4 micro-batches, and the step has 5", await Refusal(roots[0], roots[1], 5), StringComparison.Ordinal);
        Assert.StartsWith("1 slices for 2 devices", (await Assert.ThrowsAsync<ArgumentException>(
            () => collective.ReduceScatterAsync(roots, 4, Slice.Split(Layout, 1), Long))).Message, StringComparison.Ordinal);
        Assert.StartsWith("the roots of 1 devices, and there are 2", (await Assert.ThrowsAsync<ArgumentException>(
            () => collective.ReduceScatterAsync([roots[0]], 4, scene.Slices, Long))).Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_rank_that_dies_in_the_middle_is_named_at_once_and_ends_the_collective()
    {
        using var scene = NewScene(3, 3);
        var roots = await scene.RootsAsync();
        var devices = scene.Devices.Select(d => new TroubledDevice(d)).ToList();
        devices[1].Before = _ => throw new DeviceFailedException(new DeviceId("cpu:1"), isLost: true, "no driver");
        devices[2].HangsIn = 0;                                                  // nobody waits for it
        var collective = Open(devices);
        var death = await Assert.ThrowsAsync<DeviceFailedException>(() => collective.ReduceScatterAsync(roots, 3, scene.Slices, Long));
        Assert.Equal("rank 1 of 3 (cpu:1) is gone in its reduce-scatter: no driver", death.Message);
        Assert.Equal((new DeviceId("cpu:1"), true), (death.Device, death.IsLost));
        await AssertEndedAsync(collective, roots, scene, death.Message);
    }

    [Fact]
    public async Task A_rank_that_fails_is_named_with_its_cause_and_is_not_lost()
    {
        using var scene = NewScene(2, 2);
        var roots = await scene.RootsAsync();
        var devices = scene.Devices.Select(d => new TroubledDevice(d)).ToList();
        devices[0].Before = _ => throw new InvalidDataException("a page could not be read\nframe #0: a stack");
        var failure = await Assert.ThrowsAsync<DeviceFailedException>(() => Open(devices).ReduceScatterAsync(roots, 2, scene.Slices, Long));
        Assert.Equal("rank 0 of 2 (cpu:0) failed in its reduce-scatter: a page could not be read", failure.Message);
        Assert.False(failure.IsLost);
        Assert.IsType<InvalidDataException>(failure.InnerException);
    }

    [Fact]
    public async Task A_rank_that_hangs_is_named_at_the_deadline_and_ends_the_collective()
    {
        using var scene = NewScene(3, 3);
        var roots = await scene.RootsAsync();
        var devices = scene.Devices.Select(d => new TroubledDevice(d)).ToList();
        devices[0].HangsIn = 0;
        var clock = new HandClock();
        var collective = Open(devices, clock);
        var running = collective.ReduceScatterAsync(roots, 3, scene.Slices, TimeSpan.FromSeconds(5));
        await devices[0].Hangs;
        clock.Pass(TimeSpan.FromSeconds(4.9));
        Assert.False(running.IsCompleted);
        clock.Pass(TimeSpan.FromSeconds(0.1));
        var hang = await Assert.ThrowsAsync<DeviceFailedException>(() => running);
        Assert.Equal("rank 0 of 3 (cpu:0) did not end its reduce-scatter within 5 s: it hangs", hang.Message);
        Assert.Equal((new DeviceId("cpu:0"), true), (hang.Device, hang.IsLost));
        await AssertEndedAsync(collective, roots, scene, hang.Message);
    }

    [Fact]
    public async Task An_abort_ends_what_is_under_way_and_all_later_calls()
    {
        using var scene = NewScene(2, 2);
        var roots = await scene.RootsAsync();
        var devices = scene.Devices.Select(d => new TroubledDevice(d) { HangsIn = 0 }).ToList();
        var collective = Open(devices);
        var running = collective.ReduceScatterAsync(roots, 2, scene.Slices, Long);
        Assert.False(running.IsCompleted);
        collective.Abort("the node leaves");
        collective.Abort("another reason, which comes too late");
        Assert.Equal(
            "the reduce-scatter of 2 devices was aborted: the node leaves",
            (await Assert.ThrowsAsync<OperationCanceledException>(() => running)).Message);
        await AssertEndedAsync(collective, roots, scene, "the node leaves");
    }

    [Fact]
    public async Task A_new_list_of_devices_gives_the_right_bits_after_a_rank_was_lost()
    {
        using var scene = NewScene(3, 5);
        var devices = scene.Devices.Select(d => new TroubledDevice(d)).ToList();
        devices[1].HangsIn = 0;
        var clock = new HandClock();
        var running = Open(devices, clock).ReduceScatterAsync(await scene.RootsAsync(), 5, scene.Slices, Long);
        await devices[1].Hangs;
        clock.Pass(Long);
        await Assert.ThrowsAsync<DeviceFailedException>(() => running);
        devices[1].Release();

        using var rest = NewScene(2, 5);
        await Open(rest.Devices).ReduceScatterAsync(await rest.RootsAsync(), 5, rest.Slices, Long);
        Assert.Equal(scene.Sum(), await rest.GatheredAsync());
    }

    private protected static async Task AssertEndedAsync(
        ICollective collective, IReadOnlyList<IReadOnlyList<SubtreeRoot>> roots, Scene scene, string why)
    {
        foreach (var later in new Func<Task>[]
            {
                () => collective.ReduceScatterAsync(roots, roots.Sum(r => r.Sum(n => n.Node.Count)), scene.Slices, Long),
                () => collective.ReduceBucketAsync([], Long),
                () => collective.AllGatherAsync(scene.Slices, Long),
            })
        {
            Assert.Equal(
                $"this collective of {scene.Devices.Count} devices has ended: {why}",
                (await Assert.ThrowsAsync<OperationCanceledException>(later)).Message);
        }
    }

    // Devices with made-up gradients: each micro-batch's is random, and a device holds them as it would after its backward passes.
    private protected sealed class Scene : IDisposable
    {
        private readonly List<DeviceThread> _devices;
        private readonly ReplicaVectors _vectors;

        public Scene(CollectiveContract contract, int ranks, int microBatches)
        {
            _vectors = contract.NewVectors();
            var random = new Random(5);
            Gradients = [.. Enumerable.Range(0, microBatches).Select(_ =>
            {
                var gradient = new float[Layout.TrainedLength];
                foreach (var segment in Layout.Segments.Where(s => s.Parameter.IsTrained))
                    for (var i = segment.Offset; i < segment.End; i++)
                        gradient[i] = (float)(random.NextDouble() - 0.5);
                return gradient;
            })];
            _devices = [.. Enumerable.Range(0, ranks).Select(i => new DeviceThread(new DeviceId($"cpu:{i}"), () =>
            {
                var device = contract.NewDevice(i);
                device.Attach(_vectors);
                return device;
            }))];
            Slices = Slice.Split(Layout, ranks);
        }

        public IReadOnlyList<float[]> Gradients { get; }

        public List<DeviceThread> Devices => _devices;

        public IReadOnlyList<Slice> Slices { get; }

        public static double SquaresOf(Segment segment, float[] values, int tile)
        {
            var sum = 0.0;
            var (low, high) = ((long)tile * FlatLayout.Tile, (long)(tile + 1) * FlatLayout.Tile);
            for (var i = Math.Max(segment.Offset, low); segment.Parameter.IsTrained && i < Math.Min(segment.End, high); i++)
                sum += (double)values[i] * values[i];
            return sum;
        }

        /// <summary>The roots of all ranks, as they are after the backward passes, with the made-up gradients.</summary>
        public async Task<IReadOnlyList<IReadOnlyList<SubtreeRoot>>> RootsAsync()
        {
            var microBatches = Toy.Batching.MicroBatches(
                Sample.Cut(Enumerable.Range(0, 2 * Gradients.Count).Select(i => i % ToyArchitecture.Words).ToArray(), Gradients.Count), 1);
            return await Task.WhenAll(_devices.Select((device, rank) =>
            {
                var (first, end) = (Gradients.Count * rank / _devices.Count, Gradients.Count * (rank + 1) / _devices.Count);
                return device.RunAsync(d =>
                {
                    d.Accumulate([.. microBatches.Take(end).Skip(first)], default);
                    foreach (var root in d.Roots)
                        root.Gradient.CopyFrom(0, Sum(root.Node));
                    return d.Roots;
                });
            }));
        }

        /// <summary>What the collective must come to: each element by itself, along the tree.</summary>
        public float[] Sum() => Sum(new TreeNode(0, Gradients.Count));

        /// <summary>All slices, from their owners; those of ranks without a micro-batch, which nobody can read, as expected.</summary>
        public async Task<float[]> GatheredAsync()
        {
            var sum = Sum();
            for (var rank = 0; rank < _devices.Count; rank++)
            {
                if (await _devices[rank].RunAsync(d => d.Roots.Count > 0 ? Samples.Values(d.Roots[0].Gradient) : null) is { } held)
                    Array.Copy(held, Slices[rank].First, sum, Slices[rank].First, Slices[rank].Count);
            }
            return sum;
        }

        public void Dispose()
        {
            _devices.ForEach(d => d.Dispose());
            _vectors.Dispose();
        }

        private float[] Sum(TreeNode node) => SumTree.Fold(
            [.. Enumerable.Range(0, node.Count).Select(i => (new TreeNode(i, 1), Gradients[node.First + i]))], node.Count,
            (left, right) => [.. left.Zip(right, (a, b) => a + b)]);
    }
}
