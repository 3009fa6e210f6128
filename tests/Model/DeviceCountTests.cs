using Elastic.Foundation;
using Elastic.Messages;
using Elastic.Messages.Settings;
using Elastic.Model.Networks;
using Elastic.Model.Optimizers;
using Elastic.Model.Training;
using Elastic.Model.Vectors;

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
        var slices = Slice.Split(vectors.Layout, count);
        var roots = new IReadOnlyList<SubtreeRoot>[count];
        var sums = new double[count][];
        using var barrier = new Barrier(count);
        Exception? failure = null;
        var threads = Enumerable.Range(0, count).Select(d => new Thread(() =>
        {
            try
            {
                using var device = new TrainingDevice(new DeviceId($"cpu:{d}"), model, settings);
                device.Attach(vectors);
                for (var step = 0; step < steps; step++)
                {
                    var all = Samples.MicroBatches(model, microBatches, 2, step);
                    var (first, end) = (microBatches * d / count, microBatches * (d + 1) / count);
                    device.Accumulate(all[first..end], first, microBatches, model.Context + 1, new DropoutSeed(dropoutSeed, 0, 0, step));
                    roots[d] = device.Roots;
                    barrier.SignalAndWait();
                    sums[d] = device.FoldSlice([.. roots.SelectMany(r => r)], microBatches, slices[d]);
                    barrier.SignalAndWait();
                    var clip = GradientNorm.ClipCoefficient(GradientNorm.Fold(sums.SelectMany(s => s)), settings.Clip);
                    device.UpdateSlice(slices[d], new AdamWStep(LearningRate.At(step, 10, settings), step + 1, clip));
                    barrier.SignalAndWait();
                }
            }
            catch (Exception e)
            {
                failure = e;
                barrier.RemoveParticipant();
            }
        })).ToList();
        threads.ForEach(t => t.Start());
        threads.ForEach(t => t.Join());
        if (failure is not null)
            throw new InvalidOperationException(failure.Message, failure);
        return Samples.DigestOf(vectors);
    }
}
