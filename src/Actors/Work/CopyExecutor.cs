using Elastic.Actors.Nodes;
using Elastic.Coordination;
using Elastic.Messages.Work;

namespace Elastic.Actors.Work;

/// <summary>Fetches the blobs of a vector set that this node lacks.</summary>
internal sealed class CopyExecutor : WorkExecutor<NodeRun>
{
    public override string Kind => CopyWork.Kind.Name;

    public override WorkLane Lane => WorkLane.Store;

    public override async Task<WorkOutcome?> ExecuteAsync(NodeRun run, WorkContent content, DeviceContext? devices)
    {
        var copy = (Copy)content;
        await run.Fetcher.FetchSetAsync(copy.Set, CancellationToken.None);
        return new Copied(copy.Set);
    }
}
