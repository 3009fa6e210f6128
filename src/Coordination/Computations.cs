using Elastic.Messages;
using Elastic.Messages.Work;

namespace Elastic.Coordination;

/// <summary>A replica that another node is to compute.</summary>
/// <param name="Not">Nodes that must not get it: they have computed it or are computing it.</param>
/// <param name="Needed">False for what only saves time.</param>
public readonly record struct Wanted(int Replica, IReadOnlySet<NodeId> Not, bool Needed);

// Decides how often each replica's round is computed, and where: once; twice where it is audited, or its runner is slow or has no device
// for it; once more where two results differ.
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
            else if (quorum.IsDisputed || IsUnaudited(run, plan, replica))
            {
                // A dispute waits for a node to join; an audit waits for a node that may compute, and is dropped where there is none.
                var possible = workers.Any(w => !not.Contains(w));
                var conceivable = view.MayBeCompared(not);
                if (possible && (pending == 0 || (!quorum.IsDisputed && quorum.Votes.Count + pending < 2)))
                    checks.Add(wanted);
                else if (quorum.Votes.Count > 0 && (pending > 0 || (!quorum.IsDisputed && conceivable)))
                    checks.Add(wanted with { Not = workers });             // in flight: wait for it, give it to no other node
            }
            else if (quorum.Votes.IsEmpty && runners is [var only]
                && new InFlightWork(ComputeWork.KeyOf(run.Round, replica), only) is var work
                && (stragglers.IsStraggling(view.InFlight[work]) || view.Queued.ContainsKey(work)))
                seconds.Add(wanted with { Needed = false });
        }

        return [.. first, .. checks, .. seconds];
    }

    /// <summary>
    /// Gives computations to nodes with room, first to those that have not failed at them: to one that holds the inner state, else to the
    /// one with the largest share of free devices.
    /// </summary>
    /// <param name="failuresAt">How often a node has failed at this work.</param>
    public static IEnumerable<(int Replica, NodeId Node)> Place(
        RunState run, ClusterView view, IReadOnlyList<Wanted> wanted, Func<WorkKey, NodeId, int> failuresAt)
    {
        if (wanted.Count == 0)
            yield break;
        var room = view.Workers.ToDictionary(w => w, view.Room);
        var left = new List<Wanted>();
        foreach (var w in wanted)
        {
            if (w.Needed
                && HomesOf(w.Replica).Where(n => room.GetValueOrDefault(n) > 0 && !w.Not.Contains(n) && Failures(w, n) == 0)
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

        foreach (var w in left)
        {
            // A straggler's second runner goes only to a node whose devices are all free: it must not slow down other work.
            var free = room
                .Where(r => r.Value > 0 && !w.Not.Contains(r.Key) && (w.Needed || r.Value == view.Nodes[r.Key].Devices.Length))
                .Select(r => r.Key).ToList();
            if (free.Count == 0)
                continue;
            var node = free.OrderBy(n => Failures(w, n)).ThenByDescending(n => (double)room[n] / view.Nodes[n].Devices.Length)
                .ThenBy(n => n, view.Nodes.KeyComparer).First();
            room[node]--;
            yield return (w.Replica, node);
        }

        int Failures(Wanted w, NodeId node) => failuresAt(ComputeWork.KeyOf(run.Round, w.Replica), node);

        IEnumerable<NodeId> HomesOf(int replica) =>
            (view.Homes.TryGetValue(replica, out var last) ? [last] : Array.Empty<NodeId>())
            .Concat(run.InnerStateOf(replica) is { } state ? view.HoldersOf(state).Order(view.Nodes.KeyComparer) : []);
    }

    /// <summary>True when this node's computation of a replica of the current round is no longer needed.</summary>
    public static bool IsDone(RunState run, RunPlan plan, int replica, NodeId node)
    {
        var quorum = run.QuorumOf(replica);
        return quorum.HasVoted(node) || (!quorum.Votes.IsEmpty && !quorum.IsDisputed && !IsUnaudited(run, plan, replica));
    }

    /// <summary>
    /// True when the next computation of this replica must not go on from a hand-over: audits and disputes are about all steps of the
    /// round.
    /// </summary>
    public static bool FromScratch(RunState run, ClusterView view, RunPlan plan, int replica) => !run.QuorumOf(replica).Votes.IsEmpty
        || (plan.Audits(run.AuditSecret, run.Round, replica) && view.IsInFlight(ComputeWork.KeyOf(run.Round, replica)));

    private static bool IsUnaudited(RunState run, RunPlan plan, int replica) =>
        plan.Audits(run.AuditSecret, run.Round, replica) && run.QuorumOf(replica).Winner is null;
}
