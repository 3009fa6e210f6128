using Elastic.Messages;
using Elastic.Messages.Work;

namespace Elastic.Coordination;

// Remembers which work failed how often, where and why; decides whether to try again, when, elsewhere, or to give up.
public sealed class FailureHistory
{
    private const int MostAttempts = 4;

    private readonly Dictionary<WorkKey, List<(NodeId Node, string Why, WorkFailure Kind)>> _failed = [];
    private readonly Dictionary<InFlightWork, TimeSpan> _resting = [];

    /// <summary>True while the work rests on this node after a failure, before it is tried again.</summary>
    public bool IsResting(InFlightWork work) => _resting.ContainsKey(work);

    /// <summary>Notes a failure, and lets the work rest on that node.</summary>
    /// <param name="chance">From 0 to 1: keeps nodes that failed together from trying again together.</param>
    /// <returns>How often this work has failed.</returns>
    public int Note(InFlightWork work, WorkFailed failed, TimeSpan now, double chance)
    {
        if (!_failed.TryGetValue(work.Work, out var all))
            _failed[work.Work] = all = [];
        all.Add((work.Node, failed.Why, failed.Kind));
        // 0.5, 1, 2 s ... 16 s, and up to as much again.
        _resting[work] = now + TimeSpan.FromMilliseconds(250 * Math.Pow(2, Math.Min(all.Count, 6)) * (1 + chance));
        return all.Count;
    }

    /// <summary>True when a node failed more than once at this work without a known cause: its disk or a device may be broken.</summary>
    public bool IsStubborn(InFlightWork work) =>
        _failed.TryGetValue(work.Work, out var all) && all.Count(f => f.Node == work.Node && f.Kind == WorkFailure.Transient) > 1;

    /// <summary>
    /// True when trying again cannot help: it was tried often enough, or two nodes reported the same permanent failure, so that the node is
    /// not the cause.
    /// </summary>
    public bool IsHopeless(WorkKey work, int nodes) => _failed.TryGetValue(work, out var all)
        && (all.Count >= MostAttempts * Math.Max(1, nodes)
            || all.Where(f => f.Kind == WorkFailure.Permanent).GroupBy(f => f.Why).Any(g => g.Select(f => f.Node).Distinct().Count() > 1));

    /// <summary>Ends the rests that are over. Returns their work, which may be given out again.</summary>
    public IReadOnlyList<InFlightWork> Wake(TimeSpan now)
    {
        var awake = _resting.Where(r => r.Value <= now).Select(r => r.Key).ToList();
        awake.ForEach(work => _resting.Remove(work));
        return awake;
    }

    /// <summary>Ends the rests on a node that is gone.</summary>
    public void Forget(NodeId node)
    {
        foreach (var work in _resting.Keys.Where(w => w.Node == node).ToList())
            _resting.Remove(work);
    }

    /// <summary>Forgets the failures of work that has succeeded.</summary>
    public void Succeeded(WorkKey work) => _failed.Remove(work);

    /// <summary>Forgets everything: a person has started the run again.</summary>
    public void Clear()
    {
        _failed.Clear();
        _resting.Clear();
    }
}
