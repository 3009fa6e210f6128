using Elastic.Messages;
using Elastic.Messages.Settings;
using Elastic.Model.Networks;
using Elastic.Model.Training;

namespace Elastic.Model.Tests;

/// <summary>What a node expects of its GPUs' memory before it takes a replica or a stage: docs/splits.md, "What a GPU holds".</summary>
public class GpuMemoryTests
{
    private static readonly ModelSettings Model = Samples.Llama(2, 2, 1, 16, 8, 61);

    // Four micro-batches of two sequences, each alone: three sums of gradients at a time (of two, of one, and the next one's).
    private static readonly TrainingSettings Settings = TrainingSettings.Defaults with
    {
        Model = Model,
        Batch = TrainingSettings.Defaults.Batch with { Sequences = 8, Micro = 2 },
        Optimizer = Samples.Optimizer(),
    };

    private static double Vector => (double)Architectures.LayoutOf(Model).TrainedLength * sizeof(float);

    // Without what fills tiles.
    private static double Parameters => Architectures.LayoutOf(Model).Segments.Sum(s => (double)s.Count) * sizeof(float);

    [Fact]
    public void One_GPU_has_all_and_others_a_copy_of_the_parameters_and_sums_of_their_own()
    {
        var alone = Assert.Single(Of(ReplicaSplit.None, "cuda:1")).Value;
        Assert.Equal((3 * Vector, 3 * Vector), (alone.VectorBytes, alone.GradientBytes));
        Assert.True(alone.ActivationBytes > 0);
        var two = Of(ReplicaSplit.None, "cuda:0", "cuda:1");
        Assert.Equal((3 * Vector, Vector), (two[new("cuda:0")].VectorBytes, two[new("cuda:1")].VectorBytes));
        Assert.All(two.Values, memory => Assert.Equal(2 * Vector, memory.GradientBytes));
        // Logical devices share their GPU's memory: the parameters are there once.
        var shared = Assert.Single(Of(ReplicaSplit.None, "cuda:0#0", "cuda:0#1")).Value;
        Assert.Equal((3 * Vector, 4 * Vector), (shared.VectorBytes, shared.GradientBytes));
    }

    [Fact]
    public void A_stage_has_its_own_sums_and_what_it_reads()
    {
        var stages = Of(new ReplicaSplit(1, 2), "cuda:0", "cuda:1");
        Assert.InRange(stages[new("cuda:1")].VectorBytes, 0.2 * Parameters, 0.8 * Parameters);
        Assert.Equal(3 * Vector, stages[new("cuda:0")].VectorBytes);
        // Those of both are one device's, and a slice of the gradient on each.
        Assert.Equal(3 * Parameters + Vector, stages.Values.Sum(s => s.GradientBytes), Parameters / 100);
        // On nodes of their own they have their moments, too.
        var apart = Enumerable.Range(0, 2).Select(stage => GpuMemory.OfStage(Settings, stage, 2)).ToList();
        Assert.Equal(3 * Parameters, apart.Sum(s => s.VectorBytes), Parameters / 100);
        Assert.Equal(3 * Parameters, apart.Sum(s => s.GradientBytes), Parameters / 100);
        Assert.All(apart, s => Assert.True(s.ActivationBytes > 0));
    }

    [Fact]
    public void What_is_sure_is_refused_and_what_is_estimated_is_said_with_need_room_and_remedy()
    {
        var (memory, gpu) = (new TrainingMemory(3L << 30, 2L << 30, 1L << 30), new DeviceId("cuda:1"));
        Assert.Null(GpuMemory.Refusal(memory, "a replica", gpu, 5L << 30, Settings));
        Assert.Equal(
            "cuda:1 has no room for a replica: 5.0 GiB of parameters, moments and gradients alone, and it has 4.0 GiB: use more stages "
            + "(node.split = pipeline:N over more GPUs, run.stages over more nodes), or lower model.width or model.layers",
            GpuMemory.Refusal(memory, "a replica", gpu, 4L << 30, Settings));
        Assert.Null(GpuMemory.Warning(memory, "a replica", gpu, 6L << 30, Settings));
        var staged = Settings with
        {
            Run = Settings.Run with { Stages = 4 },
            Batch = Settings.Batch with { Recompute = RecomputeMode.Full },
        };
        Assert.Equal(
            "cuda:1 may have no room for stage 2 of 4: about 6.0 GiB (parameters and moments 3.0 GiB, gradients 2.0 GiB, activations "
            + "1.0 GiB), and 5.0 GiB are free; if memory runs out, lower batch.micro (2), or use more run.stages (4), "
            + "or stop what else uses this GPU",
            GpuMemory.Warning(memory, "stage 2 of 4", gpu, 5L << 30, staged));
        Assert.Contains("set batch.recompute = blocks", GpuMemory.Warning(memory, "a replica", gpu, 1, Settings), StringComparison.Ordinal);
    }

    private static IReadOnlyDictionary<DeviceId, TrainingMemory> Of(ReplicaSplit split, params string[] devices) =>
        GpuMemory.OfReplica(Settings, [.. devices.Select(d => new DeviceId(d))], split);
}
