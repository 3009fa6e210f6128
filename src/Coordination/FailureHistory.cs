using Elastic.Messages;
using Elastic.Messages.Work;

namespace Elastic.Coordination;

/// <summary>Remembers which work failed how often, where and why; decides whether to try again, when, elsewhere, or to give up.</summary>
public sealed class FailureHistory
{
    private const int MostAttempts = 4;

    // So often in a row a node may fail to fetch what others hold: by then the bytes had time to come by way of a seed.
    private const int MostUnfetched = 3;

    private readonly Dictionary<WorkKey, List<(NodeId Node, string Why, WorkFailure Kind)>> _failed = [];
    private readonly Dictionary<InFlightWork, TimeSpan> _resting = [];
    private readonly Dictionary<NodeId, int> _unfetched = [];

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
        if (failed.Kind == WorkFailure.Lost)
            _unfetched[work.Node] = _unfetched.GetValueOrDefault(work.Node) + 1;
        // 0.5, 1, 2 s ... 16 s, and up to as much again.
        _resting[work] = now + TimeSpan.FromMilliseconds(250 * Math.Pow(2, Math.Min(all.Count, 6)) * (1 + chance));
        return all.Count;
    }

    /// <summary>How often a node has failed at this work.</summary>
    public int CountAt(WorkKey work, NodeId node) => _failed.TryGetValue(work, out var all) ? all.Count(f => f.Node == node) : 0;

    /// <summary>
    /// True when the node seems to be the cause: it failed more than once at this work without a known reason, so that its disk or a device
    /// may be broken, or it fetches nothing of what others hold.
    /// </summary>
    public bool IsStubborn(InFlightWork work) => _unfetched.GetValueOrDefault(work.Node) > MostUnfetched
        || (_failed.TryGetValue(work.Work, out var all) && all.Count(f => f.Node == work.Node && f.Kind == WorkFailure.Transient) > 1);

    /// <summary>
    /// True when nobody can do this work: two nodes reported the same permanent failure, so that neither of them is the cause.
    /// </summary>
    public bool IsHopeless(WorkKey work) => _failed.TryGetValue(work, out var all)
        && all.Where(f => f.Kind == WorkFailure.Permanent).GroupBy(f => f.Why).Any(g => g.Select(f => f.Node).Distinct().Count() > 1);

    /// <summary>True when this work has failed so often that a person who waits for it should look.</summary>
    public bool IsTedious(WorkKey work, int nodes) =>
        _failed.TryGetValue(work, out var all) && all.Count >= MostAttempts * Math.Max(1, nodes);

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
        _unfetched.Remove(node);
        foreach (var work in _resting.Keys.Where(w => w.Node == node).ToList())
            _resting.Remove(work);
    }

    /// <summary>Forgets the failures of work that has succeeded on a node.</summary>
    public void Succeeded(InFlightWork work)
    {
        _failed.Remove(work.Work);
        _unfetched.Remove(work.Node);
    }

    /// <summary>Forgets the failures of the rounds before this one.</summary>
    public void ForgetBefore(int round)
    {
        foreach (var over in _failed.Keys.Where(w => w.Number < round).ToList())
            _failed.Remove(over);
    }

    /// <summary>Forgets everything: a person has started the run again.</summary>
    public void Clear()
    {
        _failed.Clear();
        _resting.Clear();
        _unfetched.Clear();
    }
}
