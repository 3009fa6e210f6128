using System.Diagnostics;
using Akka.Actor;
using Akka.Event;
using Elastic.Actors.Blobs;
using Elastic.Actors.Checkpoints;
using Elastic.Messages.Nodes;
using Elastic.Messages.Runs;

namespace Elastic.Actors.Nodes;

/// <summary>Looks after what a node has stored: surveys it, makes checkpoints durable, deletes what is no longer needed.</summary>
internal sealed class KeeperActor : BlobActor
{
    private readonly ILoggingAdapter _log = Context.GetLogger();

    /// <inheritdoc cref="KeeperActor"/>
    public static Props Props() => Akka.Actor.Props.Create(() => new KeeperActor()).WithDispatcher("elastic.device-dispatcher");

    /// <inheritdoc/>
    protected override object? Do(NodeRun run, NodeCommand command)
    {
        switch (command)
        {
            case NodeCommand.Survey survey:
                return new RunCommand.FinishSurvey(run.Id, survey.Sets, [.. survey.Sets.Where(run.Blobs.IsWhole)]);
            case NodeCommand.TakeCheckpoint take:
                return new RunCommand.FinishCheckpoint(run.Id, CheckpointFiles.Take(run, take));
            case NodeCommand.Retain retain:
                CheckpointFiles.Retain(run.Paths.Checkpoints(run.Id), retain.Checkpoints);
                var freed = run.Blobs.Retain(retain.Sets, retain.Round);
                _log.Debug("run {0}: freed {1} bytes", run.Id, freed);
                return null;
            default:
                throw new UnreachableException($"not for the keeper: {command}");
        }
    }
}
