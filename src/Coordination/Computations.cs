using Elastic.Messages;
using Elastic.Messages.Nodes;

namespace Elastic.Coordination;

/// <summary>A replica that another node is to compute.</summary>
/// <param name="Not">Nodes that computed it, or do.</param>
/// <param name="Needed">False for what only saves time.</param>
public readonly record struct Wanted(int Replica, IReadOnlySet<NodeId> Not, bool Needed);

// How often each replica's round is to be computed, and where: once; twice where it is audited or where its runner is slow; once more
// where two results differ.
public static class Computations
{
    /// <summary>What is wanting, first computations first.</summary>
    public static IReadOnlyList<Wanted> Wanted(RunState run, Fleet fleet, RunPlan plan, Pace pace)
    {
        var (first, checks, seconds) = (new List<Wanted>(), new List<Wanted>(), new List<Wanted>());
        var workers = fleet.Workers.ToHashSet();
        var inHand = fleet.InHand.Keys.Where(w => w.Work.Kind == WorkKind.Replica && w.Work.Number == run.Round).ToLookup(w => w.Work.Index, w => w.Node);
        for (var replica = 0; replica < plan.Replicas; replica++)
        {
            var ballot = run.BallotOf(replica);
            var hands = inHand[replica].ToList();
            var not = ballot.Votes.Select(v => v.Node).Concat(hands).ToHashSet();
            var pending = hands.Count(h => !ballot.HasVoted(h));
            var wanted = new Wanted(replica, not, true);
            if (ballot.Votes.IsEmpty && pending == 0)
                first.Add(wanted);
            else if (ballot.IsDisputed || (plan.Audits(run.Round, replica) && ballot.Votes.Count < 2))
            {
                // With nobody left who could, an audit is let go; a dispute waits for a node to join.
                var possible = workers.Any(w => !not.Contains(w));
                if (ballot.IsDisputed ? pending == 0 && possible : ballot.Votes.Count + pending < 2 && possible)
                    checks.Add(wanted);
                else if (pending > 0 && ballot.Votes.Count > 0)
                    checks.Add(wanted with { Not = workers });             // under way: wait for it, give it to nobody else
            }
            else if (ballot.Votes.IsEmpty && hands is [var only] && pace.IsStraggling(fleet.InHand[new Holding(new WorkKey(WorkKind.Replica, run.Round, replica), only)]))
                seconds.Add(wanted with { Needed = false });
        }

        return [.. first, .. checks, .. seconds];
    }

    /// <summary>Gives what is wanted to nodes with room: to one that has the inner state already, else where most devices are free.</summary>
    public static IEnumerable<(int Replica, NodeId Node)> Place(RunState run, Fleet fleet, IReadOnlyList<Wanted> wanted)
    {
        if (wanted.Count == 0)
            yield break;
        var room = fleet.Workers.ToDictionary(w => w, fleet.Room);
        var left = new List<Wanted>();
        foreach (var w in wanted)
        {
            if (w.Needed && HomesOf(w.Replica).Where(n => room.GetValueOrDefault(n) > 0 && !w.Not.Contains(n)).Cast<NodeId?>().FirstOrDefault() is { } home)
            {
                room[home]--;
                yield return (w.Replica, home);
            }
            else
            {
                left.Add(w);
            }
        }

        IEnumerable<NodeId> HomesOf(int replica) =>
            (fleet.Homes.TryGetValue(replica, out var last) ? [last] : Array.Empty<NodeId>())
            .Concat(run.InnerStates.IsEmpty ? [] : fleet.HoldersOf(run.InnerStates[replica]).Order(fleet.Nodes.KeyComparer));

        foreach (var w in left)
        {
            // A second runner for a slow one goes only where nothing else is done: it must not slow down others.
            var free = room.Where(r => r.Value > 0 && !w.Not.Contains(r.Key) && (w.Needed || r.Value == fleet.Nodes[r.Key].Devices.Length)).Select(r => r.Key).ToList();
            if (free.Count == 0)
                continue;
            var node = free.Order(fleet.Nodes.KeyComparer).MaxBy(n => (double)room[n] / fleet.Nodes[n].Devices.Length);
            room[node]--;
            yield return (w.Replica, node);
        }
    }

    /// <summary>True when this node's computation of a replica of the current round serves nothing any more.</summary>
    public static bool IsDone(RunState run, RunPlan plan, int replica, NodeId node)
    {
        var ballot = run.BallotOf(replica);
        return ballot.HasVoted(node) || (!ballot.Votes.IsEmpty && !ballot.IsDisputed && !(plan.Audits(run.Round, replica) && ballot.Votes.Count < 2));
    }
}
