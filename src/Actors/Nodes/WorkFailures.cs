using Elastic.Actors.Blobs;
using Elastic.Messages;
using Elastic.Messages.Nodes;

namespace Elastic.Actors.Nodes;

/// <summary>Turns an exception into what the supervisor, and in the end a person, needs to know.</summary>
internal static class WorkFailures
{
    public static NodeReport.WorkFailed Of(NodeId node, NodeCommand work, Exception cause) => Reason(cause) switch
    {
        var e when DiskSpace.IsExhausted(e) => new(node, work,
            $"the disk is full ({e.Message}): free some space, then give the same command again; nothing that was committed is lost", WorkFailure.Permanent),
        ElasticException e => new(node, work, e.Message, WorkFailure.Permanent),
        BlobLostException e => new(node, work, e.Message, WorkFailure.Lost),
        var e => new(node, work, $"{e.GetType().Name}: {e.Message}", WorkFailure.Transient),
    };

    // What we said ourselves says more than what lies beneath it.
    private static Exception Reason(Exception e) => e is AggregateException { InnerException: { } inner } ? Reason(inner) : e;
}
