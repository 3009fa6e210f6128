using Elastic.Model.Vectors;

namespace Elastic.Model.Training;

/// <summary>
/// The collective of devices that share their memory: CPU devices, and GPUs that reach each other's. Each reads the others' roots where
/// they lie, and all update and read the same vectors. GPUs that do not reach each other's memory copy what they need through this
/// machine's.
/// </summary>
/// <param name="devices">The ranks, in order.</param>
/// <param name="time">Measures the deadlines; null for the system's.</param>
public sealed class LocalCollective(IReadOnlyList<IDeviceThread> devices, TimeProvider? time = null) : CheckedCollective(devices, time)
{
    private protected override double[] ReduceScatter(
        TrainingDevice device, int rank, IReadOnlyList<IReadOnlyList<SubtreeRoot>> roots, int microBatches, IReadOnlyList<Slice> slices) =>
        device.FoldSlice([.. roots.SelectMany(r => r)], microBatches, slices[rank]);

    // No data moves: each device has written its slice where the others read it.
    private protected override Task GatherAsync(IReadOnlyList<Slice> slices, TimeSpan deadline) => Task.CompletedTask;
}
