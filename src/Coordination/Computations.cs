using Elastic.Messages;

namespace Elastic.Coordination;

/// <summary>A replica that another node is to compute.</summary>
/// <param name="Not">Nodes that must not get it: they have computed it or are computing it.</param>
/// <param name="Needed">False for what only saves time.</param>
public readonly record struct Wanted(int Replica, IReadOnlySet<NodeId> Not, bool Needed);

// Decides how often each replica's round is computed, and where: once; twice where it is audited or its runner is slow; once more where two
// results differ.
public static class Computations
{
    /// <summary>The computations that are still to be given out, first computations first.</summary>
    public static IReadOnlyList<Wanted> Wanted(RunState run, ClusterView view, RunPlan plan, StragglerDetector stragglers)
    {
        var (first, checks, seconds) = (new List<Wanted>(), new List<Wanted>(), new List<Wanted>());
        var workers = view.Workers.ToHashSet();
        var inFlight = view.InFlight.Keys.Where(w => w.Work.Kind == ComputeWork.Kind.Name && w.Work.Number == run.Round)
            .ToLookup(w => w.Work.Index, w => w.Node);
        for (var replica = 0; replica < plan.ReplicasAt(run.Round); replica++)
        {
            var quorum = run.QuorumOf(replica);
            var runners = inFlight[replica].ToList();
            var not = quorum.Votes.Select(v => v.Node).Concat(runners).ToHashSet();
            var pending = runners.Count(h => !quorum.HasVoted(h));
            var wanted = new Wanted(replica, not, true);
            if (quorum.Votes.IsEmpty && pending == 0)
                first.Add(wanted);
            else if (quorum.IsDisputed || (plan.Audits(run.Round, replica) && quorum.Votes.Count < 2))
            {
                // A dispute waits for a node to join. An audit waits while another node is there that may compute, though it rests or
                // leaves now; where there is none, the audit is dropped.
                var possible = workers.Any(w => !not.Contains(w));
                var conceivable = view.Nodes.Any(n => n.Value.Devices.Length > 0 && !not.Contains(n.Key));
                if (quorum.IsDisputed ? pending == 0 && possible : quorum.Votes.Count + pending < 2 && possible)
                    checks.Add(wanted);
                else if (quorum.Votes.Count > 0 && (pending > 0 || (!quorum.IsDisputed && conceivable)))
                    checks.Add(wanted with { Not = workers });             // in flight: wait for it, give it to no other node
            }
            else if (quorum.Votes.IsEmpty && runners is [var only]
                && stragglers.IsStraggling(view.InFlight[new InFlightWork(ComputeWork.KeyOf(run.Round, replica), only)]))
                seconds.Add(wanted with { Needed = false });
        }

        return [.. first, .. checks, .. seconds];
    }

    /// <summary>
    /// Gives computations to nodes with room: to one that holds the inner state, else to the one with the largest share of free devices.
    /// </summary>
    public static IEnumerable<(int Replica, NodeId Node)> Place(RunState run, ClusterView view, IReadOnlyList<Wanted> wanted)
    {
        if (wanted.Count == 0)
            yield break;
        var room = view.Workers.ToDictionary(w => w, view.Room);
        var left = new List<Wanted>();
        foreach (var w in wanted)
        {
            if (w.Needed
                && HomesOf(w.Replica).Where(n => room.GetValueOrDefault(n) > 0 && !w.Not.Contains(n))
                    .Cast<NodeId?>().FirstOrDefault() is { } home)
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
            (view.Homes.TryGetValue(replica, out var last) ? [last] : Array.Empty<NodeId>())
            .Concat(run.InnerStateOf(replica) is { } state ? view.HoldersOf(state).Order(view.Nodes.KeyComparer) : []);

        foreach (var w in left)
        {
            // A straggler's second runner goes only to a node whose devices are all free: it must not slow down other work.
            var free = room
                .Where(r => r.Value > 0 && !w.Not.Contains(r.Key) && (w.Needed || r.Value == view.Nodes[r.Key].Devices.Length))
                .Select(r => r.Key).ToList();
            if (free.Count == 0)
                continue;
            var node = free.Order(view.Nodes.KeyComparer).MaxBy(n => (double)room[n] / view.Nodes[n].Devices.Length);
            room[node]--;
            yield return (w.Replica, node);
        }
    }

    /// <summary>True when this node's computation of a replica of the current round is no longer needed.</summary>
    public static bool IsDone(RunState run, RunPlan plan, int replica, NodeId node)
    {
        var quorum = run.QuorumOf(replica);
        return quorum.HasVoted(node)
            || (!quorum.Votes.IsEmpty && !quorum.IsDisputed && !(plan.Audits(run.Round, replica) && quorum.Votes.Count < 2));
    }
}
