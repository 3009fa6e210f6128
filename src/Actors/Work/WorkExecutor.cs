using Elastic.Actors.Nodes;
using Elastic.Actors.Nodes.Devices;
using Elastic.Actors.Nodes.Replicas;
using Elastic.Messages.Nodes;
using Elastic.Messages.Work;

namespace Elastic.Actors.Work;

/// <summary>Where work is done on a node.</summary>
internal enum WorkLane
{
    /// <summary>On devices that are given to it.</summary>
    Devices,

    /// <summary>Sums and assembles, two at a time: one reads from the network while the other sums, hashes and writes.</summary>
    Sums,

    /// <summary>Looks after what is stored, one after the other.</summary>
    Store,
}

/// <summary>What work on devices is given besides its order.</summary>
/// <param name="Progress">Is told of the newest step, now and then and at the end.</param>
/// <param name="Stop">Asks to stop at the next step boundary, and to hand over.</param>
/// <param name="Drop">Nobody waits for it any more: stop without a hand-over.</param>
internal sealed record DeviceContext(
    DeviceGroup Devices, ReplicaMemory Memory, Action<NodeReport.StepTaken> Progress, CancellationToken Stop, CancellationToken Drop);

/// <summary>Who does a kind of work on a node: the other file of the kind (Coordination/Work). It runs off the mailbox.</summary>
internal abstract class WorkExecutor
{
    /// <summary>The kind's name.</summary>
    public abstract string Kind { get; }

    public abstract WorkLane Lane { get; }

    /// <summary>Does the work.</summary>
    /// <param name="devices">Null for work that needs none.</param>
    /// <returns>Null when it was stopped before there was anything to say.</returns>
    public abstract Task<WorkOutcome?> ExecuteAsync(NodeRun run, WorkContent content, DeviceContext? devices);
}

/// <summary>The executors of all kinds of work.</summary>
internal static class WorkExecutors
{
    public static IReadOnlyList<WorkExecutor> All { get; } =
    [
        new InitializeExecutor(), new ComputeExecutor(), new AverageExecutor(), new AssembleExecutor(), new CopyExecutor(), new EvaluateExecutor(), new TakeCheckpointExecutor(),
    ];

    public static WorkExecutor Of(WorkKey key) => All.First(e => e.Kind == key.Kind);
}
