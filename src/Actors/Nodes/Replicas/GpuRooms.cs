using Elastic.Foundation;
using Elastic.Messages;
using Elastic.Model.Training;

namespace Elastic.Actors.Nodes.Replicas;

/// <summary>
/// Looks at GPUs' free memory before a replica, or a stage of one, takes some of it. What libtorch keeps for later counts as taken by then,
/// so of a GPU the most counts that was free when it was looked at.
/// </summary>
/// <param name="warn">Gets a sentence where an estimate says that memory may run out.</param>
internal sealed class GpuRooms(Action<string> warn)
{
    private readonly Dictionary<DeviceId, long> _free = [];

    /// <summary>
    /// Checks the room before training allocates anything; an evaluation may have parameters there, which its work counts, too.
    /// </summary>
    /// <param name="devices">Devices of the replica.</param>
    /// <param name="share">The stage of it that this node computes, on the first device; null for all.</param>
    /// <exception cref="ElasticException">A GPU is too small for what is sure to be allocated on it.</exception>
    public void Check(RunSetup setup, IReadOnlyList<DeviceId> devices, StageShare? share)
    {
        if (DeviceBackends.Of(devices[0]).MemoryOf(devices[0]) is null)
            return;
        var needs = share is null
            ? GpuMemory.OfReplica(setup.Settings, devices, setup.Splits.Asked)
            : new Dictionary<DeviceId, TrainingMemory>
            {
                [devices[0].Whole()] = GpuMemory.OfStage(setup.Settings, share.Number, share.Count),
            };
        var what = share is null ? "a replica" : $"stage {share.Number} of {share.Count}";
        foreach (var (gpu, memory) in needs)
        {
            if (DeviceBackends.Of(gpu).MemoryOf(gpu) is not var (now, all))
                continue;
            var free = _free[gpu] = Math.Max(now, _free.GetValueOrDefault(gpu));
            if (GpuMemory.Refusal(memory, what, gpu, all, setup.Settings) is { } refusal)
                throw new ElasticException(refusal);
            if (GpuMemory.Warning(memory, what, gpu, free, setup.Settings) is { } warning)
                warn(warning);
        }
    }
}
