using Elastic.Foundation;
using Elastic.Messages;
using Elastic.Messages.Nodes;
using Elastic.Storage;

namespace Elastic.Actors.Nodes;

/// <summary>Turns an exception into what the supervisor, and in the end a person, needs to know.</summary>
internal static class WorkFailures
{
    private const int MostWords = 2000;

    public static NodeReport.WorkFailed Of(NodeId node, NodeCommand work, Exception cause)
    {
        var (why, kind) = Of(Reason(cause));
        return new NodeReport.WorkFailed(node, Slim(work), why.Length > MostWords ? why[..MostWords] : why, kind);
    }

    private static (string Why, WorkFailure Kind) Of(Exception cause) => cause switch
    {
        var e when DiskSpace.IsExhausted(e) => (
            $"the disk is full ({e.Message}): free some space, then give the same command again; nothing that was committed is lost", WorkFailure.Permanent),
        ElasticException e => (e.Message, WorkFailure.Permanent),
        BlobLostException e => (e.Message, WorkFailure.Lost),
        var e => ($"{e.GetType().Name}: {e.Message}", WorkFailure.Transient),
    };

    // Without what is large about it: the message is to stay small, and the work's name is all that is needed.
    private static NodeCommand Slim(NodeCommand work) => work switch
    {
        NodeCommand.Assemble c => c with { Chunks = [] },
        NodeCommand.AverageChunks c => c with { Contributions = [] },
        NodeCommand.TakeCheckpoint c => c with { InnerStates = [] },
        _ => work,
    };

    // What we said ourselves says more than what lies beneath it.
    private static Exception Reason(Exception e) => e is AggregateException { InnerException: { } inner } ? Reason(inner) : e;
}
