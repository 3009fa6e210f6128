using Elastic.Messages;
using Elastic.Messages.Settings;
using Elastic.Messages.Vectors;
using Elastic.Model.Networks;
using Elastic.Model.Optimization;
using Elastic.Model.Tests;
using Elastic.Model.Training;
using Elastic.Model.Vectors;
using Elastic.Step;
using Elastic.Torch.Tests.Cuda;
using static TorchSharp.torch;

namespace Elastic.Torch.Tests;

/// <summary>
/// Devices that stay open, of which each step of a replica takes some; its vectors lie on the first one. With kernels they are the fake
/// driver's two GPUs in turn.
/// </summary>
internal sealed class StagePool(ModelSettings model, int count, bool hasKernels) : IDisposable
{
    public const int Steps = 2, MicroBatches = 5;

    public static readonly OptimizerSettings Settings = Samples.Optimizer(smoothing: 0.1);

    public static readonly string[] Names = [VectorSet.Parameters, VectorSet.FirstMoment, VectorSet.SecondMoment];

    public List<DeviceThread> Devices { get; } = [.. Enumerable.Range(0, count).Select(i => new DeviceThread(
        new DeviceId($"cuda:{i}"),
        () => new TorchDevice(
            new DeviceId($"cuda:{i}"), CPU, Architectures.Open(model), Settings.LabelSmoothing,
            hasKernels ? FakeGpu.Shared.Kernels(i % 2) : null, hasKernels ? i % 2 : 0)))];

    public static Task<double> TakeAsync(TrainingStep step, ModelSettings model, int number) => step.RunAsync(
        Samples.MicroBatches(model, MicroBatches, 2, number), new DropoutSeed(1, 0, 0, number), 1e-2, number + 1);

    public Task<bool> AttachAsync(int device, ReplicaVectors vectors) => Devices[device].RunAsync(d =>
    {
        d.Attach(vectors);
        return true;
    });

    /// <summary>All steps, each split as <paramref name="splitOf"/> says; all elements of parameters and moments.</summary>
    /// <param name="before">Called before each step, with its number.</param>
    /// <param name="optimizer">Null for AdamW.</param>
    public async Task<float[]> TrainAsync(
        Precision precision, Func<int, (int Devices, int Stages, int Chunks)> splitOf, Func<int, Task>? before = null,
        IOptimizer? optimizer = null)
    {
        optimizer ??= new AdamW(Settings);
        using var vectors = new ReplicaVectors(Architectures.LayoutOf(model), length => new TorchVector(length, CPU));
        Initialization.Fill(vectors, 7);
        for (var i = 0; i < count; i++)
            await AttachAsync(i, vectors);
        for (var number = 0; number < Steps; number++)
        {
            await (before?.Invoke(number) ?? Task.CompletedTask);
            var (devices, stages, chunks) = splitOf(number);
            List<DeviceThread> taken = [.. Devices.Take(devices)];
            await TakeAsync(new TrainingStep(
                taken, new LocalCollective(taken), vectors.Layout, optimizer, 1, precision, stages: stages, chunks: chunks),
                model, number);
        }
        return [.. Names.SelectMany(name => Samples.Values(vectors[name]))];
    }

    /// <summary>Ends them. No copy between GPUs may have read or written what it should not.</summary>
    public void Dispose()
    {
        Devices.ForEach(d => d.Dispose());
        if (hasKernels)
            Assert.Empty(FakeGpu.Shared.Faults);
    }
}
