using Elastic.Foundation;
using Elastic.Messages;
using Elastic.Messages.Settings;
using Elastic.Model.Batches;
using Elastic.Model.Networks;
using Elastic.Model.Tests;
using Elastic.Model.Training;
using Elastic.Model.Vectors;
using Elastic.Torch.Cuda;
using static TorchSharp.torch;

namespace Elastic.Torch.Tests.Cuda;

/// <summary>
/// Attention without a matrix of tokens by tokens, as GPUs have it, by the functions of libtorch's CPU that compute it in the same way
/// (<see cref="FakeFlash"/>): no GPU is here, and none is claimed.
/// </summary>
[Collection(nameof(KernelDeviceTests))]
public sealed class FlashAttentionTests : IDisposable
{
    private static readonly DropoutSeed Seed = new(3, 1, 2, 4);

    public FlashAttentionTests() => FakeFlash.Reset();

    public void Dispose()
    {
        Assert.Null(FakeFlash.Wrong);
        FakeFlash.Reset();
    }

    // Tolerance in fp32: 1e-5 of the largest element of a tensor, as of our own kernels (NetworkTests).
    [Theory]
    [InlineData(true, 4, 4, 33, 33)]
    [InlineData(true, 6, 2, 17, 17)]
    [InlineData(false, 4, 4, 9, 33)]
    public void Results_and_gradients_are_those_of_double_precision_and_of_plain_operators_and_their_bits_repeat(
        bool isCausal, int heads, int keyHeads, int queries, int keys)
    {
        var flash = FakeFlash.New();
        // As devices do.
        set_num_threads(1);
        using var scope = NewDisposeScope();
        long[][] shapes = [[2, heads, queries, 16], [2, keyHeads, keys, 16], [2, keyHeads, keys, 16], [2, heads, queries, 16]];
        var numbers = shapes.Select((s, i) => Numbers.Some((int)s.Aggregate(1L, (a, b) => a * b), i)).ToList();
        double[][] Compute(ScalarType type, Func<Tensor, Tensor, Tensor, Tensor> attend)
        {
            // Copies, because the memory of an array of .NET begins anywhere, and the math library looks at that.
            var given = numbers.Select((n, i) => tensor(n, float32).to(type).view(shapes[i]).clone()).ToList();
            Tensor[] inputs = [.. given.Take(3).Select(x => x.requires_grad_(true))];
            var y = attend(inputs[0], inputs[1], inputs[2]);
            (y * given[3]).sum().backward();
            flash.Failure.ThrowIfAny();
            return [.. inputs.Select(x => x.grad!).Prepend(y.detach()).Select(x => x.to(float64).contiguous().data<double>().ToArray())];
        }
        Tensor Plain(Tensor q, Tensor k, Tensor v) => PlainAttention.Attend(
            q, k.repeat_interleave(heads / keyHeads, 1), v.repeat_interleave(heads / keyHeads, 1),
            isCausal ? PlainAttention.Future(queries, CPU) : null, null);

        var found = Compute(float32, (q, k, v) => flash.Attend(q, k, v, isCausal));
        Assert.Equal((1, 1), FakeFlash.Calls);
        foreach (var expected in new[] { Compute(float64, Plain), Compute(float32, Plain) })
        {
            foreach (var (e, f) in expected.Zip(found))
                Assert.InRange(e.Zip(f, (a, b) => Math.Abs(a - b)).Max() / e.Max(Math.Abs), 0, 1e-5);
        }
        for (var i = 0; i < 3; i++)
            Assert.Equal(found, Compute(float32, (q, k, v) => flash.Attend(q, k, v, isCausal)));
    }

    // Tolerance: two units of the type, as of all that is computed in it (NetworkTests).
    [Theory]
    [InlineData("gpt2", TrainingPrecision.Bf16, 1.0 / 128)]
    [InlineData("gpt2", TrainingPrecision.Fp16, 1.0 / 1024)]
    [InlineData("llama", TrainingPrecision.Bf16, 1.0 / 128)]
    [InlineData("bert", TrainingPrecision.Bf16, 1.0 / 128)]
    public void A_network_has_the_gradients_that_it_has_by_plain_operators_within_their_rounding(
        string kind, TrainingPrecision precision, double tolerance)
    {
        var model = kind == "llama" ? Samples.Llama(2, 4, 2, 32, 16, 97) : Samples.Of(kind, 2, 4, 32, 16, 97);
        var batches = Samples.MicroBatches(model, 2, 2, 5);
        var plain = Gradient(model, batches, precision, null);
        Assert.Equal((0, 0), FakeFlash.Calls);
        var flash = Gradient(model, batches, precision, FakeFlash.New());
        Assert.Equal((4, 4), FakeFlash.Calls);
        var distance = Math.Sqrt(
            plain.Zip(flash, (e, a) => Math.Pow((double)e - a, 2)).Sum() / plain.Sum(x => (double)x * x));
        Assert.InRange(distance, 1e-9, tolerance);
        Assert.Equal(flash, Gradient(model, batches, precision, FakeFlash.New()));
    }

