using Elastic.Foundation;
using Elastic.Messages.Settings;
using Elastic.Model.Networks;
using Elastic.Model.Optimization;

namespace Elastic.Model.Tests;

/// <summary>The promise that all rests on: how many devices compute a step, and which computes what, leaves no trace in the bits.</summary>
public class DeviceCountTests
{
    [Theory]
    [InlineData(4, 0.0)]
    [InlineData(5, 0.0)]
    [InlineData(8, 0.0)]
    [InlineData(5, 0.2)]
    public void One_two_three_four_or_eight_devices_at_once_give_the_same_parameters_and_moments(int microBatches, double dropout)
    {
        var model = Samples.Tiny(dropout);
        var digests = new[] { 1, 2, 3, 4, 8 }.Select(devices => Train(model, devices, microBatches, 4)).ToList();
        Assert.All(digests, d => Assert.Equal(digests[0], d));
    }

    [Theory]
    [InlineData(1, 2)]
    [InlineData(1, 3)]
    [InlineData(2, 2)]
    public void Threads_of_a_device_leave_no_trace_either(int devices, int threads)
    {
        // Wide enough that every operator has pieces for several threads.
        var model = Samples.Model(2, 4, 96, 64, 1009) with { Dropout = 0.1 };
        Assert.Equal(Train(model, 1, 3, 2), Train(model, devices, 3, 2, threads: threads));
    }

    [Fact]
    public void Another_seed_of_the_dropout_gives_other_parameters()
    {
        var model = Samples.Tiny(0.2);
        Assert.NotEqual(Train(model, 1, 4, 1, 1), Train(model, 1, 4, 1, 2));
    }

    internal static Digest Train(ModelSettings model, int count, int microBatches, int steps, ulong dropoutSeed = 1, int threads = 1)
    {
        var settings = Samples.Optimizer();
        using var vectors = Samples.Initialized(model);
        Samples.Train(
            Architectures.Open(model), new AdamW(settings), vectors, count,
            Enumerable.Range(0, steps).Select(step => Samples.MicroBatches(model, microBatches, 2, step)),
            clip: settings.Clip, rate: step => LearningRate.At(step, 10, settings), dropoutSeed: dropoutSeed, threadsOfDevice: threads);
        return Samples.DigestOf(vectors);
    }
}
