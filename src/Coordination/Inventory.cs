using Elastic.Foundation;
using Elastic.Messages;
using Elastic.Messages.Nodes;
using Elastic.Messages.Work;

namespace Elastic.Coordination;

/// <summary>
/// Finds out which vector sets are intact, and on which nodes. Each node is surveyed when it enlists, and all of them again after a
/// loss. One intact copy is enough; a set counts as lost only when all nodes have answered and nodes that may still enlist have had
/// some time.
/// </summary>
public sealed class Inventory(TimeSpan patience, int mostDigests)
{
    // This round's results are soon computed again; a version is worth a longer wait.
    private const double ShareForWork = 0.2;

    // Starting over can wait much longer while a node that is away may hold a checkpoint.
    private const double ShareForAll = 20;

    // A node may take long to verify what it stores; lost messages are rare.
    private static readonly TimeSpan Overlong = TimeSpan.FromMinutes(1);

    // After so many surveys without an answer the run goes on without the node. Five minutes in all, and only where no other node has what
    // is lacking: rounds that are rolled back mostly cost more. That holds for a node in quarantine, too: what it stores has digests.
    private const int MostAskings = 5;

    // What a node was asked, and the parts of the answer that are still to come.
    private readonly Dictionary<NodeId, (OrderId Number, HashSet<int> Parts, TimeSpan Asked, int Askings)> _pending = [];
    private TimeSpan _since;

    /// <summary>Starts the wait for nodes before a judgement.</summary>
    public void Begin(TimeSpan now) => _since = now;

    /// <summary>Begins a survey of a node, and returns its messages.</summary>
    /// <param name="number">Number of this survey: an answer to an older one is ignored.</param>
    public IReadOnlyList<NodeCommand.Survey> Ask(RunState run, NodeId node, OrderId number, TimeSpan now)
    {
        var parts = Part.Cut([.. run.References()], mostDigests)
            .Select(p => new NodeCommand.Survey(run.Id, number, p.Items, p.Part)).ToList();
        _pending[node] = (number, [.. Enumerable.Range(0, parts.Count)], now, _pending.GetValueOrDefault(node).Askings + 1);
        return parts;
    }

    /// <summary>Nodes that have not answered for long, to be asked again.</summary>
    public IReadOnlyList<NodeId> Overdue(TimeSpan now) => [.. _pending.Where(p => now - p.Value.Asked > Overlong).Select(p => p.Key)];

    /// <summary>True when the node has left too many surveys unanswered.</summary>
    public bool IsMute(NodeId node) => _pending.GetValueOrDefault(node).Askings >= MostAskings;

    /// <summary>True while the node's answer is outstanding.</summary>
    public bool IsAwaited(NodeId node) => _pending.ContainsKey(node);

    /// <summary>Nodes that have not answered yet.</summary>
    public IEnumerable<NodeId> Awaited => _pending.Keys;

    public void Forget(NodeId node) => _pending.Remove(node);

    /// <summary>Notes what a node answered to the newest survey.</summary>
    public ClusterView Note(ClusterView view, NodeReport.Surveyed report)
    {
        if (!_pending.TryGetValue(report.Node, out var asked) || asked.Number != report.Number || !asked.Parts.Remove(report.Part.Index))
            return view;                                               // of an older survey, or a repeated part
        if (asked.Parts.Count == 0)
            _pending.Remove(report.Node);
        return view.Lack(report.Node, report.Asked.Except(report.Intact)).Hold(report.Node, report.Intact);
    }

    /// <summary>The judgement, when it can be made.</summary>
    /// <param name="isOnlyOfWhole">Nothing is to be taken for lost: the run has failed, and a person may bring what is lacking.</param>
    public CoordinatorCommand.FinishSurvey? Judge(RunState run, ClusterView view, TimeSpan now, bool isOnlyOfWhole = false)
    {
        if (view.Surveyed)
            return null;
        bool IsLost(Digest set) => view.HoldersOf(set).IsEmpty;
        var current = run.Current().ToArray();
        // Without a device nothing could be computed again.
        if (!isOnlyOfWhole && view.DeviceCount > 0 && _pending.Count == 0 && now - _since >= Loss(run, view).Share * patience)
        {
            Digest[] all = [.. run.References()];
            return new CoordinatorCommand.FinishSurvey(all, [.. all.Where(s => !IsLost(s))]);
        }

        return current.Any(IsLost) ? null : new CoordinatorCommand.FinishSurvey(current, current);
    }

    /// <summary>What the judgement waits for while no survey is outstanding, and what it will come to.</summary>
    public string WaitsFor(RunState run, ClusterView view, TimeSpan now)
    {
        var (share, lost, then) = Loss(run, view);
        if (view.DeviceCount == 0)
            return $"nodes that may hold what is lacking, or a node with a device: no node that is here has {lost}, and none can compute "
                + "it again";
        var left = share * patience - (now - _since);
        return $"nodes that may hold what is lacking: no node that is here has {lost}. Start the nodes that may have it; in "
            + $"{Math.Max(0, Math.Ceiling(left.TotalSeconds))} s {then}";
    }

    private static (double Share, string Lost, string Then) Loss(RunState run, ClusterView view)
    {
        bool IsLost(Digest set) => view.HoldersOf(set).IsEmpty;
        if (!run.InnerStates.Concat(run.Version is { } version ? [version] : []).Any(IsLost))
            return (ShareForWork, "all results of this round", "they are computed again");
        return run.Checkpoints.LastOrDefault(c => !IsLost(c.Parameters) && !c.InnerStates.Any(IsLost)) is { } checkpoint
            ? (1, $"version {run.Round} whole", $"the run goes on from the checkpoint of round {checkpoint.Version}")
            : (run.Checkpoints.IsEmpty ? 1 : ShareForAll, $"version {run.Round} or a checkpoint whole",
                "the run begins at its beginning, to the same weights");
    }
}
