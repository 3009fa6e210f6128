using Elastic.Corpus;
using Elastic.Foundation;
using Elastic.Messages.Work;
using Elastic.Model.Training;
using Elastic.Storage;

namespace Elastic.Actors.Work;

/// <summary>Turns an exception into a reason for the supervisor, and in the end for a person.</summary>
internal static class WorkFailures
{
    private const int MostWords = 2000;

    public static WorkFailed Of(Exception cause)
    {
        var (why, kind) = Describe(Reason(cause));
        return new WorkFailed(why.Length > MostWords ? why[..MostWords] : why, kind);
    }

    private static (string Why, WorkFailure Kind) Describe(Exception cause) => cause switch
    {
        var e when DiskSpace.IsExhausted(e) => (
            $"the disk is full ({e.Message}): free some space on its machine; nothing that was committed is lost",
            WorkFailure.Exhausted),
        var e when OutOfMemory.Describe(e) is { } why => (why, WorkFailure.Exhausted),
        ElasticException { InnerException: { } inner } e when DiskSpace.IsExhausted(inner) => (e.Message, WorkFailure.Exhausted),
        SlowPageException e => (e.Message, WorkFailure.Transient),
        ElasticException e => (e.Message, WorkFailure.Permanent),
        BlobLostException e => (e.Message, WorkFailure.Lost),
        DeviceFailedException { InnerException: { } inner } e => (e.Message, Describe(inner).Kind),
        var e => ($"{e.GetType().Name}: {OutOfMemory.Sentence(e)}", WorkFailure.Transient),
    };

    // Unwraps AggregateException only: Elastic's own message says more than that of its inner exception.
    private static Exception Reason(Exception e) => e is AggregateException { InnerException: { } inner } ? Reason(inner) : e;
}
