using Akka.Actor;
using Elastic.Messages.Nodes;

namespace Elastic.Actors.Nodes;

/// <summary>Work on a run's blobs for an actor with a thread of its own.</summary>
internal sealed record BlobWork(NodeRun Run, NodeCommand Command) : INoSerializationVerificationNeeded;

/// <summary>What came of it; a null result where nobody waits for one.</summary>
internal sealed record BlobWorkEnded(NodeCommand Command, object? Result) : INoSerializationVerificationNeeded;

/// <summary>
/// Does a node's work on blobs, one piece after the other, on a thread of its own: reading, hashing and flushing block. What is
/// on other nodes is fetched first. A failure is an answer too.
/// </summary>
internal abstract class BlobActor : ReceiveActor
{
    protected BlobActor() => ReceiveAsync<BlobWork>(async work =>
    {
        var asker = Sender;
        object? result;
        try
        {
            result = await DoAsync(work.Run, work.Command);
        }
        catch (Exception e)
        {
            result = WorkFailures.Of(work.Run.Node, work.Command, e);
        }

        asker.Tell(new BlobWorkEnded(work.Command, result));
    });

    /// <summary>Does it and says what came of it; null where nobody waits for an answer.</summary>
    protected abstract Task<object?> DoAsync(NodeRun run, NodeCommand command);
}
