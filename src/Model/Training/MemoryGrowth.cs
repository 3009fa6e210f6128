using Elastic.Foundation;
using Elastic.Messages.Nodes;
using Elastic.Messages.Settings;

namespace Elastic.Model.Training;

/// <summary>What replicas in training take of a machine's memory besides, where they get more of its CPU devices than they have.</summary>
public static class MemoryGrowth
{
    /// <summary>
    /// Null where it fits; otherwise a sentence with what is needed and what is free. Devices are shared evenly, and a replica never has
    /// more than it has micro-batches in a step to share, nor than <c>run.devices-per-replica</c>.
    /// </summary>
    /// <param name="now">The settings of each replica that is in training on the machine.</param>
    /// <param name="devicesNow">The devices of the machine.</param>
    /// <param name="then">The settings of these replicas after the change.</param>
    /// <param name="devicesThen">The devices after the change.</param>
    /// <param name="freeBytes">What the process may still take.</param>
    /// <param name="sharing">How the devices share a replica; null for the usual way.</param>
    public static string? Problem(
        IReadOnlyList<TrainingSettings> now, int devicesNow, IReadOnlyList<TrainingSettings> then, int devicesThen, double freeBytes,
        ReplicaSharing? sharing = null)
    {
        ArgumentNullException.ThrowIfNull(now);
        ArgumentNullException.ThrowIfNull(then);
        var (zero, offload) = (sharing?.Zero ?? 1, sharing?.Offload ?? OffloadMode.None);
        var split = sharing is null ? ReplicaSplit.None : ReplicaSplit.Parse(sharing.Split);
        var (before, after) = (Shares(now, devicesNow, split), Shares(then, devicesThen, split));
        var (has, needs) = (now.Zip(before, MemoryOf).ToList(), then.Zip(after, MemoryOf).ToList());
        var growth = needs.Sum(m => m.Bytes) - has.Sum(m => m.Bytes);
        if (growth <= freeBytes)
            return null;
        var gradients = needs.Sum(m => m.GradientBytes) - has.Sum(m => m.GradientBytes);
        var activations = needs.Sum(m => m.ActivationBytes) - has.Sum(m => m.ActivationBytes);
        return $"training here needs {ByteSize.Text(growth)} of memory more on {Devices(after.Sum())} than on {Devices(before.Sum())} "
            + $"(gradients {ByteSize.Text(gradients)}, activations {ByteSize.Text(activations)}), and {ByteSize.Text(freeBytes)} are free: "
            + "use fewer devices, or free some memory";

        // How many threads a device has matters little: sums of a few rows each.
        TrainingMemory MemoryOf(TrainingSettings replica, int devices) =>
            TrainingPlan.OfReplica(replica, devices, 1, zero, offload, split).Memory;
    }

    private static string Devices(int count) => count == 1 ? "1 device" : $"{count} devices";

    private static List<int> Shares(IReadOnlyList<TrainingSettings> replicas, int devices, ReplicaSplit split) =>
    [
        .. replicas.Select((settings, i) => Math.Clamp(
            (int)((long)devices * (i + 1) / replicas.Count - (long)devices * i / replicas.Count), 1, MostOf(settings, split.Devices))),
    ];

    // Devices of a split share micro-batches.
    private static int MostOf(TrainingSettings settings, int ofSplit) => settings.Run.DevicesPerReplica is > 0 and var most
        ? Math.Min(most, settings.Batch.MicroBatches * ofSplit) : settings.Batch.MicroBatches * ofSplit;
}
