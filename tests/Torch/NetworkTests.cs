using Elastic.Messages;
using Elastic.Messages.Corpora;
using Elastic.Messages.Settings;
using Elastic.Messages.Vectors;
using Elastic.Model.Batches;
using Elastic.Model.Cpu;
using Elastic.Model.Generation;
using Elastic.Model.Networks;
using Elastic.Model.Optimization;
using Elastic.Model.Tapes;
using Elastic.Model.Tests;
using Elastic.Model.Training;
using Elastic.Model.Vectors;
using Elastic.Torch.Native;
using static TorchSharp.torch;

namespace Elastic.Torch.Tests;

/// <summary>
/// Elastic's kernels and the tape's backward pass against autograd in double precision, over the same tape. Tolerance: 1e-5 relative per
/// tensor, where relative is max |a - b| / max |b|.
/// </summary>
public class NetworkTests(ITestOutputHelper output)
{
    private const double Tolerance = 1e-5;

    private static readonly DropoutSeed Seed = new(1, 2, 3, 4);

    private static readonly LoraSettings Lora = ModelSettings.Defaults.Lora with { Rank = 3, Alpha = 7.5 };

    private static readonly Dictionary<string, ModelSettings> Kinds = new()
    {
        ["gpt2"] = Samples.Model(2, 4, 48, 75, 101),
        ["llama"] = Samples.Llama(2, 4, 2, 48, 75, 101),
        ["llama, everything"] = Samples.Llama(2, 6, 2, 48, 75, 101, l => l with
        {
            HeadSize = 10,
            FeedForward = 52,
            TiedEmbeddings = true,
            AttentionBiases = true,
            HeadNorms = true,
            Rotary = l.Rotary with { Scaling = RotaryScaling.Yarn, Factor = 4, OriginalContext = 64 },
        }),
        ["llama, window"] = Samples.Llama(2, 4, 2, 48, 75, 101, l => l with { AttentionWindow = 9 }),
        ["gpt2, adapters"] = Samples.Model(2, 4, 48, 75, 101) with { Lora = Lora },
        ["llama, adapters"] = Samples.Llama(2, 4, 2, 48, 75, 101) with
        {
            Lora = Lora with { Targets = ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"] },
        },
        ["bert"] = Samples.Of("bert", 2, 4, 48, 75, 101),
        ["transformer"] = Samples.Of("transformer", 2, 4, 48, 75, 101),
    };

    [Theory]
    [InlineData("gpt2", 0.0, 0.0, 1)]
    [InlineData("gpt2", 0.0, 0.1, 2)]
    [InlineData("gpt2", 0.3, 0.1, 4)]
    [InlineData("gpt2", 0.3, 0.1, 2, true)]
    [InlineData("gpt2", 0.3, 0.1, 2, true, RecomputeMode.Blocks)]
    [InlineData("transformer", 0.3, 0.1, 2, false, RecomputeMode.Full)]
    [InlineData("llama", 0.0, 0.0, 1)]
    [InlineData("llama", 0.3, 0.1, 4)]
    [InlineData("llama", 0.0, 0.1, 2, true)]
    [InlineData("llama, everything", 0.0, 0.1, 2)]
    [InlineData("llama, everything", 0.3, 0.1, 2, false, RecomputeMode.Full)]
    [InlineData("llama, window", 0.3, 0.1, 4)]
    [InlineData("llama, window", 0.0, 0.1, 2, true)]
    [InlineData("gpt2, adapters", 0.3, 0.1, 2)]
    [InlineData("llama, adapters", 0.0, 0.0, 4)]
    [InlineData("llama, adapters", 0.3, 0.0, 2, true, RecomputeMode.Blocks)]
    [InlineData("bert", 0.0, 0.0, 1)]
    [InlineData("bert", 0.3, 0.1, 4)]
    [InlineData("bert", 0.0, 0.1, 2, true)]
    [InlineData("bert", 0.3, 0.0, 2, false, RecomputeMode.None, true)]
    [InlineData("transformer", 0.0, 0.0, 1)]
    [InlineData("transformer", 0.3, 0.1, 4)]
    public void Loss_and_gradients_agree_with_autograd_in_double_precision(
        string kind, double dropout, double smoothing, int microBatches, bool marked = false, RecomputeMode recompute = RecomputeMode.None,
        bool hasTypes = false)
    {
        NativeTorch.Load();
        var model = Kinds[kind] with { Dropout = dropout };
        using var vectors = Noisy(model);
        using var device = new CpuDevice(new DeviceId("cpu:0"), Architectures.Open(model), smoothing, threads: 2, recompute);
        device.Attach(vectors);
        var batches = marked ? Marked(model, microBatches) : Samples.MicroBatches(model, microBatches, 2, 5);
        if (hasTypes)
            batches = [.. batches.Select(b => b with { Types = [.. b.Inputs.Select((token, i) => (token + i) % 2)] })];
        var losses = device.Accumulate(batches, Seed);
        var gradient = Samples.GradientOf(device);

        using var scope = NewDisposeScope();
        var (layout, leaves) = (vectors.Layout, Leaves(vectors));
        var shape = new BatchShape(1, batches[0].Rows, batches[0].Columns, batches[0].SourceColumns);
        for (var i = 0; i < microBatches; i++)
        {
            var tape = new Tape(TapePurpose.Training, shape, layout, smoothing);
            Architectures.Open(model).Record(tape);
            using var pass = new TorchPass(
                tape, name => leaves[layout[name].Name], tensor(batches[i].Inputs, int64),
                tensor([.. batches[i].Targets.Select(t => Math.Max(t, 0))], int64), CPU, float64)
            {
                Counted = TorchPass.CountedOf(batches[i], float64),
                Segments = batches[i].Segments is { } segments ? tensor(segments, int64) : null,
                Types = batches[i].Types is { } types ? tensor(types, int64) : null,
                Sources = batches[i].Sources is { } sources ? tensor(sources, int64) : null,
                SourceSegments = batches[i].Sources is null ? null : tensor(batches[i].SourceSegments(), int64),
                Seed = Seed,
                FirstMicroBatch = batches[i].Index,
                LossFactor = 1.0 / batches[i].StepTargets,
            };
            pass.Forward(0, tape.Operations.Count);
            pass.Backward(0, tape.Operations.Count);
            Assert.Equal(1, losses[i] / pass.Losses.sum().item<double>(), 1e-6);
        }
        var worst = 0.0;
        foreach (var segment in layout.Segments.Where(s => s.Parameter.IsTrained))
        {
            var expected = leaves[segment.Name].grad!.data<double>().ToArray();
            var (error, size) = (0.0, SizeOf(segment.Name, leaves));
            for (var j = 0; j < expected.Length; j++)
                error = Math.Max(error, Math.Abs(gradient[segment.Offset + j] - expected[j]));
            Assert.True(error / size < Tolerance, $"{segment.Name}: {error / size:E2}");
            worst = Math.Max(worst, error / size);
        }
        output.WriteLine($"worst gradient {worst:E2}");
    }

    [Theory]
    [InlineData("gpt2", "adamw")]
    [InlineData("gpt2", "muon")]
    [InlineData("llama", "adamw")]
    [InlineData("llama", "muon")]
    [InlineData("bert", "adamw")]
    [InlineData("transformer", "adamw")]
    [InlineData("gpt2, adapters", "adamw")]
    public void A_device_of_libtorch_takes_the_steps_that_a_CPU_takes_within_rounding(string architecture, string optimizer)
    {
        TorchBackend.Register();
        var model = Samples.Tiny(dropout: 0.1) with { Architecture = Kinds[architecture].Architecture, Lora = Kinds[architecture].Lora };
        var losses = new[] { "cpu:0", "torch:0" }.ToDictionary(name => name, name => Train(model, new DeviceId(name), optimizer));
        foreach (var (expected, actual) in losses["cpu:0"].Zip(losses["torch:0"]))
            Assert.Equal(expected, actual, 1e-4);
        Assert.NotEqual(losses["cpu:0"][0], losses["cpu:0"][^1], 1e-3);
    }

    // In bf16 and fp16 both round at the same places, but libtorch's products round what they return, and sums have another order: a
    // number beside the middle between two of 16 bits becomes another. Tolerance: the gradient as a whole, relative in the Euclidean norm,
    // within two units of the type, 2^-7 and 2^-10. ReLU is either 0 or 1 backwards: where its input is 0 but for rounding, a unit of the
    // network is there or not, which is worth the square root of the type's unit, 2^-5 (Cuda/ReluTests measures what else there is).
    [Theory]
    [InlineData(TrainingPrecision.Bf16, "gpt2", 1.0 / 128)]
    [InlineData(TrainingPrecision.Fp16, "gpt2", 1.0 / 1024)]
    [InlineData(TrainingPrecision.Bf16, "llama", 1.0 / 128)]
    [InlineData(TrainingPrecision.Fp16, "llama", 1.0 / 1024)]
    [InlineData(TrainingPrecision.Bf16, "bert", 1.0 / 128)]
    [InlineData(TrainingPrecision.Fp16, "transformer", 1.0 / 32)]
    public void A_device_of_libtorch_has_the_gradients_of_a_CPU_in_16_bits_within_their_rounding(
        TrainingPrecision setting, string architecture, double tolerance)
    {
        TorchBackend.Register();
        var (model, precision) = (Samples.Tiny(dropout: 0.1) with { Architecture = architecture }, Precision.Of(setting));
        var scale = precision.ScalesLoss ? 4096 : 1;
        float[] Gradient(string name, Precision of)
        {
            DeviceId id = new(name);
            var (backend, network) = (DeviceBackends.Of(id), Architectures.Open(model));
            using var vectors = new ReplicaVectors(new FlatLayout(network.Parameters), length => backend.Allocate(id, length));
            Initialization.Fill(vectors, 7);
            using var device = backend.Open(id, network, 0.1, 1, RecomputeMode.None);
            device.Attach(vectors);
            if (of.IsNarrow)
                device.NarrowSlice(Slice.Split(vectors.Layout, 1)[0], of);
            device.Accumulate(Samples.MicroBatches(model, 2, 2, 3), Seed, of, scale);
            return Samples.GradientOf(device);
        }
        var (ours, theirs) = (Gradient("cpu:0", precision), Gradient("torch:0", precision));
        double Difference(float[] x) => Math.Sqrt(
            x.Zip(ours, (a, b) => Math.Pow((double)a - b, 2)).Sum() / ours.Sum(y => (double)y * y));
        output.WriteLine($"{Difference(theirs):E2}; of fp32 {Difference(Gradient("cpu:0", Precision.Fp32)):E2}");
        Assert.InRange(Difference(theirs), 0, tolerance);
    }

    [Fact]
    public async Task A_device_of_libtorch_skips_a_step_that_overflows_and_goes_on_with_half_the_scale()
    {
        TorchBackend.Register();
        DeviceId id = new("torch:0");
        var (model, backend) = (Samples.Tiny(), DeviceBackends.Of(id));
        using var vectors = new ReplicaVectors(Architectures.LayoutOf(model), length => backend.Allocate(id, length));
        Initialization.Fill(vectors, 7);
        new LossScale(40, 5, 0).Write(vectors);
        using var device = backend.Open(id, Architectures.Open(model), 0, 1, RecomputeMode.None);
        device.Attach(vectors);
        var inline = new InlineDevice(device);
        var step = new TrainingStep(
            [inline], new LocalCollective([inline]), vectors.Layout, new AdamW(Samples.Optimizer()), 1, Precision.Fp16);
        var (before, batches, number) = (Samples.Values(vectors.Parameters), Samples.MicroBatches(model, 2, 2, 1), 0);
        do
        {
            Assert.Equal(before, Samples.Values(vectors.Parameters));
            await step.RunAsync(batches, Seed, 1e-2, ++number);
        }
        while (LossScale.Read(vectors).CleanSteps == 0);
        Assert.NotEqual(before, Samples.Values(vectors.Parameters));
        Assert.Equal(new LossScale(40 - (number - 1), 1, number - 1), LossScale.Read(vectors));
        Assert.InRange(number, 5, 30);
    }

    [Fact]
    public void An_answer_on_a_device_of_libtorch_needs_its_source_and_goes_on_with_it()
    {
        TorchBackend.Register();
        var (backend, id) = (DeviceBackends.Find("torch")!, new DeviceId("torch:0"));
        var architecture = Architectures.Open(Kinds["transformer"]);
        using var vectors = new ReplicaVectors(new FlatLayout(architecture.Parameters), length => backend.Allocate(id, length));
        Initialization.Fill(vectors, 7);
        using var device = backend.Open(id, architecture, 0, 1, RecomputeMode.None);
        device.Attach(vectors);
        Assert.Equal("the network needs a source", Assert.Throws<ArgumentException>(() => device.Logits([1, 2])).Message);
        Assert.Equal("the network needs a source", Assert.Throws<ArgumentException>(() => device.NewState(4)).Message);
        using var source = device.Encode([4, 5]);
        using var answer = device.NewState(4, source);
        device.Decode([new DecoderInput(answer, new[] { 1 })]);
        device.Decode([new DecoderInput(answer, new[] { 2, 3 })]);
        Assert.Equal(device.Logits([4, 5], [1, 2, 3]), answer.Logits.ToArray());
    }

    [Fact]
    public void Devices_of_libtorch_have_an_arithmetic_of_their_own()
    {
        TorchBackend.Register();
        Assert.Equal("cpu 2", Arithmetic.Of(new DeviceId("cpu:7")));
        Assert.StartsWith("torch 2.", Arithmetic.Of(new DeviceId("torch:0")), StringComparison.Ordinal);
        Assert.Contains("libtorch", DeviceBackends.Find("torch")!.Describe(), StringComparison.Ordinal);
    }

    // Two devices, three steps, evaluation and logits at the end.
    private static List<double> Train(ModelSettings model, DeviceId id, string optimizer)
    {
        var (backend, architecture) = (DeviceBackends.Of(id), Architectures.Open(model));
        using var vectors = new ReplicaVectors(new FlatLayout(architecture.Parameters), length => backend.Allocate(id, length));
        Initialization.Fill(vectors, 7);
        var devices = Enumerable.Range(0, 2).Select(_ => backend.Open(id, architecture, 0.1, 1, RecomputeMode.Blocks)).ToList();
        devices.ForEach(d => d.Attach(vectors));
        var threads = devices.Select(d => new InlineDevice(d)).ToList();
        var settings = Samples.Optimizer() with { Kind = optimizer, AdamWRate = 0.5 };
        var step = new TrainingStep(threads, new LocalCollective(threads), vectors.Layout, Optimizers.Open(settings), 1);
        List<double> numbers = [];
        for (var i = 0; i < 3; i++)
            numbers.Add(step.RunAsync(Samples.MicroBatches(model, 3, 2, i), Seed, 1e-2, i + 1).GetAwaiter().GetResult());
        MicroBatch batch = Samples.MicroBatches(model, 1, 2, 9)[0];
        numbers.AddRange(devices[1].Evaluate(batch).Select(s => s.Mean));
        numbers.AddRange(devices[0].Logits(model.ReadsPairs ? [4, 5] : [], [1, 2, 3]).Select(v => (double)v));
        devices.ForEach(d => d.Dispose());
        return numbers;
    }

    // Documents of some 20 tokens, a third of whose targets are not counted; the second micro-batch counts far fewer than the first.
    private static IReadOnlyList<MicroBatch> Marked(ModelSettings model, int count)
    {
        var random = new Random(8);
        var elements = Enumerable.Range(0, count * 2 * (model.Context + 1)).Select(i => random.Next(model.Vocabulary)
            | (random.Next(20) == 0 ? SampleElement.Begins : 0)
            | (random.Next(i < 2 * (model.Context + 1) ? 3 : 10) < (i < 2 * (model.Context + 1) ? 1 : 9) ? SampleElement.NotCounted : 0));
        return Architectures.Open(model).Batching.MicroBatches(Sample.Cut(elements.ToArray(), count * 2), 2);
    }

    // The largest element of a gradient. A bias of keys adds the same to all scores of a query, unless they are rotated: its gradient is
    // zero but for rounding, which is measured by the queries'.
    private static double SizeOf(string name, Dictionary<string, Tensor> leaves)
    {
        var size = leaves[name].grad!.abs().max().item<double>();
        var query = name.Replace(".key.", ".query.", StringComparison.Ordinal).Replace(".k_proj.", ".q_proj.", StringComparison.Ordinal);
        return size < 1e-12 && query != name ? SizeOf(query, leaves) : size;
    }

    // Far from the flat start, where attention and norms do something. The transformer's own start is.
    private static ReplicaVectors Noisy(ModelSettings model)
    {
        var vectors = Samples.Initialized(model);
        var (values, factor) = (Samples.Values(vectors.Parameters), model.ReadsPairs ? 1 : 6);
        vectors.CopyFrom(VectorSet.Parameters, 0, [.. values.Select(v => v is 0 or 1 ? v : factor * v)]);
        var random = new Random(4);
        foreach (var adapter in vectors.Layout.Segments.Where(s => s.Name.Contains(".lora_", StringComparison.Ordinal)))
            vectors.CopyFrom(
                VectorSet.Parameters, adapter.Offset,
                [.. Enumerable.Range(0, (int)adapter.Count).Select(_ => 0.2f * (random.NextSingle() - 0.5f))]);
        return vectors;
    }

    private static Dictionary<string, Tensor> Leaves(ReplicaVectors vectors) => vectors.Layout.Segments.ToDictionary(s => s.Name, s =>
        tensor(vectors.Floats(VectorSet.Parameters, s.Offset, (int)s.Count).ToArray(), float64).view([.. s.Shape]).requires_grad_(true));
}
