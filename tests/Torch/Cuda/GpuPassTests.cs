using Elastic.Messages;
using Elastic.Messages.Settings;
using Elastic.Model.Batches;
using Elastic.Model.Cpu;
using Elastic.Model.Networks;
using Elastic.Model.Tapes;
using Elastic.Model.Tests;
using Elastic.Model.Training;
using Elastic.Model.Vectors;
using Elastic.Torch.Cuda.Passes;
using Elastic.Torch.Native;
using TorchSharp;
using static TorchSharp.torch;

namespace Elastic.Torch.Tests.Cuda;

/// <summary>
/// Passes as a GPU runs them, with our kernels, cublasLt and FlashAttention-2 as the fakes have them, against Elastic's own arithmetic on
/// the CPU, whose gradients are those of double precision (<see cref="NetworkTests"/>).
/// </summary>
[Collection(nameof(KernelDeviceTests))]
public sealed class GpuPassTests : IDisposable
{
    private static readonly DropoutSeed Seed = new(3, 1, 2, 4);

    private static readonly LoraSettings Lora = ModelSettings.Defaults.Lora with { Rank = 3, Alpha = 7.5 };

    private static readonly Dictionary<string, ModelSettings> Kinds = new()
    {
        ["gpt2"] = Samples.Of("gpt2", 2, 4, 32, 16, 97),
        ["gpt2, dropout"] = Samples.Of("gpt2", 2, 4, 32, 16, 97) with { Dropout = 0.1 },
        ["gpt2, adapters"] = Samples.Of("gpt2", 2, 4, 32, 16, 97) with { Lora = Lora },
        ["llama, everything"] = Samples.Llama(2, 6, 2, 48, 16, 97, l => l with
        {
            HeadSize = 8,
            FeedForward = 52,
            TiedEmbeddings = true,
            AttentionBiases = true,
            HeadNorms = true,
        }),
        ["llama, window"] = Samples.Llama(2, 4, 2, 32, 16, 97, l => l with { AttentionWindow = 9 }),
        ["bert"] = Samples.Of("bert", 2, 4, 32, 16, 97),
        ["bert, dropout"] = Samples.Of("bert", 2, 4, 32, 16, 97) with { Dropout = 0.1 },
        ["transformer"] = Samples.Of("transformer", 2, 4, 32, 16, 97),
        ["transformer, dropout"] = Samples.Of("transformer", 2, 4, 32, 16, 97) with { Dropout = 0.1 },
    };

    private readonly FakeCublasLt _products = new();

    public GpuPassTests()
    {
        NativeTorch.Load();
        FakeFlash.Reset();
    }

    public void Dispose()
    {
        Assert.Null(FakeFlash.Wrong);
        FakeFlash.Reset();
    }

