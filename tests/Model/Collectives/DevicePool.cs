using Elastic.Foundation;
using Elastic.Messages;
using Elastic.Messages.Settings;
using Elastic.Model.Cpu;
using Elastic.Model.Networks;
using Elastic.Model.Optimization;
using Elastic.Model.Training;
using Elastic.Model.Vectors;
using Elastic.Step;

namespace Elastic.Model.Tests.Collectives;

/// <summary>Devices that stay open, of which each step of a replica takes some.</summary>
internal sealed class DevicePool(ModelSettings model, int count) : IDisposable
{
    public const int MicroBatches = 5, Steps = 4;

    public static readonly OptimizerSettings Optimizer = Samples.Optimizer();

    private readonly List<DeviceThread> _devices = [.. Enumerable.Range(0, count).Select(i => new DeviceThread(
        new DeviceId($"cpu:{i}"), () => new CpuDevice(new DeviceId($"cpu:{i}"), Architectures.Open(model))))];

    public List<DeviceThread> Devices => _devices;

    public static Task<double> TakeAsync(TrainingStep step, ModelSettings model, int number) =>
        step.RunAsync(Samples.MicroBatches(model, MicroBatches, 2, number), new DropoutSeed(1, 0, 0, number), 1e-2, number + 1);

    public Task<bool[]> AttachAsync(ReplicaVectors vectors) =>
        Task.WhenAll(_devices.Select(d => d.RunAsync(device =>
        {
            device.Attach(vectors);
            return true;
        })));

    /// <summary>All steps, each on the devices that <paramref name="which"/> says.</summary>
    /// <param name="zero">The stage of ZeRO of each step; null for 1.</param>
    /// <param name="tensor">Devices that share each layer.</param>
    /// <param name="folder">Where moments, and in 16 bits parameters, lie; null for in memory.</param>
    public async Task<Digest> TrainAsync(
        string optimizer, Func<int, int[]> which, Func<int, int>? zero = null, Precision? precision = null, string? folder = null,
        int tensor = 1)
    {
        var opened = Optimizers.Open(Optimizer with { Kind = optimizer });
        using var vectors = new ReplicaVectors(
            Architectures.LayoutOf(model), null,
            folder is null ? null : FileOffload.Of(folder, opened, precision ?? Precision.Fp32));
        Initialization.Fill(vectors, 7);
        await AttachAsync(vectors);
        for (var number = 0; number < Steps; number++)
        {
            IReadOnlyList<IDeviceThread> devices = [.. which(number).Select(i => _devices[i])];
            var step = new TrainingStep(
                devices, new LocalCollective(devices), vectors.Layout, opened, 1, precision, zero: zero?.Invoke(number) ?? 1,
                tensor: tensor);
            await TakeAsync(step, model, number);
        }
        return Samples.DigestOf(vectors);
    }

    public void Dispose() => _devices.ForEach(d => d.Dispose());
}
