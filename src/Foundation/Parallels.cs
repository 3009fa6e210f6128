using System.Runtime.ExceptionServices;

namespace Elastic.Foundation;

/// <summary>Work by several threads at once that fails as the work of one does.</summary>
public static class Parallels
{
    /// <summary>
    /// Does a piece of work for each number from 0. Where pieces fail, that is one exception, the first that a person can act on, and not
    /// one that wraps them all: a disk that fills under two threads is a full disk.
    /// </summary>
    /// <param name="count">Pieces.</param>
    /// <param name="threads">Pieces at once; -1 for as many as the runtime likes.</param>
    /// <exception cref="OperationCanceledException">It was ended.</exception>
    public static void For(int count, int threads, Action<int> work, CancellationToken cancel = default)
    {
        try
        {
            Parallel.For(0, count, new ParallelOptions { MaxDegreeOfParallelism = threads, CancellationToken = cancel }, work);
        }
        catch (AggregateException e)
        {
            var problems = e.Flatten().InnerExceptions;
            ExceptionDispatchInfo.Throw(problems.FirstOrDefault(p => p is ElasticException) ?? problems[0]);
        }
    }
}