    // Tolerances as of all devices (NetworkTests): the gradient as a whole, relative in the Euclidean norm, within 1e-5 in fp32 and two
    // units of the type in 16 bits, the losses alike, and each parameter's gradient within eight times that. ReLU is either 0 or 1
    // backwards: where its input is 0 but for rounding, a unit of the network is there or not. With GELU in its place, and weights as small
    // as others' at their start, an encoder-decoder is within two units, too (ReluTests).
    [Theory]
    [InlineData("gpt2", TrainingPrecision.Fp32, 1e-5)]
    [InlineData("gpt2, dropout", TrainingPrecision.Fp32, 1e-5)]
    [InlineData("gpt2, adapters", TrainingPrecision.Fp32, 1e-5)]
    [InlineData("llama, everything", TrainingPrecision.Fp32, 1e-5)]
    [InlineData("bert, dropout", TrainingPrecision.Fp32, 1e-5)]
    [InlineData("transformer, dropout", TrainingPrecision.Fp32, 1e-5)]
    [InlineData("gpt2", TrainingPrecision.Bf16, 1.0 / 128)]
    [InlineData("gpt2, dropout", TrainingPrecision.Bf16, 1.0 / 128)]
    [InlineData("gpt2, adapters", TrainingPrecision.Bf16, 1.0 / 128)]
    [InlineData("llama, everything", TrainingPrecision.Bf16, 1.0 / 128)]
    [InlineData("llama, window", TrainingPrecision.Bf16, 1.0 / 128)]
    [InlineData("bert", TrainingPrecision.Bf16, 1.0 / 128)]
    [InlineData("bert, dropout", TrainingPrecision.Bf16, 1.0 / 128)]
    [InlineData("transformer", TrainingPrecision.Bf16, 1.0 / 16)]
    [InlineData("transformer, dropout", TrainingPrecision.Bf16, 1.0 / 16)]
    [InlineData("gpt2", TrainingPrecision.Fp16, 1.0 / 1024)]
    [InlineData("llama, everything", TrainingPrecision.Fp16, 1.0 / 1024)]
    [InlineData("transformer, dropout", TrainingPrecision.Fp16, 1.0 / 32)]
    public void Gradients_are_those_of_the_CPU_within_rounding(string kind, TrainingPrecision precision, double tolerance)
    {
        var (model, batches) = (Kinds[kind], BatchesOf(Kinds[kind]));
        var (expected, losses) = OnCpu(model, batches, Precision.Of(precision));
        var (found, lossesOfGpu) = OnGpu(model, batches, Precision.Of(precision));
        Assert.InRange(KernelDeviceTests.Distance(expected, found), 1e-9, tolerance);
        AssertClose(losses, lossesOfGpu, tolerance);
        // The bias of keys alone adds the same to all that a query compares: its gradient is 0 but for rounding.
        foreach (var segment in Architectures.LayoutOf(model).Segments.Where(s =>
            s.Parameter.IsTrained && !s.Name.EndsWith("key.bias", StringComparison.Ordinal)
            && !s.Name.EndsWith("k_proj.bias", StringComparison.Ordinal)))
        {
            var (first, end) = ((int)segment.Offset, (int)(segment.Offset + segment.Count));
            var distance = KernelDeviceTests.Distance(expected[first..end], found[first..end]);
            Assert.True(distance <= 8 * tolerance, $"{segment.Name}: {distance}, tolerance {8 * tolerance}");
        }
    }

    [Theory]
    [InlineData("gpt2")]
    [InlineData("llama, everything")]
    [InlineData("llama, window")]
    [InlineData("bert")]
    [InlineData("transformer")]
    public void Losses_and_logits_are_those_of_the_CPU_within_rounding(string kind)
    {
        var (model, batch) = (Kinds[kind], BatchesOf(Kinds[kind])[0]);
        using ReplicaVectors onCpu = Samples.Initialized(model), onGpu = New(model);
        Fill(onCpu);
        using var cpu = new CpuDevice(new DeviceId("cpu:0"), Architectures.Open(model), 0.1);
        using var gpu = Open(model, RecomputeMode.None);
        cpu.Attach(onCpu);
        gpu.Attach(onGpu);
        AssertClose(cpu.Losses(batch), gpu.Losses(batch), 1e-5);
        int[] source = model.ReadsPairs ? [4, 5] : [], text = [1, 2, 3];
        AssertClose(
            [.. cpu.Logits(source, text).Select(x => (double)x)], [.. gpu.Logits(source, text).Select(x => (double)x)], 1e-5);
    }

    [Theory]
    [InlineData("gpt2, dropout", TrainingPrecision.Bf16)]
    [InlineData("llama, everything", TrainingPrecision.Fp16)]
    [InlineData("transformer", TrainingPrecision.Fp32)]
    public void What_is_computed_again_has_the_same_bits(string kind, TrainingPrecision setting)
    {
        var (model, batches, precision) = (Kinds[kind], BatchesOf(Kinds[kind]), Precision.Of(setting));
        FakeGpu.Shared.Clear();
        var (expected, losses) = OnGpu(model, batches, precision);
        var launches = FakeGpu.Shared.Calls.Count;
        foreach (var mode in new[] { RecomputeMode.Blocks, RecomputeMode.Full })
        {
            FakeGpu.Shared.Clear();
            var (found, again) = OnGpu(model, batches, precision, mode);
            Assert.Equal(losses, again);
            Numbers.AssertSameBits(expected, found);
            Assert.True(FakeGpu.Shared.Calls.Count > launches, $"{FakeGpu.Shared.Calls.Count} kernels, without recomputation {launches}");
        }
    }

