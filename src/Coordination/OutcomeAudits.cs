using Elastic.Messages;
using Elastic.Messages.Work;

namespace Elastic.Coordination;

/// <summary>
/// The outcomes of audited work other than replicas' rounds: sums, scores and version 0. None counts before two nodes have come to the
/// same. They are cheap, so that a supervisor that takes over has them done again: nothing of this is stored.
/// </summary>
public sealed class OutcomeAudits
{
    private readonly Dictionary<WorkKey, List<WorkResult>> _results = [];

    /// <summary>Nodes that have answered.</summary>
    public IEnumerable<NodeId> VotersOf(WorkKey key) => _results.TryGetValue(key, out var all) ? all.Select(r => r.Node) : [];

    /// <summary>True while two nodes have come to different outcomes and no third one has settled it.</summary>
    public bool IsDisputed(WorkKey key) => _results.TryGetValue(key, out var all) && all.Select(Bytes).Distinct().Count() > 1;

    /// <summary>Notes an outcome; a node's first one counts. True when two nodes have come to this one.</summary>
    public bool Note(WorkResult result)
    {
        if (!_results.TryGetValue(result.Key, out var all))
            _results[result.Key] = all = [];
        if (all.All(r => r.Node != result.Node))
            all.Add(result);
        return all.Count(r => Bytes(r) == Bytes(result)) > 1;
    }

    /// <summary>Nodes that came to another outcome than this one.</summary>
    public IReadOnlyList<NodeId> OutvotedBy(WorkResult result) =>
        _results.TryGetValue(result.Key, out var all) ? [.. all.Where(r => Bytes(r) != Bytes(result)).Select(r => r.Node)] : [];

    /// <summary>Outcomes that wait for a second node, and that no other node has contradicted.</summary>
    public IReadOnlyList<WorkResult> Single() => [.. _results.Values.Where(all => all.Count == 1).Select(all => all[0])];

    /// <summary>Forgets a piece of work that is settled.</summary>
    public void Forget(WorkKey key) => _results.Remove(key);

    /// <summary>Forgets everything: what it was about counts no more.</summary>
    public void Clear() => _results.Clear();

    /// <summary>Forgets what a node has answered: the node is not believed, or gone.</summary>
    public void Forget(NodeId node)
    {
        foreach (var (key, all) in _results.ToList())
            if (all.RemoveAll(r => r.Node == node) > 0 && all.Count == 0)
                _results.Remove(key);
    }

    private static string Bytes(WorkResult result) => WorkKinds.Of(result.Key).BytesOf(result.Outcome);
}
