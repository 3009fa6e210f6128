using Elastic.Actors.Nodes;
using Elastic.Actors.Nodes.Devices;
using Elastic.Actors.Nodes.Replicas;
using Elastic.Messages.Nodes;
using Elastic.Messages.Work;
using Elastic.Model.Training;

namespace Elastic.Actors.Work;

/// <summary>The part of a node that does a kind of work.</summary>
internal enum WorkLane
{
    /// <summary>Work on the devices that it is given.</summary>
    Devices,

    /// <summary>Averaging and assembling, two pieces at a time: one reads from the network while the other sums, hashes, writes.</summary>
    Sums,

    /// <summary>Work on stored blobs, one piece after the other.</summary>
    Store,

    /// <summary>Reading text and making tokens of it, on as many cores as there are.</summary>
    Cores,
}

/// <summary>What work on devices needs besides its order.</summary>
/// <param name="Activity">Where the work says what it does.</param>
/// <param name="Progress">Called with the newest step, now and then and at the end; before the first one, with the bytes that came.</param>
/// <param name="Moves">The devices to go on with from the next step boundary on; <paramref name="Moved"/> is called there.</param>
/// <param name="GoBackAsync">
/// Tells that a device was lost, and that the step can be repeated without it; ends with the devices to go on with.
/// </param>
/// <param name="Stop">
/// Asks to stop at the next step boundary, and to hand over; before the first step, to end at once without an outcome. A stage of a
/// replica that is connected with the others takes its first step: all stages stop after the same one.
/// </param>
/// <param name="Drop">Asks to stop without a hand-over: no node waits for the result. <paramref name="Stop"/> asks then, too.</param>
internal sealed record DeviceContext(
    DeviceGroup Devices, DeviceMoves Moves, ReplicaMemory Memory, WorkActivity Activity, Action<NodeReport> Progress, Action Moved,
    Func<DeviceFailedException, Task<DeviceGroup>> GoBackAsync, CancellationToken Stop, CancellationToken Drop);

/// <summary>Does one kind of work on a node; the kind's other file is in Coordination/Work. Runs off the mailbox.</summary>
internal abstract class WorkExecutor
{
    /// <summary>The kind's name.</summary>
    public abstract string Kind { get; }

    public abstract WorkLane Lane { get; }

    /// <summary>Does the work.</summary>
    /// <param name="devices">Null for work that needs none.</param>
    /// <returns>Null when the work was stopped before it had an outcome.</returns>
    public abstract Task<WorkOutcome?> ExecuteAsync(NodeJob job, WorkContent content, DeviceContext? devices);
}

/// <summary>Does one kind of work of one kind of job.</summary>
/// <typeparam name="TJob">A run, mostly.</typeparam>
internal abstract class WorkExecutor<TJob> : WorkExecutor where TJob : NodeJob
{
    /// <inheritdoc cref="WorkExecutor.ExecuteAsync"/>
    public abstract Task<WorkOutcome?> ExecuteAsync(TJob run, WorkContent content, DeviceContext? devices);

    /// <inheritdoc/>
    public sealed override Task<WorkOutcome?> ExecuteAsync(NodeJob job, WorkContent content, DeviceContext? devices) =>
        ExecuteAsync((TJob)job, content, devices);
}

/// <summary>The executors of all kinds of work.</summary>
internal static class WorkExecutors
{
    public static IReadOnlyList<WorkExecutor> All { get; } =
    [
        new InitializeExecutor(), new ComputeExecutor(), new ComputeStageExecutor(), new AverageExecutor(), new AssembleExecutor(),
        new CopyExecutor(), new EvaluateExecutor(), new TakeCheckpointExecutor(), new ScoreRowsExecutor(), new ReadPieceExecutor(),
        new TokenizePieceExecutor(),
    ];

    public static WorkExecutor Of(WorkKey key) => All.First(e => e.Kind == key.Kind);
}
