using Elastic.Foundation;
using Elastic.Messages;
using Elastic.Messages.Nodes;
using Elastic.Messages.Work;

namespace Elastic.Coordination;

// Finds out what is still whole, and where. Every node is asked when it comes, and all of them again when something turns out to be
// lost. Whole on one node is enough; that something is lost is believed only when all have answered and those that may still be on
// their way have had some time.
public sealed class Inventory(TimeSpan patience)
{
    // This round's results are soon made again; for a version it is worth to wait.
    private const double ShareForWork = 0.2;

    // To begin at the very beginning while a checkpoint may be on a node that is away: that can wait much longer.
    private const double ShareForAll = 20;

    // Reading through what a node stores may take a while; that a message was lost is rare.
    private static readonly TimeSpan Overlong = TimeSpan.FromMinutes(1);

    // After so many askings without an answer a node is left out: nobody is to wait for it for ever.
    private const int MostAskings = 5;

    // What a node was asked, and the parts of the answer that are still to come.
    private readonly Dictionary<NodeId, (OrderId Number, HashSet<int> Parts, TimeSpan Asked, int Askings)> _pending = [];
    private TimeSpan _since;

    /// <summary>A judgement is needed from now on.</summary>
    public void Begin(TimeSpan now) => _since = now;

    /// <summary>What to ask a node.</summary>
    /// <param name="number">Of this survey: an answer to an older one counts for nothing.</param>
    public IReadOnlyList<NodeCommand.Survey> Ask(RunState run, NodeId node, OrderId number, TimeSpan now)
    {
        var parts = Part.Cut([.. run.References()], Part.MostDigests).Select(p => new NodeCommand.Survey(run.Id, number, p.Items, p.Part)).ToList();
        _pending[node] = (number, [.. Enumerable.Range(0, parts.Count)], now, _pending.GetValueOrDefault(node).Askings + 1);
        return parts;
    }

    /// <summary>Nodes that have not answered for long: they are to be asked again.</summary>
    public IReadOnlyList<NodeId> Overdue(TimeSpan now) => [.. _pending.Where(p => now - p.Value.Asked > Overlong).Select(p => p.Key)];

    /// <summary>True when the node was asked often enough.</summary>
    public bool IsMute(NodeId node) => _pending.GetValueOrDefault(node).Askings >= MostAskings;

    /// <summary>True while it is not known what the node has.</summary>
    public bool IsAwaited(NodeId node) => _pending.ContainsKey(node);

    /// <summary>Nodes that have not answered yet.</summary>
    public IEnumerable<NodeId> Awaited => _pending.Keys;

    public void Forget(NodeId node) => _pending.Remove(node);

    /// <summary>What a node answered to the newest survey.</summary>
    public ClusterView Note(ClusterView view, NodeReport.Surveyed report)
    {
        if (!_pending.TryGetValue(report.Node, out var asked) || asked.Number != report.Number || !asked.Parts.Remove(report.Part.Index))
            return view;                                               // of an older one, or told before
        if (asked.Parts.Count == 0)
            _pending.Remove(report.Node);
        return view.Lack(report.Node, report.Asked.Except(report.Intact)).Hold(report.Node, report.Intact);
    }

    /// <summary>The judgement, when it can be made.</summary>
    public CoordinatorCommand.FinishSurvey? Judge(RunState run, ClusterView view, TimeSpan now)
    {
        if (view.Surveyed || view.DeviceCount == 0)
            return null;                                               // nobody is there who could make anything again
        bool IsLost(Digest set) => view.HoldersOf(set).IsEmpty;
        var current = run.Current().ToArray();
        var essential = run.InnerStates.Concat(run.Version is { } version ? [version] : []).Any(IsLost);
        var hasCheckpoint = run.Checkpoints.Any(c => !IsLost(c.Parameters) && !c.InnerStates.Any(IsLost));
        var share = !essential ? ShareForWork : hasCheckpoint || run.Checkpoints.IsEmpty ? 1 : ShareForAll;
        if (_pending.Count == 0 && now - _since >= share * patience)
        {
            Digest[] all = [.. run.References()];
            return new CoordinatorCommand.FinishSurvey(all, [.. all.Where(s => !IsLost(s))]);
        }

        return current.Any(IsLost) ? null : new CoordinatorCommand.FinishSurvey(current, current);
    }
}
