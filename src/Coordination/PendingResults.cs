using Elastic.Messages;
using Elastic.Messages.Work;

namespace Elastic.Coordination;

/// <summary>What an order means to a node that may have the same work already.</summary>
public enum Taken
{
    /// <summary>It is new: begin.</summary>
    New,

    /// <summary>It replaces an older order of the same work, which is no longer needed.</summary>
    Instead,

    /// <summary>The work is in flight, or answered, already.</summary>
    Known,
}

/// <summary>
/// The work in flight on a node, and its results until a supervisor acknowledges them. So neither a supervisor that died with a result
/// in its mailbox nor a broken connection loses a result: the node repeats it.
/// </summary>
public sealed class PendingResults
{
    private readonly Dictionary<(JobId Job, WorkKey Key), (WorkOrder Order, WorkOutcome? Outcome)> _works = [];
    private readonly HashSet<(JobId, WorkKey)> _told = [];

    /// <summary>All work that is in flight, or finished and not acknowledged.</summary>
    public IEnumerable<HeldWork> Works => _works.Values.Select(w => Of(w.Order));

    /// <summary>An order as the heartbeat names it.</summary>
    public static HeldWork Of(WorkOrder order) => new(order.Job, order.Id, order.Key, order.From, ComputeWork.Of(order.Content)?.Attempt);

    /// <summary>True while a result of a job, made on devices, is not acknowledged.</summary>
    public bool IsAwaited(JobId job) => _works.Values.Any(w =>
        w.Order.Job == job && w.Outcome is not null && WorkKinds.Find(w.Order.Key.Kind) is { OccupiesDevices: true });

    /// <summary>Takes an order up, unless the same work is known.</summary>
    public Taken TakeUp(WorkOrder order)
    {
        if (!_works.TryGetValue((order.Job, order.Key), out var known))
        {
            _works[(order.Job, order.Key)] = (order, null);
            return Taken.New;
        }

        // Of another version, or sums of other results, or with other nodes: only the newer order is still needed.
        var isOther = known.Order.From != order.From || WorkKinds.Find(order.Key.Kind) is { IsOfResults: true }
            || (known.Outcome is not (Computed or HandedOver) && AreOfOtherNodes(known.Order, order));
        if (!isOther || !order.Id.IsAfter(known.Order.Id))
            return Taken.Known;
        _works[(order.Job, order.Key)] = (order, null);
        return Taken.Instead;
    }

    /// <summary>The outcome of an order, while it is not acknowledged; null where there is none.</summary>
    public WorkOutcome? OutcomeOf(WorkOrder order) =>
        _works.TryGetValue((order.Job, order.Key), out var known) && known.Order.From == order.From
            && (known.Outcome is Computed or HandedOver || !AreOfOtherNodes(known.Order, order)) ? known.Outcome : null;

    // Why an attempt at a replica with other nodes failed says nothing of the next one; what it came to does.
    private static bool AreOfOtherNodes(WorkOrder one, WorkOrder other) =>
        ComputeWork.Of(one.Content)?.Attempt != ComputeWork.Of(other.Content)?.Attempt;

    /// <summary>Notes the outcome of a piece of work; null where the work ended without one.</summary>
    /// <returns>False when there is nothing to report: no outcome, or the order was dropped or replaced.</returns>
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

    /// <summary>Results that were there at the last call and are not acknowledged since.</summary>
    public IReadOnlyList<(WorkOrder Order, WorkOutcome Outcome)> Overdue()
    {
        var waiting = _works.Where(w => w.Value.Outcome is not null).ToList();
        var overdue = waiting.Where(w => !_told.Add(w.Key)).Select(w => (w.Value.Order, w.Value.Outcome!)).ToList();
        _told.IntersectWith(waiting.Select(w => w.Key));
        return overdue;
    }

    /// <summary>Forgets work that is no longer needed, or that will not begin.</summary>
    public void Drop(JobId job, WorkKey key) => _works.Remove((job, key));
}
