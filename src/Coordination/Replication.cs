using Elastic.Foundation;
using Elastic.Messages;
using Elastic.Messages.Work;

namespace Elastic.Coordination;

/// <summary>
/// Decides what must be copied, so that the loss of a node loses nothing committed: the version, the inner states and those of this
/// round's results are to be on two nodes. Contributions and hand-overs stay on the node that made them: they are made again when it
/// dies, and copied before it leaves.
/// </summary>
public static class Replication
{
    /// <summary>The copies to order now.</summary>
    /// <param name="failuresAt">How often a node has failed at this work: others come first.</param>
    public static IEnumerable<(WorkKey Key, NodeId Node, Digest Set)> Due(
        RunState run, ClusterView view, Func<WorkKey, NodeId, int> failuresAt)
    {
        var seeds = view.Staying.Where(n => view.Nodes[n].Seed).ToHashSet();
        var copying = view.InFlight.Keys.Where(w => w.Work.Kind == CopyWork.Kind.Name).ToList();
        var busy = copying.GroupBy(w => w.Node).ToDictionary(g => g.Key, g => g.Count());
        var underWay = copying.Select(w => w.Work).ToHashSet();
        foreach (var (copy, set, wanted) in Wanted(run, view))
        {
            var key = CopyWork.KeyOf(run.Round, copy);
            var holders = view.HoldersOf(set);
            if (holders.IsEmpty || underWay.Contains(key))
                continue;
            // While bytes go by way of seeds, one of them has to have everything first.
            var lacksRelay = view.Relays && seeds.Count > 0 && !seeds.Any(holders.Contains);
            if (!lacksRelay && view.Staying.Count(holders.Contains) >= wanted)
                continue;
            var target = (lacksRelay ? seeds : view.Staying).Where(n => !holders.Contains(n)).Order(view.Nodes.KeyComparer).Cast<NodeId?>()
                .MinBy(n => (failuresAt(key, n!.Value), busy.GetValueOrDefault(n.Value)));
            if (target is not { } node)
                continue;
            busy[node] = busy.GetValueOrDefault(node) + 1;
            yield return (key, node, set);
        }
    }

    /// <summary>Results and hand-overs of this round that no node holds any more.</summary>
    public static CoordinatorCommand.LoseWork? Lost(RunState run, ClusterView view)
    {
        if (!view.Surveyed || view.Nodes.IsEmpty)
            return null;
        int[] lost =
        [
            .. run.Finished.Values.Where(r => view.HoldersOf(r.Contribution).IsEmpty || view.HoldersOf(r.InnerState).IsEmpty)
                .Select(r => r.Replica),
            .. run.HandedOver.Values.Where(h => view.HoldersOf(h.State).IsEmpty).Select(h => h.Replica),
        ];
        return lost.Length == 0
            ? null
            : new CoordinatorCommand.LoseWork(run.Round, lost, $"{lost.Length} results of round {run.Round} were on nodes that are gone");
    }

    /// <summary>
    /// True when nothing is in flight on the node, and the run needs nothing that only this node holds or no other node stays.
    /// </summary>
    /// <param name="isInNoHurry">The node waits until another one is there that takes what only it holds.</param>
    public static bool CanGo(RunState run, ClusterView view, NodeId node, bool isInNoHurry = false)
    {
        var staying = view.Staying.Where(n => n != node).ToList();
        return view.InFlight.Keys.All(w => w.Node != node)
               && ((staying.Count == 0 && !isInNoHurry)
                   || Wanted(run, view).All(w =>
                       !view.HoldersOf(w.Set).Contains(node) || staying.Count(view.HoldersOf(w.Set).Contains) >= w.Copies));
    }

    // Each set with its number within the round, which names the copy.
    private static IEnumerable<(int Copy, Digest Set, int Copies)> Wanted(RunState run, ClusterView view)
    {
        const int kinds = 4;
        if (run.Version is { } version)
            yield return (0, version, view.Copies);
        for (var replica = 0; replica < run.InnerStates.Count; replica++)
            yield return (1 + kinds * replica, run.InnerStates[replica], view.Copies);
        foreach (var r in run.Finished.Values)
        {
            yield return (2 + kinds * r.Replica, r.InnerState, view.Copies);
            yield return (3 + kinds * r.Replica, r.Contribution, 1);
        }

        foreach (var h in run.HandedOver.Values)
            yield return (4 + kinds * h.Replica, h.State, 1);
    }
}
