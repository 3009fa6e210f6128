using Elastic.Foundation;
using Elastic.Messages.Settings;

namespace Elastic.Model.Training;

/// <summary>What replicas in training take of a machine's memory besides, where they get more of its CPU devices than they have.</summary>
public static class MemoryGrowth
{
    /// <summary>
    /// Null where it fits; otherwise a sentence with what is needed and what is free. Devices are shared evenly, and a replica never has
    /// more than it has micro-batches in a step, nor than <c>run.devices-per-replica</c>.
    /// </summary>
    /// <param name="now">The settings of each replica that is in training on the machine.</param>
    /// <param name="devicesNow">The devices of the machine.</param>
    /// <param name="then">The settings of these replicas after the change.</param>
    /// <param name="devicesThen">The devices after the change.</param>
    /// <param name="freeBytes">What the process may still take.</param>
    public static string? Problem(
        IReadOnlyList<TrainingSettings> now, int devicesNow, IReadOnlyList<TrainingSettings> then, int devicesThen, double freeBytes)
    {
        ArgumentNullException.ThrowIfNull(now);
        ArgumentNullException.ThrowIfNull(then);
        var (before, after) = (Shares(now, devicesNow), Shares(then, devicesThen));
        var (has, needs) = (now.Zip(before, MemoryOf).ToList(), then.Zip(after, MemoryOf).ToList());
        var growth = needs.Sum(m => m.Bytes) - has.Sum(m => m.Bytes);
        if (growth <= freeBytes)
            return null;
        var gradients = needs.Sum(m => m.GradientBytes) - has.Sum(m => m.GradientBytes);
        var activations = needs.Sum(m => m.ActivationBytes) - has.Sum(m => m.ActivationBytes);
        return $"training here needs {ByteSize.Text(growth)} of memory more on {Devices(after.Sum())} than on {Devices(before.Sum())} "
            + $"(gradients {ByteSize.Text(gradients)}, activations {ByteSize.Text(activations)}), and {ByteSize.Text(freeBytes)} are free: "
            + "use fewer devices, or free some memory";
    }

    // How many threads a device has matters little: sums of a few rows each.
    private static TrainingMemory MemoryOf(TrainingSettings replica, int devices) => TrainingPlan.OfReplica(replica, devices, 1).Memory;

    private static string Devices(int count) => count == 1 ? "1 device" : $"{count} devices";

    private static List<int> Shares(IReadOnlyList<TrainingSettings> replicas, int devices) =>
    [
        .. replicas.Select((settings, i) => Math.Clamp(
            (int)((long)devices * (i + 1) / replicas.Count - (long)devices * i / replicas.Count), 1, MostOf(settings))),
    ];

    private static int MostOf(TrainingSettings settings) => settings.Run.DevicesPerReplica is > 0 and var most
        ? Math.Min(most, settings.Batch.MicroBatches) : settings.Batch.MicroBatches;
}
