using Elastic.Foundation;
using Elastic.Messages;

namespace Elastic.Actors.Nodes.Replicas;

/// <summary>The replica memories of a node: work takes one, gives it back at its end, and the node keeps it for the next round.</summary>
internal sealed class ReplicaMemories : IDisposable
{
    private readonly List<(RunId Run, string Location, ReplicaMemory Memory)> _all = [];
    private readonly HashSet<ReplicaMemory> _inUse = [];

    /// <summary>Takes memory for a run where <paramref name="device"/> can reach it; prefers the memory that holds these moments.</summary>
    public ReplicaMemory Take(NodeRun run, DeviceId device, Digest? innerState)
    {
        var location = LocationOf(device);
        var free = _all.Where(m => m.Run == run.Id && m.Location == location && !_inUse.Contains(m.Memory)).Select(m => m.Memory).ToList();
        var memory = free.Find(m => innerState is { } state && m.HoldsMoments(state)) ?? free.FirstOrDefault();
        if (memory is null)
        {
            Free(m => m.Run != run.Id);                               // another run's memory; that run may never come again
            memory = new ReplicaMemory(run.Layout, run.Optimizer.Vectors, device);
            _all.Add((run.Id, location, memory));
        }

        _inUse.Add(memory);
        return memory;
    }

    public void GiveBack(ReplicaMemory memory) => _inUse.Remove(memory);

    /// <summary>
    /// Never uses the memory of failed work again: a device that answered too late may still write to it and so change a result
    /// unnoticed. The finalizer frees it.
    /// </summary>
    public void Abandon(ReplicaMemory memory)
    {
        _inUse.Remove(memory);
        _all.RemoveAll(m => m.Memory == memory);
    }

    /// <summary>Frees memory that is not in use. Work that outlives its actor still reads the rest, which the finalizer frees.</summary>
    public void Dispose() => Free(_ => true);

    // CPU devices share the machine's memory, each GPU has its own.
    private static string LocationOf(DeviceId device) => device.IsCpu ? "cpu" : device.Value;

    private void Free(Predicate<(RunId Run, string Location, ReplicaMemory Memory)> which)
    {
        foreach (var entry in _all.Where(m => which(m) && !_inUse.Contains(m.Memory)).ToList())
        {
            entry.Memory.Dispose();
            _all.Remove(entry);
        }
    }
}
