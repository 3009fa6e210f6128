using Elastic.Messages;
using Elastic.Messages.Settings;
using Elastic.Model.Networks;
using Elastic.Model.Optimization;
using Elastic.Model.Tests;
using Elastic.Model.Training;
using Elastic.Model.Vectors;
using Elastic.Torch.Cuda;
using Elastic.Torch.Native;

namespace Elastic.Torch.Tests.Cuda;

/// <summary>
/// Devices whose operators are our kernels, run by the fake driver on libtorch's CPU memory: what GPUs run, but for libtorch's own kernels.
/// </summary>
[Collection(nameof(KernelDeviceTests))]
[CollectionDefinition(nameof(KernelDeviceTests), DisableParallelization = true)]
public sealed class KernelDeviceTests
{
    private static readonly DropoutSeed Seed = new(3, 1, 2, 4);

    [Theory]
    [InlineData("gpt2", 0, 1e-5)]
    [InlineData("gpt2", 0.1, 1e-5)]
    [InlineData("bert", 0.1, 1e-5)]
    [InlineData("llama", 0, 1e-5)]
    public void Kernels_and_libtorchs_operators_train_alike(string kind, double dropout, double tolerance)
    {
        var model = (kind == "llama" ? Samples.Llama(2, 4, 2, 32, 16, 97) : Samples.Of(kind, 2, 4, 32, 16, 97)) with { Dropout = dropout };
        FakeGpu.Shared.Clear();
        var (plain, ours) = (Train(model, 1, false, Precision.Fp32), Train(model, 1, true, Precision.Fp32));
        var names = FakeGpu.Shared.Calls.Select(c => c.Split(' ')[0]).ToHashSet();
        string[] ofNorms = kind == "llama" ? [] : ["norm_forward_f32_f32", "norm_backward_f32_f32_f32", "column_sums_f32"];
        Assert.All(
            ["cross_entropy_f32", "embedding_gradient", "tree_sum", "sums_of_squares", "adamw_update", .. ofNorms],
            name => Assert.Contains(name, names));
        Assert.InRange(Distance(plain, ours), 0, tolerance);
    }

    [Fact]
    public void Devices_of_several_GPUs_give_the_bits_of_one()
    {
        var model = Samples.Tiny(0.1);
        FakeGpu.Shared.Clear();
        var one = Train(model, 1, true, Precision.Fp32);
        Assert.All(FakeGpu.Shared.Calls, c => Assert.EndsWith(" 0", c, StringComparison.Ordinal));
        Assert.Equal(one, Train(model, 2, true, Precision.Fp32));
        Assert.Contains("tree_sum 1", FakeGpu.Shared.Calls);
        Assert.Equal(one, Train(model, 3, true, Precision.Fp32));
        // Where GPUs do not reach each other, they copy what they need.
        FakeGpu.Shared.Separate(true);
        try
        {
            Assert.Equal(one, Train(model, 2, true, Precision.Fp32));
        }
        finally
        {
            FakeGpu.Shared.Separate(false);
        }
    }

    [Fact]
    public void Logits_of_bf16_are_in_bf16_and_close_to_those_of_the_CPU()
    {
        var model = Samples.Tiny();
        FakeGpu.Shared.Clear();
        var ours = Train(model, 1, true, Precision.Bf16);
        Assert.Contains("cross_entropy_bf16 0", FakeGpu.Shared.Calls);
        Assert.InRange(Distance(Train(model, 1, false, Precision.Bf16), ours), 0, 0.02);
    }

    [Theory]
    [InlineData(0)]
    [InlineData(9)]
    [InlineData(35)]
    public void A_GPU_that_falls_off_the_bus_in_a_step_is_lost_by_name_and_the_others_take_the_step(int afterLaunches)
    {
        var model = Samples.Tiny();
        var whole = Train(model, 1, true, Precision.Fp32);
        try
        {
            FakeGpu.Shared.Lose(1, afterLaunches);
            var loss = Assert.Throws<DeviceFailedException>(() => Train(model, 2, true, Precision.Fp32));
            Assert.True(loss.IsLost);
            Assert.Equal(new DeviceId("cuda:1"), loss.Device);
            Assert.Contains("rank 1 of 2 (cuda:1) is gone in its", loss.Message, StringComparison.Ordinal);
            Assert.Contains("(CUDA_ERROR_LAUNCH_FAILED: unspecified launch failure)", loss.Message, StringComparison.Ordinal);
            // Its errors stay: nothing can be done on it any more.
            Assert.True(Assert.Throws<CudaException>(() => FakeGpu.Shared.Kernels(1)).IsLost);
            Assert.Equal(whole, Train(model, 1, true, Precision.Fp32));
        }
        finally
        {
            FakeGpu.Shared.Lose(1, -1);
        }
    }

