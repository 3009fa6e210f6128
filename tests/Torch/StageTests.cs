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
using Elastic.Torch.Native;
using Elastic.Torch.Tests.Cuda;
using static TorchSharp.torch;

namespace Elastic.Torch.Tests;

/// <summary>How a network is cut into stages of libtorch's devices never shows in the bits.</summary>
[Collection(nameof(KernelDeviceTests))]
public sealed class StageTests
{
    private const int Steps = StagePool.Steps, MicroBatches = StagePool.MicroBatches;

    private static readonly Dictionary<string, ModelSettings> Kinds = new()
    {
        ["gpt2"] = Samples.Model(2, 2, 16, 8, 61) with { Dropout = 0.1 },
        ["llama"] = Samples.Llama(2, 2, 1, 16, 8, 61),
        ["tied llama"] = Samples.Llama(2, 2, 1, 16, 8, 61, l => l with { TiedEmbeddings = true }),
        ["bert"] = Samples.Of("bert", 2, 2, 16, 8, 61),
        ["transformer"] = Samples.Of("transformer", 2, 2, 16, 8, 61) with { Dropout = 0.1 },
        ["adapters"] = Samples.Model(2, 2, 16, 8, 61) with { Lora = ModelSettings.Defaults.Lora with { Rank = 2 } },
    };

    private static readonly OptimizerSettings Settings = StagePool.Settings;

    public StageTests() => NativeTorch.Load();

    [Theory]
    [InlineData("gpt2", TrainingPrecision.Fp32, true)]
    [InlineData("gpt2", TrainingPrecision.Bf16, true)]
    [InlineData("llama", TrainingPrecision.Bf16, false)]
    [InlineData("bert", TrainingPrecision.Fp32, false)]
    [InlineData("transformer", TrainingPrecision.Fp32, true)]
    [InlineData("transformer", TrainingPrecision.Bf16, false)]
    [InlineData("adapters", TrainingPrecision.Fp32, false)]
    public async Task Every_number_of_stages_and_of_groups_gives_the_bits_of_one_device(string kind, TrainingPrecision of, bool hasKernels)
    {
        var (model, precision) = (Kinds[kind], Precision.Of(of));
        using var pool = new StagePool(model, 4, hasKernels);
        // Both steps in one split, which keeps its memory; then alone, by a device that was a stage; then from one split to another.
        var inGroups = await pool.TrainAsync(precision, _ => (4, 2, 1));
        var expected = await pool.TrainAsync(precision, _ => (1, 1, 1));
        Assert.Equal(expected, inGroups);
        Assert.Equal(expected, await pool.TrainAsync(precision, step => step == 0 ? (3, 3, 1) : (2, 2, 2)));
    }

    [Fact]
    public async Task Each_stage_has_sums_of_its_own_parameters_alone()
    {
        var model = Kinds["llama"];
        using var pool = new StagePool(model, 2, false);
        await pool.TrainAsync(Precision.Fp32, _ => (2, 2, 1));
        var stages = await Task.WhenAll(pool.Devices.Select(d => d.RunAsync(device => device.Stage!)));
        var sum = (PiecedVector)stages[0].TakeRoots()[0].Gradient;
        Assert.Same(sum, stages[1].TakeRoots()[0].Gradient);
        var layout = Architectures.LayoutOf(model);
        Assert.Equal(layout.Segments.Sum(s => s.End - s.Offset), sum.Pieces.Sum(p => p.Length - p.First));
        var crossing = layout.Segments.Count(s => sum.Pieces.All(p => s.Offset < p.First || s.End > p.Length));
        Assert.Equal(0, crossing);
        // What went over the cut: the residual stream forwards, its gradient backwards.
        Assert.Equal(Steps * MicroBatches * 2 * 8 * 16 * sizeof(float), stages[1].CopiedBytes);
        Assert.Equal(stages[0].CopiedBytes, stages[1].CopiedBytes);
    }

    [Fact]
    public async Task A_GPU_copies_what_each_of_its_pieces_reads_once_a_step()
    {
        var (model, copies) = (Kinds["gpt2"], new List<int>());
        using var pool = new StagePool(model, 2, true);
        await pool.TrainAsync(Precision.Bf16, _ => (2, 2, 2), before: async number =>
        {
            if (number == 0)
                return;
            var parameters = new StageParameters(Architectures.Open(model), Architectures.LayoutOf(model), 4);
            foreach (var piece in new[] { 1, 3 })
            {
                using var held = await pool.Devices[1].RunAsync(d => ((TorchDevice)d).ParametersOf([.. parameters.RangesHeldBy(piece)]));
                copies.AddRange(parameters.HeldBy(piece).Select(p => held.VectorOf(p).Changes));
            }
        });
        // That of the first step, and of the update after it.
        Assert.NotEmpty(copies);
        Assert.All(copies, c => Assert.Equal(2, c));
    }

