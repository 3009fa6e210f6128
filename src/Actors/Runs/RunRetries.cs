using Elastic.Foundation;
using Elastic.Messages;
using Elastic.Messages.Runs;

namespace Elastic.Actors.Runs;

/// <summary>
/// How long RunsActor waits before it makes the supervisor of a run anew, and what is shown of the run meanwhile, and while the next one
/// reads the journal. Part of RunsActor: used on its mailbox only.
/// </summary>
/// <param name="goesOn">Supervisors are made anew; false in a process that trains alone, where a failure ends the run's training.</param>
internal sealed class RunRetries(Backoff pause, TimeProvider time, bool goesOn)
{
    // A supervisor that lasted so long could read and write its journal: what ended it is another failure than the one before it. It is
    // longer than the database is tried for, half a minute, so that one that never reached it does not count.
    private static readonly TimeSpan Lasting = TimeSpan.FromMinutes(1);

    // Some chance may have made a supervisor fail, e.g. the order of two messages, or memory that was short for a moment; what makes eight
    // in a row fail, over half a minute, waits for a person. A database that is away has no such bound: it comes back by itself.
    private const int MostBugs = 8;

    // As a rule the journal is read at once; while the database is away it lasts.
    private static readonly TimeSpan Soon = TimeSpan.FromSeconds(2);

    private readonly Dictionary<RunId, (int Failures, long Made)> _runs = [];
    private readonly HashSet<RunId> _reading = [];
    private readonly Dictionary<RunId, (int Count, string Why)> _bugs = [];
    private readonly Dictionary<RunId, (string Why, RunView? View)> _ended = [];

    /// <summary>The run has a supervisor from now on.</summary>
    public void Made(RunId run)
    {
        _runs[run] = (_runs.GetValueOrDefault(run).Failures, time.GetTimestamp());
        _reading.Add(run);
    }

    /// <summary>The supervisor has read the journal, and answers from now on.</summary>
    public void HasRead(RunId run) => _reading.Remove(run);

    /// <summary>True while the supervisor reads the journal: it answers nobody.</summary>
    public bool IsReading(RunId run) => goesOn && _reading.Contains(run);

    /// <summary>... and has been at it for so long that nobody should wait for its answer.</summary>
    public bool ReadsForLong(RunId run) => IsReading(run) && time.GetElapsedTime(_runs[run].Made) >= Soon;

    /// <summary>The supervisor has ended.</summary>
    /// <returns>The pause before the next one.</returns>
    public TimeSpan Ended(RunId run)
    {
        _reading.Remove(run);
        var (failures, made) = _runs.GetValueOrDefault(run);
        if (time.GetElapsedTime(made) >= Lasting)
        {
            failures = 0;
            if (_bugs.Remove(run, out var last))
                _bugs[run] = (1, last.Why);
        }

        _runs[run] = (failures + 1, made);
        return pause.After(failures);
    }

    /// <summary>The supervisor cannot go on, and ends.</summary>
    public void Failed(RunUnreadable run)
    {
        if (run.IsBug)
            _bugs[run.RunId] = (_bugs.GetValueOrDefault(run.RunId).Count + 1, run.Why);
        // One that could not read the journal has seen nothing; what the one before it saw is newer than nothing.
        _ended[run.RunId] = (run.Why, run.View ?? _ended.GetValueOrDefault(run.RunId).View);
    }

    /// <summary>
    /// What the last supervisor showed of a run that has none, or none that answers, and why it has ended; null where none has ended and
    /// none will be made. Without it a run would be gone while the database is away, and who begins to watch one that has failed would
    /// watch for ever.
    /// </summary>
    public RunView? View(RunId run)
    {
        var (why, last) = _ended.GetValueOrDefault(run);
        var view = last ?? new RunView { Name = run.Name, RunId = run, Phase = RunPhase.Waiting };
        if (goesOn)
            return view with
            {
                TokensPerSecond = 0,
                WaitsFor = $"its next supervisor, which {(IsReading(run) ? "reads the journal" : "is made in some seconds")}" +
                    (why is null ? "" : $": {why}"),
            };
        return why is null ? null : view with { Failure = view.Failure ?? why };
    }

    /// <summary>
    /// For who watches a run for which no supervisor is made, nor was one: the actor above it has begun anew in a process that trains
    /// alone.
    /// </summary>
    public static RunView Lost(RunId run) => new()
    {
        Name = run.Name,
        RunId = run,
        Phase = RunPhase.Waiting,
        Failure = "this process has lost the run's supervisor: give the same command again; nothing that was committed is lost",
    };

    /// <summary>Why the next supervisor only shows the run, until somebody starts it; null where it is to try again.</summary>
    public string? GivenUp(RunId run) =>
        _bugs.TryGetValue(run, out var bugs) && bugs.Count >= MostBugs ? $"{bugs.Why}; {bugs.Count} supervisors in a row failed" : null;

    /// <summary>The run is deleted.</summary>
    public void Forget(RunId run)
    {
        _runs.Remove(run);
        _reading.Remove(run);
        _bugs.Remove(run);
        _ended.Remove(run);
    }
}