    [Fact]
    public async Task A_GPU_that_is_lost_in_an_update_leaves_the_mirror_as_the_replica_was()
    {
        NativeTorch.Load();
        var (model, pair) = (Samples.Tiny(), new List<TorchDevice>());
        var architecture = Architectures.Open(model);
        ReplicaVectors New() => new(
            new FlatLayout(architecture.Parameters), length => new TorchVector(length, TorchSharp.torch.CPU, 0));
        using ReplicaVectors vectors = New(), mirror = New();
        Initialization.Fill(vectors, 7);
        try
        {
            for (var i = 0; i < 2; i++)
            {
                pair.Add(new TorchDevice(
                    new DeviceId($"cuda:{i}"), TorchSharp.torch.CPU, architecture, 0, FakeGpu.Shared.Kernels(i), i));
                pair[i].Attach(vectors);
            }
            var threads = pair.Select(d => new InlineDevice(d)).ToList();
            var collective = new LosesAfterReduction(new LocalCollective(threads));
            var step = new TrainingStep(
                threads, collective, vectors.Layout, new AdamW(Samples.Optimizer()), 1, Precision.Fp32, mirror: mirror);
            await step.RunAsync(Samples.MicroBatches(model, 4, 2, 0), Seed, 1e-2, 1);
            string[] names = [Messages.Vectors.VectorSet.Parameters, Messages.Vectors.VectorSet.FirstMoment];
            var before = names.Select(n => Samples.Values(vectors[n])).ToList();
            collective.IsTime = true;
            var loss = await Assert.ThrowsAsync<DeviceFailedException>(
                () => step.RunAsync(Samples.MicroBatches(model, 4, 2, 1), Seed, 1e-2, 2));
            Assert.Contains("rank 1 of 2 (cuda:1) is gone in its update", loss.Message, StringComparison.Ordinal);
            Assert.True(step.IsUpdating);
            Assert.NotEqual(before[0], Samples.Values(vectors.Parameters));
            Assert.Equal(before, names.Select(n => Samples.Values(mirror[n])));
        }
        finally
        {
            FakeGpu.Shared.Lose(1, -1);
            pair.ForEach(d => d.Dispose());
        }
    }

    // The second GPU is lost at the first kernel after the gradients were summed: that of its update.
    private sealed class LosesAfterReduction(ICollective inner) : ICollective
    {
        public bool IsTime { get; set; }

        public async Task<IReadOnlyList<double>> ReduceScatterAsync(
            IReadOnlyList<IReadOnlyList<SubtreeRoot>> roots, int microBatches, IReadOnlyList<Slice> slices, TimeSpan deadline)
        {
            var squares = await inner.ReduceScatterAsync(roots, microBatches, slices, deadline);
            if (IsTime)
                FakeGpu.Shared.Lose(1, 0);
            return squares;
        }

        public Task ReduceBucketAsync(IReadOnlyList<PassBucket> buckets, TimeSpan deadline) => inner.ReduceBucketAsync(buckets, deadline);

        public Task AllGatherAsync(IReadOnlyList<Slice> slices, TimeSpan deadline) => inner.AllGatherAsync(slices, deadline);

        public void Abort(string why) => inner.Abort(why);
    }

    /// <summary>Three steps of so many GPUs, the fake's two in turns; the parameters at the end.</summary>
    /// <param name="products">Null where libtorch computes them.</param>
    internal static float[] Train(
        ModelSettings model, int gpus, bool hasKernels, Precision precision, FakeCublasLt? products = null, IOptimizer? optimizer = null,
        int microBatches = 5)
    {
        NativeTorch.Load();
        var architecture = Architectures.Open(model);
        using var vectors = new ReplicaVectors(
            new FlatLayout(architecture.Parameters), length => new TorchVector(length, TorchSharp.torch.CPU, 0));
        Initialization.Fill(vectors, 7);
        List<TorchDevice> devices = [];
        try
        {
            for (var i = 0; i < gpus; i++)
            {
                devices.Add(new TorchDevice(
                    new DeviceId($"cuda:{i}"), TorchSharp.torch.CPU, architecture, 0.1, hasKernels ? FakeGpu.Shared.Kernels(i % 2) : null,
                    i % 2, products: products?.On(i % 2)));
                devices[i].Attach(vectors);
            }
            var threads = devices.Select(d => new InlineDevice(d)).ToList();
            var step = new TrainingStep(
                threads, new LocalCollective(threads), vectors.Layout, optimizer ?? new AdamW(Samples.Optimizer()), 1, precision);
            for (var i = 0; i < 3; i++)
                step.RunAsync(Samples.MicroBatches(model, microBatches, 2, i), Seed, 1e-2, i + 1).GetAwaiter().GetResult();
            return Samples.Values(vectors.Parameters);
        }
        finally
        {
            devices.ForEach(d => d.Dispose());
        }
    }

    /// <summary>The length of the difference, relative to that of what is expected.</summary>
    internal static double Distance(float[] expected, float[] actual) => Math.Sqrt(
        expected.Zip(actual, (e, a) => Math.Pow((double)e - a, 2)).Sum() / expected.Sum(x => (double)x * x));
}
