using Elastic.Messages;
using Elastic.Messages.Settings;
using Elastic.Model.Networks;
using Elastic.Model.Optimization;
using Elastic.Model.Tapes;
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
    public void A_mirror_is_on_the_first_GPU_and_one_device_does_without()
    {
        var mirrored = Settings with { Optimizer = Settings.Optimizer with { MirrorSlices = true } };
        var two = Of(mirrored, ReplicaSplit.None, "cuda:0", "cuda:1");
        Assert.Equal((6 * Vector, Vector), (two[new("cuda:0")].VectorBytes, two[new("cuda:1")].VectorBytes));
        Assert.Equal(3 * Vector, Assert.Single(Of(mirrored, ReplicaSplit.None, "cuda:1")).Value.VectorBytes);
    }

    [Fact]
    public void Devices_have_sums_for_their_own_range_of_micro_batches_and_none_where_there_are_more_devices()
    {
        // Of six micro-batches 0 to 2, and 3 to 5: the second range begins with one that has no neighbour in it.
        var six = Settings with { Batch = Settings.Batch with { Sequences = 12 } };
        var two = Of(six, ReplicaSplit.None, "cuda:0", "cuda:1");
        Assert.Equal((2 * Vector, 3 * Vector), (two[new("cuda:0")].GradientBytes, two[new("cuda:1")].GradientBytes));
        string[] gpus = [.. Enumerable.Range(0, 9).Select(i => $"cuda:{i}")];
        Assert.Equal(4, Of(Settings, ReplicaSplit.None, gpus).Count);
        Assert.Equal(8, Of(Settings, new ReplicaSplit(1, 2), gpus).Count);
    }

    // Two gibibytes of logits at most, in bf16 of twice as many rows; a CPU has few rows at a time.
    [Theory]
    [InlineData(4, 1L << 27, 1L << 28)]
    [InlineData(32, 1L << 30, 1L << 31)]
    [InlineData(128, 1L << 31, 1L << 31)]
    public void The_last_stage_has_logits_as_a_GPU_makes_them(int micro, long narrow, long wide)
    {
        var settings = Settings with
        {
            Model = Samples.Llama(2, 2, 1, 16, 256, 1 << 16),
            Batch = Settings.Batch with { Sequences = 2 * micro, Micro = micro },
        };
        // Beside the plan of a CPU without its logits.
        double Logits(TrainingPrecision precision)
        {
            var of = settings with { Run = settings.Run with { Precision = precision } };
            var (architecture, shape) = (Architectures.Open(of.Model), new BatchShape(1, micro, of.Model.Context));
            var plan = PassPlan.Of(
                architecture, shape, 1, RecomputeMode.None, Precision.Of(precision, architecture, Optimizers.Open(of.Optimizer)));
            return Assert.Single(Of(of, ReplicaSplit.None, "cuda:0")).Value.ActivationBytes - (plan.Bytes - plan.LogitBytes);
        }

        Assert.Equal(narrow, Logits(TrainingPrecision.Bf16));
        Assert.Equal(wide, Logits(TrainingPrecision.Fp32));
        Assert.Equal(Logits(TrainingPrecision.Fp32), Logits(TrainingPrecision.Fp16));
        var stages = Enumerable.Range(0, 2).Select(stage => GpuMemory.OfStage(settings, stage, 2).ActivationBytes).ToList();
        Assert.InRange(stages[1], wide, 3.0 * wide);
        var pipeline = Of(settings, new ReplicaSplit(1, 2), "cuda:0", "cuda:1");
        Assert.Equal(stages, [pipeline[new("cuda:0")].ActivationBytes, pipeline[new("cuda:1")].ActivationBytes]);
    }

    [Theory]
    [InlineData(1001, 6 * 16 * 1001)]
    [InlineData(1024, 0)]
    public void A_vocabulary_that_is_no_multiple_of_64_has_the_heads_weights_once_more_and_a_sum_of_their_gradient(int vocabulary, int more)
    {
        var settings = Settings with
        {
            Model = Samples.Llama(2, 2, 1, 16, 256, vocabulary),
            Run = Settings.Run with { Precision = TrainingPrecision.Bf16 },
        };
        var (architecture, micro) = (Architectures.Open(settings.Model), settings.Batch.Micro);
        var plan = PassPlan.Of(
            architecture, new BatchShape(1, micro, 256), 1, settings.Batch.Recompute,
            Precision.Of(TrainingPrecision.Bf16, architecture, Optimizers.Open(settings.Optimizer)));
        var bytes = Assert.Single(Of(settings, ReplicaSplit.None, "cuda:0")).Value.ActivationBytes - (plan.Bytes - plan.LogitBytes);
        Assert.Equal(2.0 * micro * 256 * vocabulary + more, bytes);
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
        Of(Settings, split, devices);

    private static IReadOnlyDictionary<DeviceId, TrainingMemory> Of(
        TrainingSettings settings, ReplicaSplit split, params string[] devices) =>
        GpuMemory.OfReplica(settings, [.. devices.Select(d => new DeviceId(d))], split);
}
