using Elastic.Actors.Nodes;
using Elastic.Coordination;
using Elastic.Messages.Work;

namespace Elastic.Actors.Work;

/// <summary>Makes the tokens of some documents of a build.</summary>
internal sealed class TokenizePieceExecutor : WorkExecutor<NodeTokens>
{
    public override string Kind => TokenizePieceWork.Kind.Name;

    public override WorkLane Lane => WorkLane.Cores;

    // Off the mailbox: what the asker has taken is deleted first.
    public override async Task<WorkOutcome?> ExecuteAsync(NodeTokens run, WorkContent content, DeviceContext? devices)
    {
        var order = (TokenizePiece)content;
        return new PieceTokenized(await Task.Run(() => run.DoAsync(order.Documents, order.Number, order.Taken)));
    }
}
