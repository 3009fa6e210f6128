using Elastic.Actors.Nodes;
using Elastic.Coordination;
using Elastic.Messages.Vectors;
using Elastic.Messages.Work;
using Elastic.Storage;

namespace Elastic.Actors.Work;

/// <summary>Fetches the chunks of the next version that this node lacks, and stores its manifest.</summary>
internal sealed class AssembleExecutor : WorkExecutor<NodeRun>
{
    public override string Kind => AssembleWork.Kind.Name;

    public override WorkLane Lane => WorkLane.Sums;

    public override async Task<WorkOutcome?> ExecuteAsync(NodeRun run, WorkContent content, DeviceContext? devices)
    {
        var assemble = (Assemble)content;
        var frozen = assemble.FrozenOf is { } before ? await run.Fetcher.FetchFrozenAsync(before, CancellationToken.None) : null;
        var version = VectorSet.Version(run.Setup.Layout.TrainedLength, assemble.Chunks, frozen);
        await run.Fetcher.FetchAsync(version.Chunks(), CancellationToken.None);
        return new Assembled(assemble.Round, run.Blobs.PutSet(version));
    }
}
