using Elastic.Foundation;
using Elastic.Messages.Runs;
using Elastic.Storage;
using Elastic.Transfer;

namespace Elastic.Actors.Control;

/// <summary>
/// Asks the supervisors about a job of this process, which keeps what the job needs and serves it; the supervisors give its pieces to
/// nodes. Whichever supervisors are lost, the job goes on while this process lives. Not thread-safe.
/// </summary>
/// <typeparam name="TView">The answer: how far the job is.</typeparam>
/// <param name="ask">Asks the supervisors, once, and waits so long for the answer.</param>
/// <param name="blobs">What this process serves.</param>
/// <param name="folder">Holds what the job needs.</param>
/// <param name="end">The last request.</param>
/// <param name="say">Is told what the job waits for, when that changes.</param>
internal sealed class JobAsker<TView>(
    Func<JobRequest, TimeSpan, CancellationToken, Task<TView>> ask, BlobLocations blobs, string folder, JobRequest end, Action<string> say)
    : IDisposable where TView : class
{
    /// <summary>The time between two requests of which the first brought nothing.</summary>
    public static readonly TimeSpan BetweenQuestions = TimeSpan.FromMilliseconds(200);

    // Longer than a supervisor takes to move to another seed.
    private static readonly TimeSpan Deadline = TimeSpan.FromMinutes(2);
    private static readonly TimeSpan EndDeadline = TimeSpan.FromSeconds(5);

    private string? _waits;

    /// <summary>What the job needs; served until this is disposed of.</summary>
    public BlobStore Store { get; } = Serve(blobs, folder);

    /// <summary>Asks once. Null where nobody answers: what the nodes have done, they keep.</summary>
    public async Task<TView?> AskAsync(JobRequest request, CancellationToken cancel)
    {
        try
        {
            return await ask(request, Deadline, cancel);
        }
        catch (UnavailableException e)
        {
            WaitFor($"the supervisors: {e.Message}");
            return null;
        }
    }

    /// <summary>Says what the job waits for, if that is something else than before.</summary>
    /// <param name="what">Null where it waits for nothing.</param>
    public void WaitFor(string? what)
    {
        if (what is not null && what != _waits)
            say($"waits for {what}");
        _waits = what;
    }

    /// <summary>Ends the job. Where nobody answers, nodes and supervisors end it by themselves.</summary>
    public async Task EndAsync()
    {
        try
        {
            await ask(end, EndDeadline, CancellationToken.None);
        }
        catch (UnavailableException)
        {
            // They notice that nobody asks any more.
        }
    }

    /// <summary>Removes what the job needed.</summary>
    public void Dispose()
    {
        blobs.Remove(Store);
        Directory.Delete(folder, recursive: true);
    }

    private static BlobStore Serve(BlobLocations blobs, string folder)
    {
        var store = new BlobStore(folder);
        blobs.Add(store);
        return store;
    }
}
