using Elastic.Actors.Nodes;
using Elastic.Coordination;
using Elastic.Messages.Work;
using Elastic.Storage;

namespace Elastic.Actors.Work;

/// <summary>Makes a version and its inner states durable on this node, then writes the manifest.</summary>
internal sealed class TakeCheckpointExecutor : WorkExecutor<NodeRun>
{
    public override string Kind => TakeCheckpointWork.Kind.Name;

    public override WorkLane Lane => WorkLane.Store;

    public override async Task<WorkOutcome?> ExecuteAsync(NodeRun run, WorkContent content, DeviceContext? devices)
    {
        var take = (TakeCheckpoint)content;
        foreach (var set in take.InnerStates.Prepend(take.Parameters))
            await run.Fetcher.FetchSetAsync(set, CancellationToken.None);
        await run.KeepTokenizerAsync(CancellationToken.None);
        var setup = run.Setup;
        return new CheckpointWritten(CheckpointFiles.Take(run.Paths, run.Id, run.Blobs, take, blobs => new CheckpointManifest(
            1, run.Id.Value, take.Version, setup.Architecture.Signature, run.SetupIn(take.Changes).SettingsCanonical, setup.CorpusId.Hex,
            setup.Corpus.Manifest.Tokenizer, take.Fingerprint.Hex, take.Parameters.Hex, [.. take.InnerStates.Select(s => s.Hex)],
            take.TokensSeen, take.ChainHead.Hex, blobs)));
    }
}
