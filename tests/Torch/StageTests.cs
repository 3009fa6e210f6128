using System.IO.Pipelines;
using System.Runtime.InteropServices;
using Elastic.Messages;
using Elastic.Messages.Settings;
using Elastic.Messages.Vectors;
using Elastic.Model.Networks;
using Elastic.Model.Optimization;
using Elastic.Model.Splits;
using Elastic.Model.Tests;
using Elastic.Model.Training;
using Elastic.Model.Vectors;
using Elastic.Step;
using Elastic.Torch.Native;
using Elastic.Torch.Tests.Cuda;
using static TorchSharp.torch;

namespace Elastic.Torch.Tests;

/// <summary>How a network is cut into stages of libtorch's devices never shows in the bits.</summary>
[Collection(nameof(KernelDeviceTests))]
public sealed class StageTests
{
    private const int Steps = 2, MicroBatches = 5;

    private static readonly Dictionary<string, ModelSettings> Kinds = new()
    {
        ["gpt2"] = Samples.Model(2, 2, 16, 8, 61) with { Dropout = 0.1 },
        ["llama"] = Samples.Llama(2, 2, 1, 16, 8, 61),
        ["bert"] = Samples.Of("bert", 2, 2, 16, 8, 61),
        ["transformer"] = Samples.Of("transformer", 2, 2, 16, 8, 61) with { Dropout = 0.1 },
        ["adapters"] = Samples.Model(2, 2, 16, 8, 61) with { Lora = ModelSettings.Defaults.Lora with { Rank = 2 } },
    };

    private static readonly OptimizerSettings Settings = Samples.Optimizer(smoothing: 0.1);

    public StageTests() => NativeTorch.Load();

    [Theory]
    [InlineData("gpt2", TrainingPrecision.Fp32, true)]
    [InlineData("gpt2", TrainingPrecision.Bf16, true)]
    [InlineData("gpt2", TrainingPrecision.Bf16, false)]
    [InlineData("llama", TrainingPrecision.Bf16, false)]
    [InlineData("bert", TrainingPrecision.Fp32, false)]
    [InlineData("transformer", TrainingPrecision.Fp32, true)]
    [InlineData("transformer", TrainingPrecision.Bf16, false)]
    [InlineData("adapters", TrainingPrecision.Fp32, false)]
    public async Task Every_number_of_stages_and_of_groups_gives_the_bits_of_one_device(string kind, TrainingPrecision of, bool hasKernels)
    {
        var (model, precision) = (Kinds[kind], Precision.Of(of));
        using var pool = new Pool(model, 4, hasKernels);
        var expected = await pool.TrainAsync(precision, _ => (1, 1, 1));
        foreach (var (devices, stages, chunks) in new[] { (2, 2, 1), (4, 2, 1), (3, 3, 1), (2, 2, 2) })
            Assert.Equal(expected, await pool.TrainAsync(precision, _ => (devices, stages, chunks)));
        // From one split to another between steps.
        Assert.Equal(expected, await pool.TrainAsync(precision, step => step == 0 ? (4, 2, 1) : (2, 1, 1)));
    }

    [Fact]
    public async Task Each_stage_has_sums_of_its_own_parameters_alone()
    {
        var model = Kinds["llama"];
        using var pool = new Pool(model, 2, false);
        await pool.TrainAsync(Precision.Fp32, _ => (2, 2, 1));
        var stages = await Task.WhenAll(pool.Devices.Select(d => d.RunAsync(device => device.Stage!)));
        var sum = (PiecedVector)stages[0].OwnRoots[0].Gradient;
        Assert.Same(sum, stages[1].OwnRoots[0].Gradient);
        var layout = Architectures.LayoutOf(model);
        Assert.Equal(layout.Segments.Sum(s => s.End - s.Offset), sum.Pieces.Sum(p => p.Length - p.First));
        var crossing = layout.Segments.Count(s => sum.Pieces.All(p => s.Offset < p.First || s.End > p.Length));
        Assert.Equal(0, crossing);
        // What went over the cut: the residual stream forwards, its gradient backwards.
        Assert.Equal(Steps * MicroBatches * 2 * 8 * 16 * sizeof(float), stages[1].CopiedBytes);
        Assert.Equal(stages[0].CopiedBytes, stages[1].CopiedBytes);
    }

