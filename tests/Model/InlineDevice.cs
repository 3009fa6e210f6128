using Elastic.Model.Training;
using Elastic.Model.Vectors;

namespace Elastic.Model.Tests;

/// <summary>A device on the caller's thread, so that a whole training step is one call on it.</summary>
internal sealed class InlineDevice(TrainingDevice device) : IDeviceThread
{
    public Task<T> RunAsync<T>(Func<TrainingDevice, T> work) => Task.FromResult(work(device));
}

/// <summary>Keeps the norm of the last gradient.</summary>
internal sealed class RecordingCollective(ICollective inner) : ICollective
{
    public double Norm { get; private set; }

    public async Task<IReadOnlyList<double>> ReduceScatterAsync(
        IReadOnlyList<SubtreeRoot> roots, int microBatches, IReadOnlyList<Slice> slices)
    {
        var squares = await inner.ReduceScatterAsync(roots, microBatches, slices);
        Norm = GradientNorm.Fold(squares);
        return squares;
    }

    public Task AllGatherAsync(IReadOnlyList<Slice> slices) => inner.AllGatherAsync(slices);
}
