using Elastic.Messages;
using Elastic.Messages.Nodes;

namespace Elastic.Coordination;

// Which work failed how often, where and why: whether to try again, or elsewhere, or to give up.
public sealed class Failures
{
    private const int MostAttempts = 4;

    private readonly Dictionary<WorkKey, List<(NodeId Node, string Why, WorkFailure Kind)>> _failed = [];
    private readonly HashSet<Holding> _resting = [];

    /// <summary>True while this work is not to be given out, so that it fails less often.</summary>
    public bool IsResting(Holding work) => _resting.Contains(work);

    /// <summary>Takes note of a failure.</summary>
    /// <returns>How often this work has failed.</returns>
    public int Note(Holding work, string why, WorkFailure kind)
    {
        _resting.Add(work);
        if (!_failed.TryGetValue(work.Work, out var all))
            _failed[work.Work] = all = [];
        all.Add((work.Node, why, kind));
        return all.Count;
    }

    /// <summary>True when a node fails at this work again and again for no reason that it can name: a disk or a device may be broken.</summary>
    public bool IsStubborn(Holding work) =>
        _failed.TryGetValue(work.Work, out var all) && all.Count(f => f.Node == work.Node && f.Kind == WorkFailure.Transient) > 1;

    /// <summary>
    /// True when trying again cannot help: it was tried often enough, or two nodes found the same thing wrong, so that it is not a node's
    /// fault.
    /// </summary>
    public bool IsHopeless(WorkKey work, int nodes) => _failed.TryGetValue(work, out var all)
        && (all.Count >= MostAttempts * Math.Max(1, nodes)
            || all.Where(f => f.Kind == WorkFailure.Permanent).GroupBy(f => f.Why).Any(g => g.Select(f => f.Node).Distinct().Count() > 1));

    /// <summary>The work may be given out again.</summary>
    /// <returns>False when it was forgotten meanwhile.</returns>
    public bool Wake(Holding work) => _resting.Remove(work);

    /// <summary>A node that is gone does not try again.</summary>
    public void Forget(NodeId node) => _resting.RemoveWhere(w => w.Node == node);

    /// <summary>It worked.</summary>
    public void Succeeded(WorkKey work) => _failed.Remove(work);

    /// <summary>Somebody says that all is well now.</summary>
    public void Clear()
    {
        _failed.Clear();
        _resting.Clear();
    }
}
