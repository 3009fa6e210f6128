using Elastic.Actors.Nodes;
using Elastic.Coordination;
using Elastic.Messages.Work;

namespace Elastic.Actors.Work;

/// <summary>Reads a piece of a source through the stages of a build's manifest.</summary>
internal sealed class ReadPieceExecutor : WorkExecutor<NodeBuild>
{
    public override string Kind => ReadPieceWork.Kind.Name;

    public override WorkLane Lane => WorkLane.Cores;

    // Off the mailbox: what the asker has taken is deleted first.
    public override async Task<WorkOutcome?> ExecuteAsync(NodeBuild run, WorkContent content, DeviceContext? devices)
    {
        var order = (ReadPiece)content;
        return new PieceRead(await Task.Run(() => run.DoAsync(order.Pieces, order.Number, order.Taken)));
    }
}
