using Elastic.Foundation;
using Elastic.Messages;
using Elastic.Messages.Nodes;
using Elastic.Messages.Runs;

namespace Elastic.Coordination;

// What must be where, so that the loss of a node loses nothing that was committed: the version and the inner states on two nodes. What
// is of this round only is on the node that made it, and is made again when that one dies; a node that leaves passes it on first.
public static class Replication
{
    /// <summary>Copies to be made now.</summary>
    public static IEnumerable<(WorkKey Key, NodeId Node, NodeCommand Command)> Due(RunState run, Fleet fleet)
    {
        var copying = fleet.InHand.Keys.Where(w => w.Work.Kind == WorkKind.Copy).ToList();
        var busy = copying.GroupBy(w => w.Node).ToDictionary(g => g.Key, g => g.Count());
        var underWay = copying.Select(w => w.Work).ToHashSet();
        foreach (var (copy, set, wanted) in Wanted(run, fleet))
        {
            var key = new WorkKey(WorkKind.Copy, run.Round, copy);
            var holders = fleet.HoldersOf(set);
            if (holders.IsEmpty || underWay.Contains(key) || fleet.Staying.Count(holders.Contains) >= wanted)
                continue;
            var target = fleet.Staying.Where(n => !holders.Contains(n)).Order(fleet.Nodes.KeyComparer).Cast<NodeId?>()
                .MinBy(n => busy.GetValueOrDefault(n!.Value));
            if (target is not { } node)
                continue;
            busy[node] = busy.GetValueOrDefault(node) + 1;
            yield return (key, node, new NodeCommand.CopySet(run.Id, run.Round, copy, set));
        }
    }

    /// <summary>Results and hand-overs of this round that no node holds any more.</summary>
    public static RunCommand.LoseWork? Lost(RunState run, Fleet fleet)
    {
        if (!fleet.Surveyed || fleet.Nodes.IsEmpty)
            return null;
        int[] lost =
        [
            .. run.Finished.Values.Where(r => fleet.HoldersOf(r.Contribution).IsEmpty || fleet.HoldersOf(r.InnerState).IsEmpty).Select(r => r.Replica),
            .. run.HandedOver.Values.Where(h => fleet.HoldersOf(h.State).IsEmpty).Select(h => h.Replica),
        ];
        return lost.Length == 0 ? null : new RunCommand.LoseWork(run.Id, run.Round, lost, $"{lost.Length} results of round {run.Round} were on nodes that are gone");
    }

    /// <summary>True when the run needs nothing that only this node holds, or when nobody stays who could take it.</summary>
    public static bool CanGo(RunState run, Fleet fleet, NodeId node)
    {
        var staying = fleet.Staying.Where(n => n != node).ToList();
        return fleet.InHand.Keys.All(w => w.Node != node)
               && (staying.Count == 0 || Wanted(run, fleet).All(w => !fleet.HoldersOf(w.Set).Contains(node) || staying.Count(fleet.HoldersOf(w.Set).Contains) >= w.Copies));
    }

    // Each set with its number within the round, which names the copy.
    private static IEnumerable<(int Copy, Digest Set, int Copies)> Wanted(RunState run, Fleet fleet)
    {
        const int kinds = 4;
        if (run.Version is { } version)
            yield return (0, version, fleet.Copies);
        for (var replica = 0; replica < run.InnerStates.Count; replica++)
            yield return (1 + kinds * replica, run.InnerStates[replica], fleet.Copies);
        foreach (var r in run.Finished.Values)
        {
            yield return (2 + kinds * r.Replica, r.InnerState, fleet.Copies);
            yield return (3 + kinds * r.Replica, r.Contribution, 1);
        }

        foreach (var h in run.HandedOver.Values)
            yield return (4 + kinds * h.Replica, h.State, 1);
    }
}
