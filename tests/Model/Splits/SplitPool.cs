using System.Runtime.InteropServices;
using Elastic.Foundation;
using Elastic.Messages;
using Elastic.Messages.Settings;
using Elastic.Model.Cpu;
using Elastic.Model.Networks;
using Elastic.Model.Optimization;
using Elastic.Model.Tests.Collectives;
using Elastic.Model.Training;
using Elastic.Model.Vectors;
using Elastic.Step;

namespace Elastic.Model.Tests.Splits;

/// <summary>How a step is split.</summary>
/// <param name="Devices">That take it.</param>
[StructLayout(LayoutKind.Auto)]
internal readonly record struct Split(int Devices, int Stages = 1, int Tensor = 1, int Chunks = 1);

/// <summary>Devices that stay open, of which each step takes some, in stages, in tensor groups, or in both.</summary>
internal sealed class SplitPool(ModelSettings model, int count, RecomputeMode recompute = RecomputeMode.None) : IDisposable
{
    public const int Steps = 3;

    public List<DeviceThread> Devices { get; } = [.. Enumerable.Range(0, count).Select(i => new DeviceThread(
        new DeviceId($"cpu:{i}"),
        () => new CpuDevice(new DeviceId($"cpu:{i}"), Architectures.Open(model), 0.1, recompute: recompute)))];

    public static Task<double> TakeAsync(TrainingStep step, ModelSettings model, int number, int microBatches = 7) =>
        step.RunAsync(Samples.MicroBatches(model, microBatches, 2, number), new DropoutSeed(1, 0, 0, number), 1e-2, number + 1);

    public Task<bool[]> AttachAsync(ReplicaVectors vectors) =>
        Task.WhenAll(Devices.Select(d => d.RunAsync(device =>
        {
            device.Attach(vectors);
            return true;
        })));

    /// <summary>All steps, each split as <paramref name="splitOf"/> says.</summary>
    public async Task<Digest> TrainAsync(
        string optimizer, Precision precision, Func<int, Split> splitOf, int zero = 1, int microBatches = 7)
    {
        using var vectors = Samples.Initialized(model);
        await AttachAsync(vectors);
        for (var number = 0; number < Steps; number++)
        {
            var split = splitOf(number);
            List<DeviceThread> taken = [.. Devices.Take(split.Devices)];
            await TakeAsync(new TrainingStep(
                taken, new LocalCollective(taken), vectors.Layout, Optimizers.Open(DevicePool.Optimizer with { Kind = optimizer }), 1,
                precision, zero: zero, stages: split.Stages, tensor: split.Tensor, chunks: split.Chunks), model, number, microBatches);
        }
        return Samples.DigestOf(vectors);
    }

    public void Dispose() => Devices.ForEach(d => d.Dispose());
}
