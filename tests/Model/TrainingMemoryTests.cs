using Elastic.Messages.Settings;
using Elastic.Messages.Vectors;
using Elastic.Model.Networks;
using Elastic.Model.Splits;
using Elastic.Model.Training;
using Elastic.Model.Vectors;

namespace Elastic.Model.Tests;

public class TrainingMemoryTests
{
    [Fact]
    public void Vectors_count_once_a_replica_and_gradients_and_activations_once_a_device()
    {
        var settings = Of(Samples.Tiny(), sequences: 16, micro: 2);                  // 8 micro-batches
        var vector = (double)Architectures.LayoutOf(settings.Model).Length * sizeof(float);
        var (one, four) = (TrainingPlan.OfReplica(settings, 1).Memory, TrainingPlan.OfReplica(settings, 4).Memory);
        // All micro-batches of a device go through the network together, and leave one sum.
        Assert.Equal((3 * vector, vector), (one.VectorBytes, one.GradientBytes));
        Assert.Equal((3 * vector, 4 * vector), (four.VectorBytes, four.GradientBytes));
        Assert.InRange(four.ActivationBytes, 0.5 * one.ActivationBytes, 4 * one.ActivationBytes);
    }

    [Fact]
    public void Moments_and_gradients_of_a_model_with_adapters_are_those_of_the_adapters()
    {
        var model = Samples.Model(12, 12, 768, 1024, 50257) with { Lora = ModelSettings.Defaults.Lora with { Rank = 8 } };
        var layout = Architectures.LayoutOf(model);
        Assert.Equal(5 * FlatLayout.Tile, layout.TrainedLength);                     // 294,912 of 124.7 million
        var memory = TrainingPlan.OfReplica(Of(model, sequences: 1, micro: 1), 1).Memory;
        var (all, trained) = ((double)layout.Length, (double)layout.TrainedLength);
        Assert.Equal((4 * all + 8 * trained, 4 * trained), (memory.VectorBytes, memory.GradientBytes));
        using var vectors = new ReplicaVectors(layout);
        Assert.Equal(layout.TrainedLength, vectors[VectorSet.FirstMoment].Length);
        Assert.Equal(layout.Length, layout.LengthOf(VectorSet.Parameters));
    }

    [Theory]
    [InlineData(1, 1)]                                                               // micro-batches of 1,024 tokens, gradient sums
    [InlineData(2, 1)]                                                               // each alone: the right one is added to the left one
    [InlineData(3, 2)]
    [InlineData(6, 2)]
    [InlineData(7, 3)]                                                               // of four, of two and of one
    [InlineData(8, 3)]
    public void Micro_batches_that_go_alone_have_a_sum_for_each_subtree_that_waits_for_its_neighbour(int microBatches, int sums)
    {
        var model = Samples.Model(1, 1, 8, 1024, 97);
        var vector = (double)Architectures.LayoutOf(model).Length * sizeof(float);
        Assert.Equal(sums * vector, TrainingPlan.OfReplica(Of(model, microBatches, 1), 1).Memory.GradientBytes);
    }

    [Theory]
    [InlineData(1, 4, 1, 4)]                                                         // replicas, devices: at once, devices of each
    [InlineData(1, 100, 1, 8)]
    [InlineData(3, 2, 2, 1)]
    [InlineData(2, 4, 2, 2)]
    public void A_process_alone_trains_as_many_replicas_at_once_as_it_has_devices_for(
        int replicas, int devices, int atOnce, int devicesOfEach)
    {
        var settings = Of(Samples.Tiny(), sequences: 16, micro: 2);
        settings = settings with { Run = settings.Run with { Replicas = replicas } };
        Assert.Equal(atOnce * TrainingPlan.OfReplica(settings, devicesOfEach, devices == 100 ? 13 : 1).Memory.Bytes,
            TrainingPlan.OfAll(settings, devices, 1).Memory.Bytes);
    }

    [Theory]
    [InlineData("none", 5, "3 2")]
    [InlineData("tensor:2", 6, "4 2")]
    public void Replicas_that_have_not_as_many_devices_are_planned_each_by_itself(string split, int devices, string shares)
    {
        var settings = Of(Samples.Tiny(), sequences: 16, micro: 1);
        settings = settings with { Run = settings.Run with { Replicas = 2 } };
        var all = TrainingPlan.OfAll(settings, devices, 1, split: ReplicaSplit.Parse(split));
        Assert.Equal(shares, string.Join(' ', all.AtOnce.Select(p => p.Given)));
        Assert.Equal(
            all.AtOnce.Sum(p => TrainingPlan.OfReplica(settings, p.Given, 1, split: ReplicaSplit.Parse(split)).Memory.Bytes),
            all.Memory.Bytes, 1.0);
    }

