using Elastic.Messages;
using Elastic.Messages.Work;

namespace Elastic.Coordination;

// Which work failed how often, where and why: whether to try again, when, elsewhere, or to give up.
public sealed class FailureHistory
{
    private const int MostAttempts = 4;

    private readonly Dictionary<WorkKey, List<(NodeId Node, string Why, WorkFailure Kind)>> _failed = [];
    private readonly Dictionary<InFlightWork, TimeSpan> _resting = [];

    /// <summary>True while this work is not to be given out, so that it fails less often.</summary>
    public bool IsResting(InFlightWork work) => _resting.ContainsKey(work);

    /// <summary>Takes note of a failure.</summary>
    /// <param name="chance">From 0 to 1: nodes that failed together do not come back together.</param>
    /// <returns>How often this work has failed.</returns>
    public int Note(InFlightWork work, WorkFailed failed, TimeSpan now, double chance)
    {
        if (!_failed.TryGetValue(work.Work, out var all))
            _failed[work.Work] = all = [];
        all.Add((work.Node, failed.Why, failed.Kind));
        // 0.5, 1, 2 s and up to as much again.
        _resting[work] = now + TimeSpan.FromMilliseconds(250 * Math.Pow(2, Math.Min(all.Count, 6)) * (1 + chance));
        return all.Count;
    }

    /// <summary>True when a node fails at this work again and again for no reason that it can name: a disk or a device may be broken.</summary>
    public bool IsStubborn(InFlightWork work) =>
        _failed.TryGetValue(work.Work, out var all) && all.Count(f => f.Node == work.Node && f.Kind == WorkFailure.Transient) > 1;

    /// <summary>
    /// True when trying again cannot help: it was tried often enough, or two nodes found the same thing wrong, so that it is not a node's
    /// fault.
    /// </summary>
    public bool IsHopeless(WorkKey work, int nodes) => _failed.TryGetValue(work, out var all)
        && (all.Count >= MostAttempts * Math.Max(1, nodes)
            || all.Where(f => f.Kind == WorkFailure.Permanent).GroupBy(f => f.Why).Any(g => g.Select(f => f.Node).Distinct().Count() > 1));

    /// <summary>Work that rested long enough: it may be given out again.</summary>
    public IReadOnlyList<InFlightWork> Wake(TimeSpan now)
    {
        var awake = _resting.Where(r => r.Value <= now).Select(r => r.Key).ToList();
        awake.ForEach(work => _resting.Remove(work));
        return awake;
    }

    /// <summary>A node that is gone does not try again.</summary>
    public void Forget(NodeId node)
    {
        foreach (var work in _resting.Keys.Where(w => w.Node == node).ToList())
            _resting.Remove(work);
    }

    /// <summary>It worked.</summary>
    public void Succeeded(WorkKey work) => _failed.Remove(work);

    /// <summary>Somebody says that all is well now.</summary>
    public void Clear()
    {
        _failed.Clear();
        _resting.Clear();
    }
}
