using Elastic.Messages.Settings;
using Elastic.Messages.Vectors;
using Elastic.Model.Networks;
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
        var (one, four) = (TrainingMemory.OfReplica(settings, 1), TrainingMemory.OfReplica(settings, 4));
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
        var memory = TrainingMemory.OfReplica(Of(model, sequences: 1, micro: 1), 1);
        var (all, trained) = ((double)layout.Length, (double)layout.TrainedLength);
        Assert.Equal((4 * all + 8 * trained, 4 * trained), (memory.VectorBytes, memory.GradientBytes));
        using var vectors = new ReplicaVectors(layout);
        Assert.Equal(layout.TrainedLength, vectors[VectorSet.FirstMoment].Length);
        Assert.Equal(layout.Length, layout.LengthOf(VectorSet.Parameters));
    }

    [Theory]
    [InlineData(1, 1)]                                                               // micro-batches of 1,024 tokens, gradient sums
    [InlineData(2, 1)]                                                               // each alone: the right one is added to the left one
    [InlineData(7, 3)]
    [InlineData(8, 3)]
    public void Micro_batches_that_go_alone_leave_a_sum_for_each_bit_of_their_number(int microBatches, int sums)
    {
        var model = Samples.Model(1, 1, 8, 1024, 97);
        var vector = (double)Architectures.LayoutOf(model).Length * sizeof(float);
        Assert.Equal(sums * vector, TrainingMemory.OfReplica(Of(model, microBatches, 1), 1).GradientBytes);
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
        Assert.Equal(atOnce * TrainingMemory.OfReplica(settings, devicesOfEach).Bytes, TrainingMemory.OfAll(settings, devices).Bytes);
    }

    [Fact]
    public void What_does_not_fit_names_the_settings_of_its_largest_part()
    {
        var batch = Of(Samples.Tiny(), sequences: 1 << 20, micro: 1 << 20);
        Assert.Null(TrainingMemory.OfReplica(batch, 1).Problem(batch, 1e15));
        var problem = TrainingMemory.OfReplica(batch, 1).Problem(batch, 8_000);
        Assert.StartsWith("training needs ", problem, StringComparison.Ordinal);
        Assert.Contains("of memory here, and 7.8 KiB are free", problem, StringComparison.Ordinal);
        Assert.Contains("lower batch.micro (1048576) or model.context (16)", problem, StringComparison.Ordinal);
        var wide = Of(Samples.Tiny() with { Width = 1 << 16, Heads = 256, Layers = 20 }, sequences: 1, micro: 1);
        Assert.Contains("lower model.width (65536) or model.layers (20)",
            TrainingMemory.OfReplica(wide, 1).Problem(wide, 1e12), StringComparison.Ordinal);
    }

    internal static TrainingSettings Of(ModelSettings model, int sequences, int micro) => TrainingSettings.Defaults with
    {
        Model = model,
        Batch = BatchSettings.Defaults with { Sequences = sequences, Micro = micro },
    };
}
