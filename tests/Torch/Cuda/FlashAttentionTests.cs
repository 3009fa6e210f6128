using Elastic.Messages;
using Elastic.Messages.Settings;
using Elastic.Model.Batches;
using Elastic.Model.Networks;
using Elastic.Model.Tests;
using Elastic.Model.Training;
using Elastic.Model.Vectors;
using Elastic.Torch.Cuda;
using Elastic.Torch.Native;
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
    [InlineData(true, 4, 4, 33, 33, 0)]
    [InlineData(true, 6, 2, 17, 17, 0)]
    [InlineData(false, 4, 4, 9, 33, 0)]
    [InlineData(true, 6, 2, 33, 33, 5)]
    [InlineData(true, 4, 4, 33, 33, 0, 10, 11, 33, 53)]
    [InlineData(true, 6, 2, 33, 33, 4, 10, 11, 33, 53)]
    [InlineData(false, 4, 4, 33, 33, 0, 20, 33, 50)]
    public void Results_and_gradients_are_those_of_double_precision_and_of_plain_operators_and_their_bits_repeat(
        bool isCausal, int heads, int keyHeads, int queries, int keys, int window, params int[] ends)
    {
        // Of two sequences; ends are where segments end before theirs do.
        var segments = Enumerable.Range(0, 2 * queries).Select(row => ends.Count(end => end <= row)).ToArray();
        Tensor? hidden = isCausal ? PlainAttention.Future(queries, CPU) : null;
        if (window > 0)
            hidden = hidden! | ones_like(hidden!).tril(-window);
        if (ends.Length > 0 && tensor(segments).view(2, 1, queries, 1) is var ids)
            hidden = hidden is null ? ids != ids.transpose(2, 3) : hidden | (ids != ids.transpose(2, 3));
        var rule = new AttentionRule(isCausal, window, ends.Length > 0 ? SequenceEnds.Of(segments, queries, CPU) : null);
        Compare(rule, heads, keyHeads, queries, keys, hidden);
    }

    // The second source ends before its place does; the first is as long as there are places.
    [Fact]
    public void Sources_are_seen_up_to_their_ends_and_what_stands_behind_has_no_gradient()
    {
        var hidden = NumberOperators.CountTo(11, int64, CPU).view(1, 1, 1, 11) >= tensor(new long[] { 11, 4 }).view(2, 1, 1, 1);
        var made = Compare(new AttentionRule(false, 0, SequenceEnds.OfSources(7, [11, 4], 11, CPU)), 4, 4, 7, 11, hidden);
        foreach (var gradient in made[2..])
        {
            var rows = gradient.Chunk(16).Select((row, i) => (IsSeen: i < 44 || i % 11 < 4, HasGradient: row.Any(g => g != 0)));
            Assert.All(rows, row => Assert.Equal(row.IsSeen, row.HasGradient));
        }
        var among = SequenceEnds.OfPlaces([11, 4], 11, CPU);
        Assert.Equal([0, 11, 15, 22], among.Keys.data<int>());
        Assert.Equal((11, 11), (among.MostQueries, among.MostKeys));
    }

    [Fact]
    public void Segments_that_come_again_have_no_ends()
    {
        Assert.Null(SequenceEnds.Of([0, 0, 1, 0], 4, CPU));
        // The next sequence's are others, whatever their numbers are.
        Assert.Equal([0, 1, 2, 3, 4], SequenceEnds.Of([0, 1, 1, 0], 2, CPU)!.Queries.data<int>());
    }

    // Of two sequences: y, and the gradients of q, k and v.
    private static double[][] Compare(AttentionRule rule, int heads, int keyHeads, int queries, int keys, Tensor? hidden)
    {
        var flash = FakeFlash.New();
        // As devices do.
        set_num_threads(1);
        using var scope = NewDisposeScope();
        long[][] shapes = [[2, heads, queries, 16], [2, keyHeads, keys, 16], [2, keyHeads, keys, 16], [2, heads, queries, 16]];
        var numbers = shapes.Select((s, i) => Numbers.Some((int)s.Aggregate(1L, (a, b) => a * b), i)).ToList();
        // Copies, because the memory of an array of .NET begins anywhere, and the math library looks at that.
        Tensor[] Given(ScalarType type) => [.. numbers.Select((n, i) => tensor(n, float32).to(type).view(shapes[i]).clone())];
        static double[][] Doubles(params Tensor[] all) => [.. all.Select(x => x.to(float64).contiguous().data<double>().ToArray())];
        double[][] Plain(ScalarType type)
        {
            var given = Given(type);
            Tensor[] inputs = [.. given.Take(3).Select(x => x.requires_grad_(true))];
            Tensor Grouped(Tensor x) => x.repeat_interleave(heads / keyHeads, 1);
            var y = PlainAttention.Attend(inputs[0], Grouped(inputs[1]), Grouped(inputs[2]), hidden, null);
            return Doubles([y.detach(), .. autograd.grad([y], inputs, [given[3]])]);
        }
        double[][] Flash()
        {
            var given = Given(float32);
            using var saved = flash.Forward(given[0], given[1], given[2], rule);
            var (q, k, v) = flash.Backward(saved, given[3]);
            return Doubles(saved.Y, q, k, v);
        }

        var found = Flash();
        Assert.Equal((1, 1), FakeFlash.Calls);
        foreach (var expected in new[] { Plain(float64), Plain(float32) })
        {
            foreach (var (e, f) in expected.Zip(found))
                Assert.InRange(e.Zip(f, (a, b) => Math.Abs(a - b)).Max() / e.Max(Math.Abs), 0, 1e-5);
        }
        for (var i = 0; i < 3; i++)
            Assert.Equal(found, Flash());
        return found;
    }

    // Tolerance: two units of the type, as of all that is computed in it (NetworkTests).
    [Theory]
    [InlineData("gpt2", TrainingPrecision.Bf16, 1.0 / 128)]
    [InlineData("gpt2", TrainingPrecision.Fp16, 1.0 / 1024)]
    [InlineData("gpt2 in documents", TrainingPrecision.Bf16, 1.0 / 128)]
    [InlineData("llama", TrainingPrecision.Bf16, 1.0 / 128)]
    [InlineData("llama in windows and documents", TrainingPrecision.Bf16, 1.0 / 128)]
    [InlineData("bert", TrainingPrecision.Bf16, 1.0 / 128)]
    [InlineData("bert in documents", TrainingPrecision.Bf16, 1.0 / 128)]
    public void A_network_has_the_gradients_that_it_has_by_plain_operators_within_their_rounding(
        string kind, TrainingPrecision precision, double tolerance)
    {
        var model = kind.StartsWith("llama", StringComparison.Ordinal)
            ? Samples.Llama(2, 4, 2, 32, 16, 97, l => l with { AttentionWindow = kind == "llama" ? 0 : 4 })
            : Samples.Of(kind.Split(' ')[0], 2, 4, 32, 16, 97);
        var batches = Samples.MicroBatches(model, 2, 2, 5);
        if (kind.EndsWith("documents", StringComparison.Ordinal))
            batches = [.. batches.Select(b => b with { Segments = [.. b.Inputs.Select((_, i) => i % 16 / 5)] })];
        var plain = Gradient(model, batches, precision, null);
        Assert.Equal((0, 0), FakeFlash.Calls);
        var flash = Gradient(model, batches, precision, FakeFlash.New());
        Assert.Equal((4, 4), FakeFlash.Calls);
        Assert.InRange(Distance(plain, flash), 1e-9, tolerance);
        Assert.Equal(flash, Gradient(model, batches, precision, FakeFlash.New()));
    }

    // ReLU's gradient jumps where a rounding changes a sign, so that two ways may be further apart than their rounding: what counts is how
    // far each is from fp32.
    [Fact]
    public void A_transformer_with_short_sources_is_as_near_to_fp32_as_by_plain_operators()
    {
        var model = Samples.Of("transformer", 2, 4, 32, 16, 97);
        var batches = Samples.MicroBatches(model, 2, 2, 5);
        Assert.Contains(batches, b => b.SourceLengths.Any(length => length < b.SourceColumns));
        var exact = Gradient(model, batches, TrainingPrecision.Fp32, null);
        var plain = Gradient(model, batches, TrainingPrecision.Bf16, null);
        var flash = Gradient(model, batches, TrainingPrecision.Bf16, FakeFlash.New());
        // Of two micro-batches, in two layers of an encoder and of a decoder, and between them.
        Assert.Equal((12, 12), FakeFlash.Calls);
        Assert.InRange(Distance(exact, flash), 0, 1.1 * Distance(exact, plain));
        Assert.Equal(flash, Gradient(model, batches, TrainingPrecision.Bf16, FakeFlash.New()));
    }

    [Fact]
    public void What_does_not_fit_is_left_to_plain_operators()
    {
        var bf16 = TrainingPrecision.Bf16;
        var gpt2 = Samples.Tiny();
        // A sequence that comes back to a segment.
        var mixed = Samples.MicroBatches(gpt2, 1, 2, 5).Select(b => b with { Segments = [.. b.Inputs.Select((_, i) => i % 16 / 5 % 2)] });
        (ModelSettings Model, IEnumerable<MicroBatch> Batches, TrainingPrecision Precision)[] cases =
        [
            (gpt2, Samples.MicroBatches(gpt2, 1, 2, 5), TrainingPrecision.Fp32),
            (Samples.Tiny(dropout: 0.1), Samples.MicroBatches(gpt2, 1, 2, 5), bf16),
            (gpt2, mixed, bf16),
            (Samples.Model(2, 2, 24, 16, 97), Samples.MicroBatches(gpt2, 1, 2, 5), bf16),
        ];
        foreach (var (model, batches, precision) in cases)
            Assert.Equal(Gradient(model, [.. batches], precision, null), Gradient(model, [.. batches], precision, FakeFlash.New()));
        Assert.Equal((0, 0), FakeFlash.Calls);
    }

    [Theory]
    [InlineData("forward")]
    [InlineData("backward")]
    public void A_refusal_says_where_to_look_and_the_next_pass_goes_on(string pass)
    {
        var model = Samples.Tiny();
        var (batches, flash) = (Samples.MicroBatches(model, 1, 2, 5), FakeFlash.New());
        FakeFlash.Refuses = pass;
        // No ElasticException, which would end the run, where another attempt or a smaller neighbour helps.
        var refusal = Assert.Throws<InvalidOperationException>(() => Gradient(model, batches, TrainingPrecision.Bf16, flash));
        Assert.Equal(
            $"cuda:1 answers, and has refused work (FlashAttention-2 of libtorch failed in its {pass} pass, and libtorch has said why on "
            + "standard error): where its memory did not suffice, lower batch.micro", refusal.Message);
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

    // Of the second from the first, in the Euclidean norm.
    private static double Distance(float[] from, float[] to) =>
        Math.Sqrt(from.Zip(to, (e, a) => Math.Pow((double)e - a, 2)).Sum() / from.Sum(x => (double)x * x));

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
        using var device = new TorchDevice(
            new DeviceId("cuda:1"), CPU, architecture, 0.1, kernels ?? FakeGpu.Shared.Kernels(0), flash: flash);
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