    [Theory]
    [InlineData("gpt2, dropout", TrainingPrecision.Bf16, RecomputeMode.None)]
    [InlineData("gpt2, adapters", TrainingPrecision.Bf16, RecomputeMode.Blocks)]
    [InlineData("llama, everything", TrainingPrecision.Fp16, RecomputeMode.None)]
    [InlineData("bert, dropout", TrainingPrecision.Fp32, RecomputeMode.Full)]
    [InlineData("transformer, dropout", TrainingPrecision.Bf16, RecomputeMode.None)]
    public void A_step_leaves_no_tensor(string kind, TrainingPrecision setting, RecomputeMode recompute)
    {
        var (model, batches, precision) = (Kinds[kind], BatchesOf(Kinds[kind]), Precision.Of(setting));
        using var vectors = New(model);
        using var device = Open(model, recompute);
        device.Attach(vectors);
        device.Accumulate(batches, Seed, precision, 1);
        // Tables of positions stay.
        device.Losses(batches[0]);
        device.Logits(model.ReadsPairs ? [4, 5] : [], [1, 2, 3]);
        var before = DisposeScopeManager.Statistics.TensorStatistics.ThreadTotalLiveCount;
        device.Accumulate(batches, Seed, precision, 1);
        Assert.Equal(before, DisposeScopeManager.Statistics.TensorStatistics.ThreadTotalLiveCount);
        device.Losses(batches[0]);
        device.Logits(model.ReadsPairs ? [4, 5] : [], [1, 2, 3]);
        Assert.Equal(before, DisposeScopeManager.Statistics.TensorStatistics.ThreadTotalLiveCount);
    }

    // As docs/precision.md has it: of each token and layer 36 C bytes.
    [Theory]
    [InlineData(RecomputeMode.None, 36)]
    [InlineData(RecomputeMode.Blocks, 4)]
    public void What_a_pass_keeps_for_its_backward_pass_is_what_that_reads(RecomputeMode recompute, int bytesOfChannel)
    {
        long KeptBytes(int layers)
        {
            var model = Samples.Of("gpt2", layers, 4, 32, 16, 97);
            var tape = TapeOf(model, BatchesOf(model)[0], Precision.Bf16);
            var plan = new GpuPassPlan(tape, recompute, 0, tape.Operations.Count);
            var kept = new HashSet<Value>();
            for (var now = 0; now < plan.ForwardSteps; now++)
            {
                if (tape.Operations[plan.Steps[now].Index].Output is { } made)
                    kept.Add(made);
                kept.ExceptWith(plan.EndingAt(now));
            }
            return kept.Sum(v => v.Count * (tape.IsNarrow(v) ? 2 : 4));
        }
        Assert.Equal(32L * 32 * bytesOfChannel, KeptBytes(3) - KeptBytes(2));
    }

