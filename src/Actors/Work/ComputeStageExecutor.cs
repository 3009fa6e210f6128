using Elastic.Actors.Nodes;
using Elastic.Coordination;
using Elastic.Messages.Work;

namespace Elastic.Actors.Work;

/// <summary>
/// Takes the inner steps of one stage of a replica, together with the nodes of the other stages. The first of them has a
/// <see cref="Compute"/>, stores what all have made, and answers for the replica; this one has no outcome but that another stage is lost.
/// </summary>
internal sealed class ComputeStageExecutor : WorkExecutor<NodeRun>
{
    public override string Kind => ComputeStageWork.Kind.Name;

    public override WorkLane Lane => WorkLane.Devices;

    public override Task<WorkOutcome?> ExecuteAsync(NodeRun run, WorkContent content, DeviceContext? devices)
    {
        var order = (ComputeStage)content;
        return new ReplicaRound(run, run.SetupIn(order.Replica.Segment), order.Replica, order.Stage, devices!).RunAsync();
    }
}