    [Fact]
    public async Task After_a_failed_step_a_device_keeps_nothing_but_what_crossed_a_cut()
    {
        var model = Kinds["gpt2"];
        using var pool = new StagePool(model, 2, false);
        using var vectors = new ReplicaVectors(Architectures.LayoutOf(model), length => new TorchVector(length, CPU));
        Initialization.Fill(vectors, 7);
        for (var i = 0; i < 2; i++)
            await pool.AttachAsync(i, vectors);
        var microBatches = Samples.MicroBatches(model, MicroBatches, 2, 0);
        microBatches[^1].Inputs[0] = model.Vocabulary;
        await Assert.ThrowsAnyAsync<Exception>(() => new TrainingStep(
            pool.Devices, new LocalCollective(pool.Devices), vectors.Layout, new AdamW(Settings), 1, stages: 2)
            .RunAsync(microBatches, new DropoutSeed(1, 0, 0, 0), 1e-2, 1));
        foreach (var device in pool.Devices)
        {
            var sum = (PiecedVector)await device.RunAsync(d => d.Stage!.Group.Sum(0, () => throw new InvalidOperationException("no sum")));
            int Freed() => sum.Pieces.Count(p => p.Flat.IsInvalid);
            var (freed, alive) = (Freed(), Tensor.TotalCount);
            await device.RunAsync(d => d.Accumulate([], default, Precision.Fp32, 1));
            Assert.True(Freed() > freed);
            // Those of passes, beside the sums.
            Assert.True(alive - Tensor.TotalCount > Freed() - freed);
        }
    }

    [Fact]
    public void What_a_device_folded_alone_is_freed_when_it_becomes_a_stage()
    {
        var model = Kinds["llama"];
        using var vectors = new ReplicaVectors(Architectures.LayoutOf(model), length => new TorchVector(length, CPU));
        Initialization.Fill(vectors, 7);
        TorchDevice Open() => new(new DeviceId("torch:0"), CPU, Architectures.Open(model), 0);
        using TorchDevice first = Open(), second = Open();
        first.Attach(vectors);
        second.Attach(vectors);
        first.Accumulate(Samples.MicroBatches(model, 1, 2, 0), default, Precision.Fp32, 1);
        var sum = second.FoldSlice(first.Roots, 1, new Slice(0, 1))[0];
        Assert.True(sum > 0);
        Assert.Equal(sum, second.SquaresOf(0).Sum());
        second.OpenStage(new PipelineGroup(second.Architecture, 2), 1, 0);
        Assert.Throws<InvalidOperationException>(() => second.SquaresOf(0));
    }

    [Theory]
    [InlineData("gpt2", TrainingPrecision.Fp32, true)]
    [InlineData("transformer", TrainingPrecision.Bf16, false)]
    [InlineData("tied llama", TrainingPrecision.Fp32, true, 4)]           // the first stage updates nothing
    [InlineData("tied llama", TrainingPrecision.Bf16, false, 4)]
    [InlineData("adapters", TrainingPrecision.Fp32, true)]
    [InlineData("adapters", TrainingPrecision.Bf16, false, 4)]
    [InlineData("llama", TrainingPrecision.Fp32, true, 4, "muon")]
    [InlineData("gpt2", TrainingPrecision.Bf16, true, 3, "muon")]
    public async Task Stages_that_share_no_memory_give_the_bits_of_one_device_also_when_others_take_them(
        string kind, TrainingPrecision of, bool hasKernels, int count = 3, string update = "adamw")
    {
        var (model, precision) = (Kinds[kind], Precision.Of(of));
        using var pool = new StagePool(model, count + 1, hasKernels);
        var optimizer = Optimizers.Open(Settings with { Kind = update });
        var expected = await pool.TrainAsync(precision, _ => (1, 1, 1), optimizer: optimizer);

        var architecture = Architectures.Open(model);
        var parameters = new StageParameters(architecture, Architectures.LayoutOf(model), count);
        var pipes = Enumerable.Range(0, count * count).Select(_ => new Pipe()).ToList();
        var parts = new List<(ReplicaVectors Vectors, StageLink?[] Links, PipelineGroup Group)>();
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
            parts.Add((vectors, links, ApartStage.NewGroup(architecture, count)));
        }
        List<ApartStage> stages = [];
        for (var number = 0; number < Steps; number++)
        {
            stages = [];
            for (var own = 0; own < count; own++)
            {
                await pool.AttachAsync(own + number, parts[own].Vectors);
                stages.Add(new ApartStage(
                    pool.Devices[own + number], architecture, own, parts[own].Links, parts[own].Vectors, parts[own].Group));
                if (number == 0)
                    stages[own].Initialize(7);
            }
            await Task.WhenAll(stages.Select(
                s => Task.Run(() => StagePool.TakeAsync(s.Step(optimizer, 1, precision), model, number))));
        }
        var gathered = Enumerable.Range(0, 3).Select(_ => new List<float>()).ToList();
        foreach (var (name, all) in StagePool.Names.Zip(gathered))
            await Task.WhenAll(stages.Select(s => Task.Run(
                () => s.GatherAsync(name, (_, elements) => all.AddRange(MemoryMarshal.ToEnumerable(elements))))));
        // What is frozen is nobody's to store.
        var layout = Architectures.LayoutOf(model);
        Assert.Equal([.. expected[..(int)layout.TrainedLength], .. expected[(int)layout.Length..]], gathered.SelectMany(g => g));
        foreach (var (vectors, links, group) in parts)
        {
            foreach (var link in links.OfType<StageLink>())
                await link.DisposeAsync();
            vectors.Dispose();
            group.Dispose();
        }
    }
}
