using Elastic.Messages.Settings;
using Elastic.Model.Networks;
using Elastic.Model.Tapes;
using Elastic.Model.Tests.Collectives;
using Elastic.Model.Training;
using Elastic.Model.Vectors;

namespace Elastic.Model.Tests;

/// <summary>The formulas of what a device holds, by hand and by what devices hold. bench/Step measures memory.</summary>
public class DeviceBudgetTests
{
    private static readonly ModelSettings Small = Samples.Model(2, 4, 64, 512, 997);

    private static double Vector => (double)Architectures.LayoutOf(Small).Length * sizeof(float);

    [Fact]
    public void Each_stage_divides_what_the_paper_says_among_the_devices()
    {
        var settings = Of(8);
        DeviceBudget none = DeviceBudget.Of(settings, 4, 0, OffloadMode.None), one = DeviceBudget.Of(settings, 4, 1, OffloadMode.None),
            two = DeviceBudget.Of(settings, 4, 2, OffloadMode.None);
        // Two micro-batches of each device go together, and leave one sum.
        Assert.Equal((Vector, 2 * Vector, Vector), (none.ParameterBytes, none.MomentBytes, none.GradientBytes));
        Assert.Equal((Vector / 4, Vector / 2, Vector), (one.ParameterBytes, one.MomentBytes, one.GradientBytes));
        // Four passes in one turn: the sums of the first two, and of the third.
        Assert.Equal((Vector / 4, Vector / 2, Vector / 2), (two.ParameterBytes, two.MomentBytes, two.GradientBytes));
        Assert.Equal((0, 4.0 * 997 * 64), (one.BucketBytes, two.BucketBytes));
        Assert.Equal(two.Bytes, 1.25 * Vector + two.BucketBytes);
    }

    [Fact]
    public void Each_micro_batch_is_sent_with_ZeRO_2_and_each_sum_without()
    {
        // Too large to go together.
        var settings = Of(8, micro: 4);
        Assert.Equal(Vector * 3 / 4, DeviceBudget.Of(settings, 4, 1, OffloadMode.None).SentBytes);
        Assert.Equal(2 * Vector * 3 / 4, DeviceBudget.Of(settings, 4, 2, OffloadMode.None).SentBytes);
        Assert.Equal(0, DeviceBudget.Of(settings, 1, 2, OffloadMode.None).SentBytes);
    }

    [Fact]
    public void In_16_bits_there_is_a_master_beside_the_working_copy_and_files_take_it_and_mirrors_double_it()
    {
        var settings = Of(8) with { Run = TrainingSettings.Defaults.Run with { Precision = TrainingPrecision.Bf16 } };
        var budget = DeviceBudget.Of(settings, 2, 1, OffloadMode.File);
        Assert.Equal((0, Vector / 4), (budget.ParameterBytes, budget.WorkingCopyBytes));
        Assert.Equal((Vector / 2, Vector), (budget.MasterBytes, budget.MomentBytes));
        // All of so small a vector is one piece; rows of tokens and positions are read from the file.
        Assert.Equal(1.5 * Vector + 4.0 * (997 + 512) * 64 / 2, budget.PieceBytes);
        Assert.Equal((1.5 * Vector, 0), (budget.FileBytes, budget.MirrorBytes));
        var mirrored = settings with { Optimizer = settings.Optimizer with { MirrorSlices = true } };
        budget = DeviceBudget.Of(mirrored, 2, 1, OffloadMode.None);
        Assert.Equal((1.5 * Vector, 0), (budget.MirrorBytes, budget.FileBytes));
        Assert.Equal(0, DeviceBudget.Of(mirrored, 1, 1, OffloadMode.None).MirrorBytes);       // nobody is there to hold it
        Assert.Equal(3 * Vector, DeviceBudget.Of(mirrored, 2, 1, OffloadMode.File).FileBytes);
    }

    [Theory]
    [InlineData("gpt2")]
    [InlineData("llama")]
    [InlineData("bert")]
    [InlineData("transformer")]
    [InlineData("adapters")]
    public void Buckets_hold_each_trained_parameter_once_in_the_order_of_the_backward_pass(string kind)
    {
        var architecture = Architectures.Open(PrecisionTests.Kinds[kind]);
        var layout = new FlatLayout(architecture.Parameters);
        var tape = new Tape(TapePurpose.Training, new BatchShape(2, 2, 8, architecture.SourceContext), layout);
        architecture.Record(tape);
        var buckets = GradientBuckets.Of(tape);
        Assert.Equal(
            layout.Segments.Where(s => s.Parameter.IsTrained).Select(s => s.Name).Order(),
            buckets.All.SelectMany(b => b.Parts).Select(p => p.Segment.Name).Order());
        Assert.All(buckets.All, b => Assert.True(b.Parts[^1].Place + b.Parts[^1].Segment.Count <= buckets.Elements));
        Assert.Equal(buckets.All.OrderByDescending(b => b.LastOperation), buckets.All);
        Assert.Equal(0, buckets.All[^1].LastOperation);
        Assert.InRange(buckets.All.Count, 3, tape.Operations.Count);
        // Complete where no operation that runs later writes to it.
        foreach (var bucket in buckets.All)
        {
            var parts = bucket.Parts.Select(p => p.Segment.Offset).ToHashSet();
            foreach (var later in tape.Operations.Take(bucket.LastOperation))
                Assert.DoesNotContain(later.ParametersWritten, p => parts.Contains(layout[p].Offset));
        }
    }

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    public async Task Devices_hold_the_sums_that_the_formula_says(int devices)
    {
        using var pool = new DevicePool(Small, devices);
        using var vectors = Samples.Initialized(Small);
        await pool.AttachAsync(vectors);
        var slices = Slice.Split(vectors.Layout, devices);
        var step = new TrainingStep(
            pool.Devices, new LocalCollective(pool.Devices), vectors.Layout, Optimization.Optimizers.Open(DevicePool.Optimizer), 1,
            zero: 2);
        await step.RunAsync(Samples.MicroBatches(Small, 7, 2, 0), default, 1e-3, 1);
        var left = GradientTree.MostSums(MicroBatchGroups.Nodes(0, 7, 7 / devices)).Left;
        for (var rank = 0; rank < devices; rank++)
        {
            var roots = await pool.Devices[rank].RunAsync(d => d.Roots);
            Assert.Equal(left, roots.Count);
            Assert.All(roots, r => Assert.Equal(
                (slices[rank].First, slices[rank].First + slices[rank].Count), (r.Gradient.First, r.Gradient.Length)));
        }
    }

    private static TrainingSettings Of(int microBatches, int micro = 1) => TrainingMemoryTests.Of(Small, micro * microBatches, micro);
}
