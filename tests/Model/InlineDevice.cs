using Elastic.Messages;
using Elastic.Model.Training;
using Elastic.Model.Vectors;

namespace Elastic.Model.Tests;

/// <summary>A device on the caller's thread, so that a whole training step is one call on it.</summary>
internal sealed class InlineDevice(TrainingDevice device) : IDeviceThread
{
    public DeviceId Id => device.Id;

    public Task<T> RunAsync<T>(Func<TrainingDevice, T> work) => Task.FromResult(work(device));
}

/// <summary>Keeps the norm of the last gradient.</summary>
internal sealed class RecordingCollective(ICollective inner) : ICollective
{
    public double Norm { get; private set; }

    public async Task<IReadOnlyList<double>> ReduceScatterAsync(
        IReadOnlyList<IReadOnlyList<SubtreeRoot>> roots, int microBatches, IReadOnlyList<Slice> slices, TimeSpan deadline)
    {
        var squares = await inner.ReduceScatterAsync(roots, microBatches, slices, deadline);
        Norm = GradientNorm.Fold(squares);
        return squares;
    }

    public Task ReduceBucketAsync(IReadOnlyList<PassBucket> buckets, TimeSpan deadline) =>
        inner.ReduceBucketAsync(buckets, deadline);

    public Task AllGatherAsync(IReadOnlyList<Slice> slices, TimeSpan deadline) => inner.AllGatherAsync(slices, deadline);

    public void Abort(string why) => inner.Abort(why);
}
