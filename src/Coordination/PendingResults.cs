using Elastic.Messages;
using Elastic.Messages.Work;

namespace Elastic.Coordination;

/// <summary>What an order means to a node that may have the same work in hand already.</summary>
public enum Taken
{
    /// <summary>It is new: begin.</summary>
    New,

    /// <summary>It takes the place of an older order of the same work, which is not wanted any more.</summary>
    Instead,

    /// <summary>It is in hand, or answered, already.</summary>
    Known,
}

// What a node has in hand, and what came of it until a supervisor says that it knows. A supervisor that died with an answer in its
// mailbox, or a connection that broke, thus loses nothing: the next one is told.
public sealed class PendingResults
{
    private readonly Dictionary<(JobId Job, WorkKey Key), (WorkOrder Order, WorkOutcome? Outcome)> _works = [];
    private readonly HashSet<(JobId, WorkKey)> _told = [];

    /// <summary>In hand, or finished and not acknowledged.</summary>
    public IEnumerable<HeldWork> Works => _works.Values.Select(w => new HeldWork(w.Order.Job, w.Order.Id, w.Order.Key, w.Order.From));

    /// <summary>Takes a piece of work in hand.</summary>
    public Taken TakeUp(WorkOrder order)
    {
        if (!_works.TryGetValue((order.Job, order.Key), out var known))
        {
            _works[(order.Job, order.Key)] = (order, null);
            return Taken.New;
        }

        // Of another version, or sums of other results: the newer order is the one that somebody waits for.
        var isOther = known.Order.From != order.From || WorkKinds.Find(order.Key.Kind) is { IsOfResults: true };
        if (!isOther || !IsNewer(order.Id, known.Order.Id))
            return Taken.Known;
        _works[(order.Job, order.Key)] = (order, null);
        return Taken.Instead;
    }

    /// <summary>What came of an order, where that is known and waits to be acknowledged.</summary>
    public WorkOutcome? OutcomeOf(WorkOrder order) =>
        _works.TryGetValue((order.Job, order.Key), out var known) && known.Order.From == order.From ? known.Outcome : null;

    /// <summary>What came of a piece of work; null where it was put down without a word.</summary>
    /// <returns>False when nobody waits for it any more: it was dropped, or given anew since.</returns>
    public bool Finish(WorkOrder order, WorkOutcome? outcome)
    {
        if (!_works.TryGetValue((order.Job, order.Key), out var asked) || asked.Order.Id != order.Id)
            return false;
        if (outcome is null)
            _works.Remove((order.Job, order.Key));
        else
            _works[(order.Job, order.Key)] = (order, outcome);
        return outcome is not null;
    }

    /// <summary>Answers that were not acknowledged since the last call.</summary>
    public IReadOnlyList<(WorkOrder Order, WorkOutcome Outcome)> Overdue()
    {
        var waiting = _works.Where(w => w.Value.Outcome is not null).ToList();
        var overdue = waiting.Where(w => !_told.Add(w.Key)).Select(w => (w.Value.Order, w.Value.Outcome!)).ToList();
        _told.IntersectWith(waiting.Select(w => w.Key));
        return overdue;
    }

    /// <summary>Nobody waits for it, or it was not begun and is not going to be.</summary>
    public void Drop(JobId job, WorkKey key) => _works.Remove((job, key));

    private static bool IsNewer(OrderId a, OrderId b) => (a.Term, a.Number).CompareTo((b.Term, b.Number)) > 0;
}
