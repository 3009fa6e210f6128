using Elastic.Foundation;
using Elastic.Messages;
using Elastic.Messages.Corpora;
using Elastic.Messages.Settings;
using Elastic.Model.Batches;
using Elastic.Model.Cpu;
using Elastic.Model.Networks;
using Elastic.Model.Optimization;
using Elastic.Model.Training;
using Elastic.Step;

namespace Elastic.Model.Tests.Splits;

/// <summary>How many devices share each layer leaves no trace in parameters and moments.</summary>
public class TensorGroupTests
{
    private const int Steps = 3;

    private static readonly ModelSettings Gpt2 = Samples.Model(2, 8, 64, 16, 512) with { Dropout = 0.1 };

    private static readonly ModelSettings Llama = Samples.Llama(2, 8, 4, 64, 16, 517, l => l with
    {
        TiedEmbeddings = false,
        AttentionBiases = true,
        HeadNorms = true,
    }) with
    { Dropout = 0.1 };

    // Of five micro-batches some pass together, and some alone.
    [Theory]
    [InlineData("gpt2", TrainingPrecision.Fp32)]
    [InlineData("gpt2", TrainingPrecision.Bf16)]
    [InlineData("llama", TrainingPrecision.Fp32)]
    [InlineData("llama", TrainingPrecision.Fp16)]
    public async Task Two_four_and_eight_devices_that_share_a_network_give_the_parameters_and_moments_of_one(
        string architecture, TrainingPrecision precision)
    {
        var model = architecture == "gpt2" ? Gpt2 : Llama;
        var whole = await TrainAsync(model, _ => (1, 1), precision);
        foreach (var tensor in new[] { 2, 4, 8 }.Where(t => architecture == "gpt2" || t <= 4))
            Assert.Equal(whole, await TrainAsync(model, _ => (tensor, tensor), precision));
        Assert.Equal(whole, await TrainAsync(model, _ => (4, 2), precision));
    }

    [Theory]
    [InlineData(RecomputeMode.Blocks)]
    [InlineData(RecomputeMode.Full)]
    public async Task What_is_computed_again_has_the_same_bits_on_two_devices(RecomputeMode recompute)
        => Assert.Equal(await TrainAsync(Gpt2, _ => (1, 1)), await TrainAsync(Gpt2, _ => (2, 2), recompute: recompute));

    [Fact]
    public async Task A_replica_goes_from_one_split_to_another_between_two_steps_with_the_same_bits() => Assert.Equal(
        await TrainAsync(Gpt2, _ => (1, 1)),
        await TrainAsync(Gpt2, step => step switch { 0 => (4, 4), 1 => (1, 1), _ => (4, 2) }));

    [Fact]
    public async Task Threads_of_the_devices_of_a_group_leave_no_trace()
    {
        var wide = Samples.Model(1, 4, 256, 64, 1009);
        Assert.Equal(await TrainAsync(wide, _ => (1, 1)), await TrainAsync(wide, _ => (2, 2), threads: 2));
    }

    [Fact]
    public async Task Smoothed_labels_and_uncounted_targets_have_the_same_bits_too() => Assert.Equal(
        await TrainAsync(Gpt2, _ => (1, 1), smoothing: 0.1), await TrainAsync(Gpt2, _ => (4, 4), smoothing: 0.1));

    /// <summary>Parameters and moments after some steps.</summary>
    /// <param name="split">Devices of a step, and how many of them share each layer.</param>
    /// <param name="given">The micro-batches of a step; null for five of random tokens.</param>
    /// <param name="stages">Of a pipeline, where no layer is shared.</param>
    internal static async Task<Digest> TrainAsync(
        ModelSettings model, Func<int, (int Devices, int Tensor)> split, TrainingPrecision precision = TrainingPrecision.Fp32,
        RecomputeMode recompute = RecomputeMode.None, int threads = 1, double smoothing = 0,
        Func<int, IReadOnlyList<MicroBatch>>? given = null, int steps = Steps, int stages = 1)
    {
        var architecture = Architectures.Open(model);
        using var vectors = Samples.Initialized(model);
        var most = Enumerable.Range(0, steps).Max(s => split(s).Devices);
        var devices = Enumerable.Range(0, most).Select(i => new DeviceThread(new DeviceId($"cpu:{i}"), () =>
        {
            var device = new CpuDevice(new DeviceId($"cpu:{i}"), architecture, smoothing, threads, recompute);
            device.Attach(vectors);
            return device;
        })).ToList();
        try
        {
            for (var number = 0; number < steps; number++)
            {
                var (count, tensor) = split(number);
                IReadOnlyList<IDeviceThread> these = [.. devices.Take(count)];
                var step = new TrainingStep(
                    these, new LocalCollective(these), vectors.Layout, new AdamW(Samples.Optimizer()), 1, Precision.Of(precision),
                    stages: stages, tensor: tensor);
                var batches = given?.Invoke(number)
                    ?? (smoothing > 0 ? SomeUncounted(model, number) : Samples.MicroBatches(model, 5, 2, number));
                await step.RunAsync(batches, new DropoutSeed(1, 0, 0, number), 1e-2, number + 1);
            }
        }
        finally
        {
            devices.ForEach(d => d.Dispose());
        }
        return Samples.DigestOf(vectors);
    }

    // Of each text the end is not counted.
    private static IReadOnlyList<MicroBatch> SomeUncounted(ModelSettings model, int seed)
    {
        var random = new Random(seed);
        return Architectures.Open(model).Batching.MicroBatches(
            [.. Enumerable.Range(0, 10).Select(_ => new Sample(Enumerable.Range(0, model.Context + 1)
                .Select(i => random.Next(model.Vocabulary) | (i > 11 ? SampleElement.NotCounted : 0)).ToArray()))], 2);
    }
}
