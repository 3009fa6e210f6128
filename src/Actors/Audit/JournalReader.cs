using Akka.Persistence;
using Elastic.Foundation;
using Elastic.Messages;
using Elastic.Messages.Runs;

namespace Elastic.Actors.Audit;

/// <summary>Reads a run's journal without adding to it: replays it into a list and ends.</summary>
internal sealed class JournalReader : ReceivePersistentActor
{
    private readonly TaskCompletionSource<IReadOnlyList<RunEvent>> _result;
    private readonly List<RunEvent> _events = [];

    /// <param name="result">Gets all events of the run, oldest first; none when there is no such run.</param>
    public JournalReader(RunId run, TaskCompletionSource<IReadOnlyList<RunEvent>> result)
    {
        (PersistenceId, _result) = ($"run-{run}", result);
        Recover<RunEvent>(e =>
        {
            _events.Add(e);
            if (LastSequenceNr != _events.Count)
                _result.TrySetException(new ElasticException(
                    $"the journal of run {run} has a gap: event {_events.Count} is missing; it was tampered with or damaged, restore journal.db from a copy"));
        });
        Recover<RecoveryCompleted>(_ =>
        {
            _result.TrySetResult(_events);
            Context.Stop(Self);
        });
    }

    /// <inheritdoc/>
    public override string PersistenceId { get; }

    /// <inheritdoc/>
    protected override void OnRecoveryFailure(Exception reason, object? message = null) =>
        _result.TrySetException(new ElasticException(
            $"the journal cannot be read after event {_events.Count} ({reason.GetBaseException().Message}): " +
            "it was tampered with or damaged, restore journal.db from a copy", reason));
}
