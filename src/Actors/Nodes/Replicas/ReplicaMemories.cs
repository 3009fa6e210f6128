using Elastic.Coordination;
using Elastic.Foundation;
using Elastic.Messages;
using Elastic.Messages.Settings;
using Elastic.Messages.Work;
using Elastic.Model.Training;

namespace Elastic.Actors.Nodes.Replicas;

/// <summary>The replica memories of a node: work takes one, gives it back at its end, and the node keeps it for the next round.</summary>
internal sealed class ReplicaMemories : IDisposable
{
    private const string Cpu = "cpu";

    private readonly List<(RunId Run, string Location, ReplicaMemory Memory)> _all = [];
    private readonly HashSet<ReplicaMemory> _inUse = [];

    /// <summary>
    /// The runs of the replicas that are in training in the machine's own memory, each as often as it has replicas; between rounds those
    /// that were.
    /// </summary>
    public IReadOnlyList<RunId> InTraining
    {
        get
        {
            var trained = _all.Where(m => m is { Location: Cpu, Memory.HasRoomToTrain: true }).ToList();
            var busy = trained.Where(m => _inUse.Contains(m.Memory)).ToList();
            return [.. (busy.Count > 0 ? busy : trained).Select(m => m.Run)];
        }
    }

    /// <summary>Takes memory for work where its devices can reach it; prefers the memory that holds the replica's moments.</summary>
    /// <param name="threads">Of each device by itself.</param>
    /// <exception cref="ElasticException">There is less memory than the work needs.</exception>
    public ReplicaMemory Take(NodeRun run, IReadOnlyList<DeviceId> devices, int threads, WorkContent work)
    {
        var (location, innerState) = (LocationOf(devices[0]), (work as Compute)?.InnerState);
        var free = _all.Where(m => m.Run == run.Id && m.Location == location && !_inUse.Contains(m.Memory)).Select(m => m.Memory).ToList();
        var memory = free.Find(m => innerState is { } state && m.HoldsMoments(state)) ?? free.FirstOrDefault();
        if (memory is null)
        {
            Free(m => m.Run != run.Id);                               // another run's memory; that run may never come again
            memory = new ReplicaMemory(run.Layout, run.InnerVectors, devices[0], run.Offload);
            _all.Add((run.Id, location, memory));
        }

        // What has room for training keeps it; what was made for an evaluation holds the parameters alone.
        if (work is Compute && devices[0].IsCpu && !memory.HasRoomToTrain)
            CheckMemory(run, devices.Count, threads);
        memory.HasRoomToTrain |= work is Compute;
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

    // Before anything is allocated: the system ends a process that takes more than there is, with all its replicas. Memory of failed work
    // is free only after its finalizers have run.
    private static void CheckMemory(NodeRun run, int devices, int threads)
    {
        var needed = TrainingPlan.OfReplica(
            run.Settings, devices, threads, run.Zero, run.Offload is null ? OffloadMode.None : OffloadMode.File, run.Split);
        if (needed.Problem(MachineMemory.Now().FreeBytes) is null)
            return;
        GC.Collect();
        GC.WaitForPendingFinalizers();
        if (needed.Problem(MachineMemory.Now().FreeBytes) is { } problem)
            throw new ElasticException(problem);
    }

    // CPU devices share the machine's memory, each GPU has its own.
    private static string LocationOf(DeviceId device) => device.IsCpu ? Cpu : device.Whole().Value;

    private void Free(Predicate<(RunId Run, string Location, ReplicaMemory Memory)> which)
    {
        foreach (var entry in _all.Where(m => which(m) && !_inUse.Contains(m.Memory)).ToList())
        {
            entry.Memory.Dispose();
            _all.Remove(entry);
        }
    }
}