    [Fact]
    public void What_does_not_fit_is_left_to_plain_operators()
    {
        var bf16 = TrainingPrecision.Bf16;
        ModelSettings gpt2 = Samples.Tiny(), llama = Samples.Llama(2, 4, 2, 32, 16, 97, l => l with { AttentionWindow = 9 });
        var marked = Samples.MicroBatches(gpt2, 1, 2, 5).Select(b => b with { Segments = [.. b.Inputs.Select((_, i) => i % 16 / 5)] });
        (ModelSettings Model, IEnumerable<MicroBatch> Batches, TrainingPrecision Precision)[] cases =
        [
            (gpt2, Samples.MicroBatches(gpt2, 1, 2, 5), TrainingPrecision.Fp32),
            (Samples.Tiny(dropout: 0.1), Samples.MicroBatches(gpt2, 1, 2, 5), bf16),
            (llama, Samples.MicroBatches(llama, 1, 2, 5), bf16),
            (gpt2, marked, bf16),
            (Samples.Model(2, 2, 24, 16, 97), Samples.MicroBatches(gpt2, 1, 2, 5), bf16),
        ];
        foreach (var (model, batches, precision) in cases)
            Assert.Equal(Gradient(model, [.. batches], precision, null), Gradient(model, [.. batches], precision, FakeFlash.New()));
        Assert.Equal((0, 0), FakeFlash.Calls);
        // A window as wide as the context hides nothing.
        var wide = Samples.Llama(2, 4, 2, 32, 16, 97, l => l with { AttentionWindow = 16 });
        Gradient(wide, Samples.MicroBatches(wide, 1, 2, 5), bf16, FakeFlash.New());
        Assert.Equal((2, 2), FakeFlash.Calls);
    }

    [Theory]
    [InlineData("forward")]
    [InlineData("backward")]
    public void A_refusal_says_where_to_look_and_the_next_pass_goes_on(string pass)
    {
        var model = Samples.Tiny();
        var (batches, flash) = (Samples.MicroBatches(model, 1, 2, 5), FakeFlash.New());
        FakeFlash.Refuses = pass;
        var refusal = Assert.Throws<AttentionException>(() => Gradient(model, batches, TrainingPrecision.Bf16, flash));
        Assert.StartsWith(
            $"FlashAttention-2 of libtorch failed in its {pass} pass, and libtorch has said", refusal.Message, StringComparison.Ordinal);
        // Which would end the run, where another attempt or a smaller neighbour helps.
        Assert.IsNotAssignableFrom<ElasticException>(refusal);
        FakeFlash.Refuses = null;
        Assert.NotEmpty(Gradient(model, batches, TrainingPrecision.Bf16, flash));
    }

    [Fact]
    public void A_GPU_that_is_lost_in_it_is_lost_by_name()
    {
        var (model, others) = (Samples.Tiny(), FakeGpu.Shared.Kernels(1));
        try
        {
            FakeFlash.Refuses = "backward";
            FakeFlash.BeforeRefusal = () =>
            {
                FakeGpu.Shared.Lose(1, 0);
                Assert.Throws<CudaException>(() => Launch(others));
            };
            var loss = Assert.Throws<DeviceFailedException>(() => Gradient(
                model, Samples.MicroBatches(model, 1, 2, 5), TrainingPrecision.Bf16, FakeFlash.New(), FakeGpu.Shared.Kernels(1)));
            Assert.True(loss.IsLost);
            Assert.Contains("(CUDA_ERROR_LAUNCH_FAILED: unspecified launch failure)", loss.Message, StringComparison.Ordinal);
        }
        finally
        {
            FakeGpu.Shared.Lose(1, -1);
        }
    }

    [Fact]
    public void Which_of_the_two_computes_belongs_to_the_arithmetic_and_devices_have_it()
    {
        DeviceId id = new("cuda:0");
        using (FakeGpus.Register(1))
            Assert.Contains($", kernels {KernelSource.Hash}, attention of plain operators, ", Arithmetic.Of(id), StringComparison.Ordinal);
        using var gpus = FakeGpus.Register(1, FakeFlash.New());
        Assert.Contains($", kernels {KernelSource.Hash}, FlashAttention-2, ", Arithmetic.Of(id), StringComparison.Ordinal);

        var (model, backend) = (Samples.Tiny(), DeviceBackends.Of(id));
        using var vectors = new ReplicaVectors(Architectures.LayoutOf(model), length => backend.Allocate(id, length));
        using var device = backend.Open(id, Architectures.Open(model), 0, 1, RecomputeMode.None);
        GradientOf(device, vectors, Samples.MicroBatches(model, 1, 2, 5), TrainingPrecision.Bf16);
        Assert.Equal((2, 2), FakeFlash.Calls);
    }

    private static unsafe void Launch(DeviceKernels kernels)
    {
        float x = 1, y;
        kernels.Activate(ActivationKind.GeluTanh, &y, &x, 1);
    }

    private static float[] Gradient(
        ModelSettings model, IReadOnlyList<MicroBatch> batches, TrainingPrecision precision, FlashAttention? flash,
        DeviceKernels? kernels = null)
    {
        Native.NativeTorch.Load();
        var architecture = Architectures.Open(model);
        using var vectors = new ReplicaVectors(new FlatLayout(architecture.Parameters), length => new TorchVector(length, CPU, 0));
        using var device = new TorchDevice(new DeviceId("cuda:1"), CPU, architecture, 0.1, kernels, flash: flash);
        return GradientOf(device, vectors, batches, precision);
    }

    private static float[] GradientOf(
        TrainingDevice device, ReplicaVectors vectors, IReadOnlyList<MicroBatch> batches, TrainingPrecision setting)
    {
        var precision = Precision.Of(setting);
        Initialization.Fill(vectors, 7);
        device.Attach(vectors);
        if (precision.IsNarrow)
            device.NarrowSlice(Slice.Split(vectors.Layout, 1)[0], precision);
        device.Accumulate(batches, Seed, precision, precision.ScalesLoss ? 4096 : 1);
        return Samples.GradientOf(device);
    }
}
