using Akka.Actor;
using Elastic.Messages.Nodes;

namespace Elastic.Actors.Nodes;

/// <summary>Work on a run's blobs for an actor with a thread of its own.</summary>
internal sealed record BlobWork(NodeRun Run, NodeCommand Command) : INoSerializationVerificationNeeded;

/// <summary>
/// Does a node's work on blobs, one piece after the other, on a thread of its own: reading, hashing and flushing block.
/// The answer goes to whoever asked; a failure is an answer too.
/// </summary>
internal abstract class BlobActor : ReceiveActor
{
    protected BlobActor() => Receive<BlobWork>(work =>
    {
        try
        {
            if (Do(work.Run, work.Command) is { } answer)
                Sender.Tell(answer, Context.Parent);
        }
        catch (Exception e)
        {
            Sender.Tell(WorkFailures.Of(work.Run.Node, work.Command, e), Context.Parent);
        }
    });

    /// <summary>Does it and says what came of it; null where nobody waits for an answer.</summary>
    protected abstract object? Do(NodeRun run, NodeCommand command);
}