    [Theory]
    [InlineData("gpt2", TrainingPrecision.Fp32, true)]
    [InlineData("transformer", TrainingPrecision.Bf16, false)]
    public async Task Stages_that_share_no_memory_give_the_bits_of_one_device(string kind, TrainingPrecision of, bool hasKernels)
    {
        const int count = 3;
        var (model, precision) = (Kinds[kind], Precision.Of(of));
        using var pool = new Pool(model, count, hasKernels);
        var expected = await pool.TrainAsync(precision, _ => (1, 1, 1));

        var architecture = Architectures.Open(model);
        var parameters = new StageParameters(architecture, Architectures.LayoutOf(model), count);
        var pipes = Enumerable.Range(0, count * count).Select(_ => new Pipe()).ToList();
        var parts = new List<(ReplicaVectors Vectors, StageLink?[] Links, ApartStage Stage, TrainingStep Step)>();
        for (var number = 0; number < count; number++)
        {
            var own = number;
            StageLink?[] links =
            [
                .. Enumerable.Range(0, count).Select(other => other == own ? null : new StageLink(
                    pipes[other * count + own].Reader.AsStream(), pipes[own * count + other].Writer.AsStream(), other, $"stage {other}")),
            ];
            var vectors = new ReplicaVectors(Architectures.LayoutOf(model), (name, length) => new TorchBackend("torch", null).Allocate(
                new DeviceId("torch:0"), length,
                [.. name == VectorSet.Parameters ? parameters.RangesHeldBy(own) : parameters.RangesOwnedBy(own)]));
            await pool.AttachAsync(own, vectors);
            var stage = new ApartStage(pool.Devices[own], architecture, own, links, vectors);
            stage.Initialize(7);
            parts.Add((vectors, links, stage, stage.Step(new AdamW(Settings), 1, precision)));
        }
        for (var number = 0; number < Steps; number++)
            await Task.WhenAll(parts.Select(p => Task.Run(() => Pool.TakeAsync(p.Step, model, number))));
        var gathered = Enumerable.Range(0, 3).Select(_ => new List<float>()).ToList();
        foreach (var (name, all) in Pool.Names.Zip(gathered))
            await Task.WhenAll(parts.Select(p => Task.Run(
                () => p.Stage.GatherAsync(name, (_, elements) => all.AddRange(MemoryMarshal.ToEnumerable(elements))))));
        Assert.Equal(expected, gathered.SelectMany(g => g));
        foreach (var (vectors, links, _, _) in parts)
        {
            foreach (var link in links.OfType<StageLink>())
                await link.DisposeAsync();
            vectors.Dispose();
        }
    }

    /// <summary>Devices that stay open, of which each step takes some.</summary>
    private sealed class Pool(ModelSettings model, int count, bool hasKernels) : IDisposable
    {
        public static readonly string[] Names = [VectorSet.Parameters, VectorSet.FirstMoment, VectorSet.SecondMoment];

        public List<DeviceThread> Devices { get; } = [.. Enumerable.Range(0, count).Select(i => new DeviceThread(
            new DeviceId($"cuda:{i}"),
            () => new TorchDevice(
                new DeviceId($"cuda:{i}"), CPU, Architectures.Open(model), Settings.LabelSmoothing,
                hasKernels ? FakeGpu.Shared.Kernels(i % 2) : null, hasKernels ? i % 2 : 0)))];

        public static Task<double> TakeAsync(TrainingStep step, ModelSettings model, int number) => step.RunAsync(
            Samples.MicroBatches(model, MicroBatches, 2, number), new DropoutSeed(1, 0, 0, number), 1e-2, number + 1);

        public Task<bool> AttachAsync(int device, ReplicaVectors vectors) => Devices[device].RunAsync(d =>
        {
            d.Attach(vectors);
            return true;
        });

        /// <summary>All steps, each split as <paramref name="splitOf"/> says; all elements of parameters and moments.</summary>
        public async Task<float[]> TrainAsync(Precision precision, Func<int, (int Devices, int Stages, int Chunks)> splitOf)
        {
            using var vectors = new ReplicaVectors(Architectures.LayoutOf(model), length => new TorchVector(length, CPU));
            Initialization.Fill(vectors, 7);
            for (var i = 0; i < count; i++)
                await AttachAsync(i, vectors);
            for (var number = 0; number < Steps; number++)
            {
                var (devices, stages, chunks) = splitOf(number);
                List<DeviceThread> taken = [.. Devices.Take(devices)];
                await TakeAsync(new TrainingStep(
                    taken, new LocalCollective(taken), vectors.Layout, new AdamW(Settings), 1, precision, stages: stages, chunks: chunks),
                    model, number);
            }
            return [.. Names.SelectMany(name => Samples.Values(vectors[name]))];
        }

        public void Dispose() => Devices.ForEach(d => d.Dispose());
    }
}
