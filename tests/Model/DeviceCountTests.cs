using Elastic.Foundation;
using Elastic.Messages.Settings;
using Elastic.Model.Batches;
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

    // The last step of a run of epochs: 10 samples in micro-batches of 4, on up to 3 devices, of which some get none of 2 samples.
    [Theory]
    [InlineData("gpt2", 0.2)]
    [InlineData("bert", 0.0)]
    public void A_step_that_is_smaller_than_the_others_has_the_same_bits_on_all_devices_and_the_gradient_of_its_whole_batch(
        string architecture, double dropout)
    {
        var model = Samples.Of(architecture, 2, 4, 32, 16, 97) with { Dropout = dropout };
        var network = Architectures.Open(model);
        var random = new Random(4);
        IReadOnlyList<Sample> Texts(int count) => [.. Enumerable.Range(0, count).Select(_ => new Sample(
            (int[])[.. Enumerable.Range(0, 17).Select(i => random.Next(97) | (i > 11 ? Messages.Corpora.SampleElement.NotCounted : 0))]))];
        var steps = new[] { 16, 10, 2 }.Select((count, step) =>
            network.Batching.MicroBatches(Texts(count), 4, new DropoutSeed(1, 0, 0, step))).ToList();
        Assert.Equal([4, 3, 1], steps.Select(s => s.Count));
        Assert.Equal([4, 4, 2], steps[1].Select(b => b.Rows));
        var settings = Samples.Optimizer();
        Assert.Single(new[] { 1, 2, 3 }.Select(devices =>
        {
            using var vectors = Samples.Initialized(model);
            Samples.Train(network, new AdamW(settings), vectors, devices, steps);
            return Samples.DigestOf(vectors);
        }).Distinct());

        var plain = model with { Dropout = 0 };
        var texts = Texts(10);
        var (whole, parts) = (Gradient(10), Gradient(4));
        var largest = whole.Max(Math.Abs);
        Assert.All(whole.Zip(parts), g => Assert.Equal(0, (g.First - g.Second) / largest, 1e-5));

        float[] Gradient(int rows)
        {
            using var vectors = Samples.Initialized(plain);
            using var device = Samples.Device(vectors, plain);
            device.Accumulate(Architectures.Open(plain).Batching.MicroBatches(texts, rows), default);
            return Samples.GradientOf(device);
        }
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
