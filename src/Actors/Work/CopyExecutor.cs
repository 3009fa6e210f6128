using Elastic.Actors.Nodes;
using Elastic.Coordination;
using Elastic.Messages.Work;

namespace Elastic.Actors.Work;

/// <summary>Makes a vector set whole on this node.</summary>
internal sealed class CopyExecutor : WorkExecutor
{
    public override string Kind => CopyWork.Kind.Name;

    public override WorkLane Lane => WorkLane.Store;

    public override async Task<WorkOutcome?> ExecuteAsync(NodeRun run, WorkContent content, DeviceContext? devices)
    {
        var copy = (Copy)content;
        await run.FetchAsync(copy.Set);
        return new Copied(copy.Set);
    }
}
