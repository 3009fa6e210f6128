using Elastic.Actors.Blobs;
using Elastic.Messages;
using Elastic.Messages.Nodes;

namespace Elastic.Actors.Nodes;

/// <summary>Turns an exception into what the supervisor, and in the end a person, needs to know.</summary>
internal static class WorkFailures
{
    private const int NoSpaceLinux = 28;                                  // ENOSPC
    private const int NoSpaceWindows = unchecked((int)0x80070070);        // ERROR_DISK_FULL

    public static NodeReport.WorkFailed Of(NodeId node, NodeCommand work, Exception cause) => cause switch
    {
        _ when IsDiskFull(cause) => new(node, work,
            $"the disk is full ({cause.Message}): free some space, then give the same command again; nothing that was committed is lost", WorkFailure.Permanent),
        ElasticException => new(node, work, cause.Message, WorkFailure.Permanent),
        BlobLostException => new(node, work, cause.Message, WorkFailure.Lost),
        _ => new(node, work, $"{cause.GetType().Name}: {cause.Message}", WorkFailure.Transient),
    };

    private static bool IsDiskFull(Exception e) =>
        e is IOException io && ((io.HResult & 0xFFFF) == NoSpaceLinux || io.HResult == NoSpaceWindows || io.Message.Contains("No space left", StringComparison.Ordinal));
}
