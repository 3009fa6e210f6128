using System.Collections.Immutable;
using Elastic.Messages;
using Elastic.Messages.Work;

namespace Elastic.Coordination;

/// <summary>A replica that another node is to compute.</summary>
/// <param name="Not">Nodes that must not get it: they have computed it or are computing it.</param>
/// <param name="Needed">False for what only saves time.</param>
public readonly record struct Wanted(int Replica, IReadOnlySet<NodeId> Not, bool Needed);

/// <summary>
/// Decides how often each replica's round is computed, and where: once; twice where it is audited, or its runner is slow or has no
/// device for it; once more where two results differ. Where a run has several stages, so many nodes compute a replica together each
/// time.
/// </summary>
public static class Computations
{
    /// <summary>The computations that are still to be given out, first computations first.</summary>
    public static IReadOnlyList<Wanted> Wanted(RunState run, ClusterView view, RunPlan plan, StragglerDetector stragglers)
    {
        var (first, checks, seconds) = (new List<Wanted>(), new List<Wanted>(), new List<Wanted>());
        var workers = view.Workers.ToHashSet();
        var inFlight = view.InFlight.Keys.Where(w => w.Work.Number == run.Round && ComputeWork.ReplicaOf(w.Work) is not null)
            .ToLookup(w => ComputeWork.ReplicaOf(w.Work)!.Value);
        for (var replica = 0; replica < plan.ReplicasAt(run.Round); replica++)
        {
            var quorum = run.QuorumOf(replica);
            // The stages of one attempt are one computation.
            var runners = inFlight[replica].GroupBy(w => view.Attempts.TryGetValue(w, out var attempt) ? (attempt, default) : ("", w.Node))
                .ToList();
            var not = quorum.Votes.Select(v => v.Node).Concat(inFlight[replica].Select(w => w.Node)).ToHashSet();
            var pending = runners.Count(r => !r.Any(w => w.Work.Kind == ComputeWork.Kind.Name && quorum.HasVoted(w.Node)));
            var wanted = new Wanted(replica, not, true);
            if (quorum.Votes.IsEmpty && pending == 0)
                first.Add(wanted);
            else if (quorum.IsDisputed || IsUnaudited(run, plan, replica))
            {
                // A dispute waits for a node to join; an audit waits for a node that may compute, and is dropped where there is none. Those
                // that had other stages of an audited result take no part in its audit: they would repeat what is wrong in it.
                if (!quorum.IsDisputed)
                    not.UnionWith(quorum.Votes.SelectMany(v => view.Teams.GetValueOrDefault((replica, v.Node), [])));
                var possible = workers.Count(w => !not.Contains(w)) >= plan.Stages;
                var conceivable = view.MayBeCompared(not, plan.Stages);
                if (possible && (pending == 0 || (!quorum.IsDisputed && quorum.Votes.Count + pending < 2)))
                    checks.Add(wanted);
                else if (quorum.Votes.Count > 0 && (pending > 0 || (!quorum.IsDisputed && conceivable)))
                    checks.Add(wanted with { Not = workers });             // in flight: wait for it, give it to no other node
            }
            else if (quorum.Votes.IsEmpty && runners is [var only]
                && (stragglers.IsStraggling(only.Min(w => view.InFlight[w])) || only.Any(view.Queued.ContainsKey)))
                seconds.Add(wanted with { Needed = false });
        }

        return [.. first, .. checks, .. seconds];
    }

