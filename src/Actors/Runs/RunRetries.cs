using Elastic.Foundation;
using Elastic.Messages;

namespace Elastic.Actors.Runs;

// How long RunsActor waits before it makes the supervisor of a run anew. Part of RunsActor: used on its mailbox only.
internal sealed class RunRetries(Backoff pause, TimeProvider time)
{
    // A supervisor that lasted so long could read and write its journal: what ended it is another failure than the one before it. It is
    // longer than the database is tried for, half a minute, so that one that never reached it does not count.
    private static readonly TimeSpan Lasting = TimeSpan.FromMinutes(1);

    private readonly Dictionary<RunId, (int Failures, long Made)> _runs = [];

    /// <summary>The run has a supervisor from now on.</summary>
    public void Made(RunId run) => _runs[run] = (_runs.GetValueOrDefault(run).Failures, time.GetTimestamp());

    /// <summary>The supervisor has ended.</summary>
    /// <returns>The pause before the next one.</returns>
    public TimeSpan Ended(RunId run)
    {
        var (failures, made) = _runs.GetValueOrDefault(run);
        if (time.GetElapsedTime(made) >= Lasting)
            failures = 0;
        _runs[run] = (failures + 1, made);
        return pause.After(failures);
    }

    /// <summary>The run is deleted.</summary>
    public void Forget(RunId run) => _runs.Remove(run);
}