    [Fact]
    public void What_does_not_fit_names_each_setting_that_is_enough_with_what_it_leaves()
    {
        var settings = Of(Samples.Model(12, 4, 64, 64, 97), sequences: 64, micro: 64);
        var plan = TrainingPlan.OfReplica(settings, 1, 1);
        Assert.Null(plan.Problem(plan.Memory.Bytes));
        var free = 0.7 * plan.Memory.Bytes;
        var problem = plan.Problem(free)!;
        Assert.Matches(
            @"^training needs \d+\.\d MiB of memory here, and \d+\.\d MiB are free \(parameters and moments .*\): set " +
            @"batch\.recompute = blocks \([0-9.]+ MiB\), or batch\.recompute = full \([0-9.]+ MiB\), or batch\.micro = 32 \(",
            problem);
        // Each of them does it: the number after a setting is that of a plan with it.
        var full = TrainingPlan.OfReplica(settings with { Batch = settings.Batch with { Recompute = RecomputeMode.Full } }, 1, 1);
        Assert.Contains($"full ({Foundation.ByteSize.Text(full.Memory.Bytes)})", problem, StringComparison.Ordinal);
        Assert.DoesNotContain("node.devices", problem, StringComparison.Ordinal);
        Assert.Contains("node.devices = auto (", TrainingPlan.OfReplica(settings with
        {
            Batch = settings.Batch with { Sequences = 128 },
        }, 2, 1).Problem(1.1 * plan.Memory.Bytes), StringComparison.Ordinal);
    }

    // Gradients are most of it, and four devices have a sum each.
    [Fact]
    public void Of_the_splits_that_fit_the_one_that_waits_least_is_named_and_else_the_smallest()
    {
        var plan = TrainingPlan.OfReplica(Of(Samples.Model(8, 4, 64, 64, 97), sequences: 16, micro: 1), 4, 1);
        foreach (var free in new[] { 0.95 * plan.Memory.Bytes, 1 })
        {
            var splits = SplitChoices.Of(plan, free);
            var best = splits.Recommended ?? splits.All.MinBy(p => p.Memory.Bytes)!;
            Assert.Equal(free > 1, splits.Recommended is not null);
            Assert.Contains(
                $"node.split = \"{best.Split}\" ({Foundation.ByteSize.Text(best.Memory.Bytes)})", plan.Problem(free)!,
                StringComparison.Ordinal);
        }
    }

    [Fact]
    public void What_fits_under_no_setting_says_what_is_left_of_the_model()
    {
        var wide = Of(Samples.Tiny() with { Width = 1 << 14, Heads = 64, Layers = 20 }, sequences: 1, micro: 1);
        Assert.Contains("lower model.width (16384), model.layers (20) or corpus.sample-tokens (16)",
            TrainingPlan.OfReplica(wide, 1, 1).Problem(1e9), StringComparison.Ordinal);
        var few = Of(Samples.Model(12, 4, 64, 64, 97), sequences: 64, micro: 64);
        var plan = TrainingPlan.OfReplica(few, 1, 1);
        Assert.Contains("are not enough, alone or together (", plan.Problem(8_000), StringComparison.Ordinal);
        var together = TrainingPlan.OfReplica(few with { Batch = few.Batch with { Micro = 1, Recompute = RecomputeMode.Full } }, 1, 1);
        Assert.Contains("no setting alone is enough (", plan.Problem(together.Memory.Bytes), StringComparison.Ordinal);
    }

    [Fact]
    public void Operations_of_a_step_are_those_of_its_products()
    {
        const int C = 32, T = 16, V = 97, Layers = 2, Rows = 2 * T;
        var plan = TrainingPlan.OfReplica(Of(Samples.Model(Layers, 4, C, T, V), sequences: 4, micro: 2), 1, 1);
        // A layer's weights are 12 C²: 2 operations forwards and 4 backwards for each and each row. Attention forwards 4 C for each of
        // T (T + 1) / 2 pairs of 2 sequences, backwards 10 C. The head is 6 C V a row.
        double layer = 6.0 * Rows * 12 * C * C + 14.0 * C * (2 * T * (T + 1) / 2), head = 6.0 * Rows * C * V;
        Assert.Equal(2 * (Layers * layer + head), plan.FlopsOfStep);
    }

    [Theory]
    [InlineData(1, 2, 3, "2")]
    [InlineData(4, 1, 1, "4")]
    [InlineData(3, 1, 2, "2,1")]
    [InlineData(8, 2, 3, "6,5,5")]
    [InlineData(2, 3, 8, "3,3")]
    public void Devices_without_a_micro_batch_lend_their_threads(int devices, int threads, int microBatches, string expected) =>
        Assert.Equal(expected, string.Join(',', LentThreads.Of(devices, threads, microBatches)));

    internal static TrainingSettings Of(ModelSettings model, int sequences, int micro) => TrainingSettings.Defaults with
    {
        Model = model,
        Batch = BatchSettings.Defaults with { Sequences = sequences, Micro = micro },
    };
}