    /// <summary>
    /// Gives computations to nodes with room, first to those that have not failed at them: to one that holds the inner state, else to the
    /// one with the largest share of free devices. A computation of several stages is given to so many nodes at once, or not at all: first
    /// to those that had the stages before.
    /// </summary>
    /// <param name="failuresAt">How often a node has failed at this work.</param>
    /// <returns>The nodes by stage.</returns>
    public static IEnumerable<(int Replica, ImmutableArray<NodeId> Nodes)> Place(
        RunState run, ClusterView view, IReadOnlyList<Wanted> wanted, Func<WorkKey, NodeId, int> failuresAt, int stages = 1)
    {
        if (wanted.Count == 0)
            yield break;
        var room = view.Workers.ToDictionary(w => w, view.Room);
        var left = new List<Wanted>();
        foreach (var w in wanted)
        {
            if (w.Needed
                && HomesOf(w.Replica).Where(
                        team => team.All(n => room.GetValueOrDefault(n) > 0 && !w.Not.Contains(n) && Failures(w, n) == 0))
                    .Cast<ImmutableArray<NodeId>?>().FirstOrDefault() is { } home)
            {
                Take(home);
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
            if (free.Count < stages)
                continue;
            var team = InTheirStages(w.Replica, [
                .. free.OrderBy(n => Failures(w, n)).ThenByDescending(n => (double)room[n] / view.Nodes[n].Devices.Length)
                    .ThenBy(n => n, view.Nodes.KeyComparer).Take(stages)]);
            Take(team);
            yield return (w.Replica, team);
        }

        void Take(ImmutableArray<NodeId> team)
        {
            foreach (var node in team)
                room[node]--;
        }

        int Failures(Wanted w, NodeId node) =>
            Enumerable.Range(0, stages).Sum(s => failuresAt(ComputeStageWork.KeyOf(run.Round, w.Replica, s), node));

        IEnumerable<ImmutableArray<NodeId>> HomesOf(int replica) => stages > 1
            ? LastTeamOf(replica) is { Length: > 1 } team && team.Length == stages ? [team] : []
            : (view.Homes.TryGetValue(replica, out var last) ? [last] : Array.Empty<NodeId>())
                .Concat(run.InnerStateOf(replica) is { } state ? view.HoldersOf(state).Order(view.Nodes.KeyComparer) : [])
                .Select(n => ImmutableArray.Create(n));

        ImmutableArray<NodeId> LastTeamOf(int replica) => view.Homes.TryGetValue(replica, out var first)
            ? view.Teams.GetValueOrDefault((replica, first), []) : [];

        // Who had a stage before has its part of the moments.
        ImmutableArray<NodeId> InTheirStages(int replica, ImmutableArray<NodeId> team)
        {
            var last = LastTeamOf(replica);
            var others = new Queue<NodeId>(team.Where(n => last.IndexOf(n) is var at && (at < 0 || at >= stages)));
            return
            [
                .. Enumerable.Range(0, stages).Select(s => s < last.Length && team.Contains(last[s]) ? last[s] : others.Dequeue()),
            ];
        }
    }

    /// <summary>Nodes that could compute a stage of this replica now.</summary>
    public static int CountFree(ClusterView view, Wanted wanted) => view.Workers.Count(n => view.Room(n) > 0 && !wanted.Not.Contains(n));

    /// <summary>True when this node's computation of a replica of the current round is no longer needed.</summary>
    public static bool IsDone(RunState run, RunPlan plan, int replica, NodeId node)
    {
        var quorum = run.QuorumOf(replica);
        return quorum.HasVoted(node) || IsSettled(run, plan, replica);
    }

    /// <summary>True when a replica of the current round has its result, and no other computation of it is needed.</summary>
    public static bool IsSettled(RunState run, RunPlan plan, int replica) =>
        run.QuorumOf(replica) is { Votes.IsEmpty: false, IsDisputed: false } && !IsUnaudited(run, plan, replica);

    /// <summary>
    /// True when the next computation of this replica must not go on from a hand-over: audits and disputes are about all steps of the
    /// round.
    /// </summary>
    public static bool FromScratch(RunState run, ClusterView view, RunPlan plan, int replica) => !run.QuorumOf(replica).Votes.IsEmpty
        || (plan.Audits(run.AuditSecret, run.Round, replica) && view.IsInFlight(ComputeWork.KeyOf(run.Round, replica)));

    private static bool IsUnaudited(RunState run, RunPlan plan, int replica) =>
        plan.Audits(run.AuditSecret, run.Round, replica) && run.QuorumOf(replica).Winner is null;
}
