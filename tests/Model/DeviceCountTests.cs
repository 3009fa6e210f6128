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
    public void One_two_three_or_eight_devices_at_once_give_the_same_parameters_and_moments(int microBatches, double dropout)
    {
        var model = Samples.Tiny(dropout);
        var digests = new[] { 1, 2, 3, 8 }.Select(devices => Train(model, devices, microBatches, 4)).ToList();
        Assert.All(digests, d => Assert.Equal(digests[0], d));
    }

    [Fact]
    public void Another_seed_of_the_dropout_gives_other_parameters()
    {
        var model = Samples.Tiny(0.2);
        Assert.NotEqual(Train(model, 1, 4, 1, 1), Train(model, 1, 4, 1, 2));
    }

    internal static Digest Train(ModelSettings model, int count, int microBatches, int steps, ulong dropoutSeed = 1)
    {
        var settings = Samples.Optimizer();
        using var vectors = Samples.Initialized(model);
        Samples.Train(
            Architectures.Open(model), new AdamW(settings), vectors, count,
            Enumerable.Range(0, steps).Select(step => Samples.MicroBatches(model, microBatches, 2, step)),
            clip: settings.Clip, rate: step => LearningRate.At(step, 10, settings), dropoutSeed: dropoutSeed);
        return Samples.DigestOf(vectors);
    }
}