    // As stages of a pipeline run it.
    [Theory]
    [InlineData("gpt2, dropout", TrainingPrecision.Bf16, 1)]
    [InlineData("llama, everything", TrainingPrecision.Fp16, 1)]
    [InlineData("transformer", TrainingPrecision.Bf16, 3)]
    public void Ranges_of_a_tape_hand_over_what_crosses_between_them_and_have_the_bits_of_the_whole(
        string kind, TrainingPrecision setting, int block)
    {
        var (model, batch) = (Kinds[kind], BatchesOf(Kinds[kind])[0]);
        var tape = TapeOf(model, batch, Precision.Of(setting));
        var (cut, end) = (tape.Blocks[block].First, tape.Operations.Count);
        using var vectors = New(model);
        using var device = Open(model, RecomputeMode.None);
        device.Attach(vectors);
        using Half whole = new(vectors), halves = new(vectors);
        ITapePass Pass(Half half) => device.Open(tape, batch, half.Parameters, Seed, 1.0 / batch.StepTargets);
        using var all = Pass(whole);
        all.Forward(0, end);
        all.Backward(0, end);
        using ITapePass first = Pass(halves), second = Pass(halves);
        first.Forward(0, cut);
        var crossing = tape.Operations.Take(cut).Select(o => o.Output!)
            .Where(v => tape.Operations.Skip(cut).Any(o => o.Inputs.Contains(v))).ToList();
        crossing.ForEach(v => second.Put(v, first.Take(v)));
        second.Forward(cut, end);
        second.Backward(cut, end);
        crossing.ForEach(v => first.PutGradient(v, second.TakeGradient(v)!));
        first.Backward(0, cut);
        Numbers.AssertSameBits(Samples.Values(whole.Gradient), Samples.Values(halves.Gradient));
        Assert.Equal(all.Losses.data<double>().ToArray(), second.Losses.data<double>().ToArray());
    }

    [Fact]
    public void Logits_of_some_rows_at_a_time_give_the_same_losses_and_gradients_but_for_the_order_of_sums()
    {
        var (model, batch) = (Kinds["bert"], BatchesOf(Kinds["bert"])[0]);
        using var vectors = New(model);
        var tape = TapeOf(model, batch, Precision.Bf16);
        var found = new List<(double[] Losses, float[] Gradient, int Products)>();
        foreach (var atOnce in new long[] { 1 << 20, 97 * 16 })
        {
            _products.Clear();
            using var passes = new GpuPasses(
                new GpuTools(CPU, FakeGpu.Shared.Kernels(0), FakeFlash.New(), _products.On(0)), 97, RecomputeMode.None)
            { LogitsAtOnce = atOnce };
            using var half = new Half(vectors);
            using var pass = passes.Open(
                tape, batch, half.Parameters, Seed, 1, _ => throw new InvalidOperationException("nothing is left to plain operators"));
            pass.Forward(0, tape.Operations.Count);
            pass.Backward(0, tape.Operations.Count);
            found.Add((pass.Losses.data<double>().ToArray(), Samples.Values(half.Gradient), _products.Products.Count));
        }
        Assert.Equal(found[0].Losses, found[1].Losses);
        Assert.InRange(KernelDeviceTests.Distance(found[0].Gradient, found[1].Gradient), 0, 1e-6);
        // Of twice 16 rows: logits, and the gradients of the rows and of the weight.
        Assert.Equal(found[0].Products + 3, found[1].Products);
    }

    [Fact]
    public void Nothing_is_multiplied_for_frozen_parameters()
    {
        var model = Kinds["gpt2, adapters"];
        OnGpu(Kinds["gpt2"], BatchesOf(model), Precision.Bf16);
        var all = _products.Products.Count;
        _products.Clear();
        OnGpu(model, BatchesOf(model), Precision.Bf16);
        // Of both micro-batches: without the gradients of eight weights and the head's, with three products for each of two adapters'
        // halves; the first layer's first product has no gradient of its inputs to make, and its adapter none, either.
        Assert.Equal(all + 2 * (-9 + 2 * 6 - 2), _products.Products.Count);
    }

    // Relative, in the Euclidean norm.
    private static void AssertClose(double[] expected, double[] found, double tolerance)
    {
        Assert.Equal(expected.Length, found.Length);
        var difference = Math.Sqrt(expected.Zip(found, (a, b) => (a - b) * (a - b)).Sum());
        Assert.InRange(difference, 0, tolerance * Math.Sqrt(expected.Sum(x => x * x)));
    }

