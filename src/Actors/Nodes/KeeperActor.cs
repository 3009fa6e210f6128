using System.Diagnostics;
using Akka.Actor;
using Akka.Event;
using Elastic.Foundation;
using Elastic.Messages.Nodes;
using Elastic.Messages.Runs;
using Elastic.Storage;

namespace Elastic.Actors.Nodes;

/// <summary>Looks after what a node stores: surveys it, copies from others, makes checkpoints durable, deletes what is no longer needed.</summary>
internal sealed class KeeperActor : BlobActor
{
    private readonly ILoggingAdapter _log = Context.GetLogger();

    /// <inheritdoc cref="KeeperActor"/>
    public static Props Props() => Akka.Actor.Props.Create(() => new KeeperActor()).WithDispatcher("elastic.device-dispatcher");

    /// <inheritdoc/>
    protected override async Task<object?> DoAsync(NodeRun run, NodeCommand command)
    {
        switch (command)
        {
            case NodeCommand.Survey survey:
                return new NodeReport.Surveyed(run.Node, run.Id, survey.Sets, [.. survey.Sets.Where(s => IsWhole(run.Blobs, s, survey.Thorough))], survey.Part);
            case NodeCommand.CopySet copy:
                await run.FetchAsync(copy.Set);
                return new NodeReport.SetHeld(run.Node, run.Id, copy.Round, copy.Copy, copy.Set);
            case NodeCommand.TakeCheckpoint take:
                foreach (var set in take.InnerStates.Prepend(take.Parameters))
                    await run.FetchAsync(set);
                return new RunCommand.FinishCheckpoint(run.Id, run.Node, CheckpointFiles.Take(run.Paths, run.Id, run.Blobs, take, blobs => new CheckpointManifest(
                    1, run.Id.Value, take.Version, run.Architecture.Signature, run.SettingsCanonical, run.CorpusId.Hex, run.Corpus.Manifest.Tokenizer,
                    take.Fingerprint.Hex, take.Parameters.Hex, [.. take.InnerStates.Select(s => s.Hex)], take.TokensSeen, take.Ledger.Hex, blobs)));
            case NodeCommand.Retain retain:
                CheckpointFiles.Retain(run.Paths.Checkpoints(run.Id), retain.Checkpoints);
                var freed = run.Blobs.Retain(retain.Sets, retain.Round);
                _log.Debug("run {0}: freed {1} bytes", run.Id, freed);
                return null;
            default:
                throw new UnreachableException($"not for the keeper: {command}");
        }
    }

    // What the disk does not give is not there: a survey is always answered.
    private static bool IsWhole(BlobStore blobs, Digest set, bool thorough)
    {
        try
        {
            return blobs.IsWhole(set, thorough);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or InvalidDataException)
        {
            return false;
        }
    }
}
