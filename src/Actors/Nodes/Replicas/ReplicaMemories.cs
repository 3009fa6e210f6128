using Elastic.Coordination;
using Elastic.Foundation;
using Elastic.Messages;
using Elastic.Messages.Settings;
using Elastic.Messages.Vectors;
using Elastic.Messages.Work;
using Elastic.Model.Training;
using Elastic.Model.Vectors;

namespace Elastic.Actors.Nodes.Replicas;

/// <summary>The replica memories of a node: work takes one, gives it back at its end, and the node keeps it for the next round.</summary>
/// <param name="warn">Gets a sentence where a GPU's memory may run out.</param>
internal sealed class ReplicaMemories(Action<string> warn) : IDisposable
{
    private readonly GpuRooms _gpus = new(warn);
    private const string Cpu = "cpu", InFile = "file";

    private readonly List<(RunId Run, string Location, ReplicaMemory Memory)> _all = [];
    private readonly HashSet<ReplicaMemory> _inUse = [];

    /// <summary>
    /// The replicas that are in training in the machine's own memory: each one's run, and its settings; between rounds those that were. A
    /// stage is not among them, which takes no more memory of more devices: they lend it their threads.
    /// </summary>
    public IReadOnlyList<(RunId Run, TrainingSettings Settings)> InTraining
    {
        get
        {
            var trained = _all.Where(m => m is { Location: Cpu, Memory: { TrainedWith: not null, Share: null } }).ToList();
            var busy = trained.Where(m => _inUse.Contains(m.Memory)).ToList();
            return [.. (busy.Count > 0 ? busy : trained).Select(m => (m.Run, m.Memory.TrainedWith!.Settings))];
        }
    }

    /// <summary>Takes memory for work where its devices can reach it; prefers the memory that holds the replica's moments.</summary>
    /// <param name="threads">Threads of each device by itself.</param>
    /// <exception cref="ElasticException">There is less memory than the work needs.</exception>
    public ReplicaMemory Take(RunSetup setup, IReadOnlyList<DeviceId> devices, int threads, WorkContent work)
    {
        var (replica, share) = (ComputeWork.Of(work), StageOf(setup, work));
        // Of a run in stages no node may have room for all parameters, which an evaluation reads: the system takes back memory of a file.
        var isInFile = replica is null && setup.Settings.Run.Stages > 1 && devices[0].IsCpu && !OperatingSystem.IsWindows();
        var location = isInFile ? InFile : LocationOf(devices[0]);
        var free = _all.Where(m => m.Run == setup.Id && m.Location == location && !_inUse.Contains(m.Memory)
            && (share is null ? m.Memory.Share is null : share.IsSameAs(m.Memory.Share))).Select(m => m.Memory).ToList();
        var memory = free.Find(m => replica?.InnerState is { } state && m.HoldsMoments(state)) ?? free.FirstOrDefault();
        if (memory is null)
        {
            // Another run's memory, which may never come again; and of this run what other stages had.
            Free(m => m.Run != setup.Id || (share is not null && !share.IsSameAs(m.Memory.Share)));
            var offload = isInFile ? new FileOffload(setup.Paths.Offload, [VectorSet.Parameters]) : share is null ? setup.Offload : null;
            memory = new ReplicaMemory(setup.Layout, setup.InnerVectors, devices[0], offload, share);
            _all.Add((setup.Id, location, memory));
        }

        // What has room for training keeps it, but settings that change in mid-run may need more; what was made for an evaluation holds the
        // parameters alone.
        if (replica is not null && MemoryOf(memory.TrainedWith?.Settings) != MemoryOf(setup.Settings))
        {
            if (devices[0].IsCpu)
                CheckMemory(setup, memory.TrainedWith, share, devices.Count, threads);
            else
                _gpus.Check(setup, devices, share);
        }
        if (replica is not null)
            memory.TrainedWith = new(setup.Settings, devices.Count);
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

    // What of the settings decides how much memory training takes. Each reading of a text gives the same; of all settings it would not,
    // among which are lists (corpus.sources) that equal only themselves.
    private static (ModelSettings, BatchSettings, OptimizerSettings, RunSettings, int SampleTokens)? MemoryOf(TrainingSettings? settings) =>
        settings is null ? null : (settings.Model, settings.Batch, settings.Optimizer, settings.Run, settings.SampleTokens);

    // Null where one node computes the replica.
    private static StageShare? StageOf(RunSetup setup, WorkContent work)
    {
        if (ComputeWork.Of(work) is not { Stages: { Length: > 1 } stages })
            return null;
        return new StageShare(setup.Architecture, setup.Layout, (work as ComputeStage)?.Stage ?? 0, stages.Length);
    }

    // Before anything is allocated: the system ends a process that takes more than there is, with all its replicas. Memory of failed work
    // is free only after its finalizers have run. What training with the settings before has taken is free for it.
    private static void CheckMemory(RunSetup setup, Trained? before, StageShare? share, int devices, int threads)
    {
        var whole = share is null ? PlanOf(setup.Settings, devices) : null;
        var needed = share is null ? 0 : BytesOfStage(setup.Settings, devices);
        var taken = before is not (var settings, var had) ? 0
            : share is null ? PlanOf(settings, had).Memory.Bytes : BytesOfStage(settings, had);
        if (Problem() is null)
            return;
        GC.Collect();
        GC.WaitForPendingFinalizers();
        if (Problem() is { } problem)
            throw new ElasticException(problem);

        string? Problem()
        {
            var free = MachineMemory.Now().FreeBytes + taken;
            return whole is not null ? whole.Problem(free)
                : needed <= free ? null
                : $"stage {share!.Number} of {share.Count} needs {ByteSize.Text(needed)} of memory here, and {ByteSize.Text(free)} are "
                    + "free: use more run.stages, or free some memory";
        }

        TrainingPlan PlanOf(TrainingSettings settings, int devices) => TrainingPlan.OfReplica(
            settings, devices, threads, setup.Sharing.Zero, setup.Sharing.Offload, setup.Splits.Asked);

        // A stage is one device's, to which the others lend their threads.
        double BytesOfStage(TrainingSettings settings, int devices) =>
            StagePlan.Of(settings, share!.Count, devices * threads).Bytes[share.Number];
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