    private static Tape TapeOf(ModelSettings model, MicroBatch batch, Precision precision)
    {
        var tape = new Tape(
            TapePurpose.Training, new BatchShape(1, batch.Rows, batch.Columns, batch.SourceColumns), Architectures.LayoutOf(model), 0.1,
            precision);
        Architectures.Open(model).Record(tape);
        return tape;
    }

    private static IReadOnlyList<MicroBatch> BatchesOf(ModelSettings model) => Samples.MicroBatches(model, 2, 2, 5);

    private static ReplicaVectors New(ModelSettings model)
    {
        var vectors = new ReplicaVectors(Architectures.LayoutOf(model), length => new TorchVector(length, CPU));
        Fill(vectors);
        return vectors;
    }

    // Adapters begin with zeros, whose gradients would be zero.
    private static void Fill(ReplicaVectors vectors)
    {
        Initialization.Fill(vectors, 7);
        foreach (var adapter in vectors.Layout.Segments.Where(s => s.Name.Contains(".lora_", StringComparison.Ordinal)))
            vectors.CopyFrom(Messages.Vectors.VectorSet.Parameters, adapter.Offset, Numbers.Some((int)adapter.Count, 3, 0.2));
    }

    private static (float[] Gradient, double[] Losses) OnCpu(ModelSettings model, IReadOnlyList<MicroBatch> batches, Precision precision)
    {
        using var vectors = Samples.Initialized(model);
        Fill(vectors);
        using var device = new CpuDevice(new DeviceId("cpu:0"), Architectures.Open(model), 0.1);
        return Run(device, vectors, batches, precision);
    }

    private (float[] Gradient, double[] Losses) OnGpu(
        ModelSettings model, IReadOnlyList<MicroBatch> batches, Precision precision, RecomputeMode recompute = RecomputeMode.None)
    {
        using var vectors = New(model);
        using var device = Open(model, recompute);
        return Run(device, vectors, batches, precision);
    }

    private TorchDevice Open(ModelSettings model, RecomputeMode recompute) => new(
        new DeviceId("cuda:0"), CPU, Architectures.Open(model), 0.1, FakeGpu.Shared.Kernels(0), flash: FakeFlash.New(),
        products: _products.On(0), recompute: recompute);

    private static (float[] Gradient, double[] Losses) Run(
        TrainingDevice device, ReplicaVectors vectors, IReadOnlyList<MicroBatch> batches, Precision precision)
    {
        device.Attach(vectors);
        var layout = vectors.Layout;
        foreach (var slice in new[] { Slice.Split(layout, 1)[0], new Slice(layout.Tiles, (int)(layout.FrozenLength / FlatLayout.Tile)) })
        {
            if (precision.IsNarrow && slice.Tiles > 0)
                device.NarrowSlice(slice, precision);
        }
        var losses = device.Accumulate(batches, Seed, precision, precision.ScalesLoss ? 4096 : 1);
        var gradient = Samples.GradientOf(device);
        return (device.Roots[0].Gradient is PiecedVector folded ? Samples.Values(folded.Pieces[0]) : gradient, losses);
    }

    // Parameters, and where their gradients go.
    private sealed class Half : IDisposable
    {
        public Half(ReplicaVectors vectors)
        {
            var layout = vectors.Layout;
            Parameters = new PassParameters(layout, [(TorchVector)vectors.Parameters]);
            var table = layout.Segments.FirstOrDefault(s => s.Parameter.IsTrained && layout.IsTied(s.Name));
            Gradient = new PiecedVector(
                layout.TrainedLength, [new TorchVector(layout.TrainedLength, CPU)],
                table is null ? null : new TorchVector(table.Offset, table.Count, CPU, 0));
            Parameters.AddTo(Gradient);
        }

        public PassParameters Parameters { get; }

        public PiecedVector Gradient { get; }

        public void Dispose()
        {
            Parameters.Dispose();
            Gradient.Dispose();
        }
    }
}
