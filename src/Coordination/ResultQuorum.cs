using System.Collections.Immutable;
using Elastic.Messages;
using Elastic.Messages.Runs;
using static Elastic.Messages.Runs.RunEvent;

namespace Elastic.Coordination;

/// <summary>One computation of a replica's round.</summary>
public readonly record struct Vote(NodeId Node, ReplicaResult Result);

// The computations of one replica's round. All of them should give the same bytes; where they do not, a node's memory or disk is faulty,
// and the bytes that two nodes agree on count.
public sealed record ResultQuorum(ImmutableList<Vote> Votes)
{
    public static readonly ResultQuorum Empty = new([]);

    /// <summary>True while there are different results and no two nodes agree on one.</summary>
    public bool IsDisputed => Votes.Count > 1 && Winner is null;

    /// <summary>The result that two nodes agree on; null while there is none.</summary>
    public ReplicaResult? Winner => Votes.GroupBy(v => v.Result).FirstOrDefault(g => g.Select(v => v.Node).Distinct().Count() > 1)?.Key;

    public bool HasVoted(NodeId node) => Votes.Any(v => v.Node == node);

    public ResultQuorum With(NodeId node, ReplicaResult result) => new(Votes.Add(new Vote(node, result)));

    /// <summary>What a result means for a run that waits for it.</summary>
    public static Decision Decide(RunState run, NodeId node, ReplicaResult result)
    {
        var quorum = run.QuorumOf(result.Replica);
        if (quorum.Votes.Contains(new Vote(node, result)))
            return Decision.AlreadyDone;
        if (quorum.Votes.IsEmpty)
            return Decision.Store(new ReplicaComputed(run.Id, result, node));

        var agree = quorum.Votes.Any(v => v.Result == result);
        if (quorum.HasVoted(node))
            return agree && quorum.Winner is not null                            // else the node contradicts itself
                ? Decision.AlreadyDone
                : Decision.Store([new ReplicaContested(run.Id, run.Finished[result.Replica], result, node),
                    .. Quarantine(run, [node], result, quorum.Winner is not null, "gave two answers")]);
        if (!agree && quorum.Winner is not null)
            return Decision.Store([new ReplicaContested(run.Id, run.Finished[result.Replica], result, node),
                .. Quarantine(run, [node], result, true, "was outvoted")]);
        if (!agree)
            return Decision.Store(new ReplicaContested(run.Id, run.Finished[result.Replica], result, node));
        if (!quorum.IsDisputed)
            return Decision.Store(new ReplicaConfirmed(run.Id, result, node));

        var liars = quorum.Votes.Where(v => v.Result != result).Select(v => v.Node).ToList();
        return Decision.Store([new ReplicaSettled(run.Id, result, node), .. Quarantine(run, liars, result, true, "was outvoted")]);
    }

    // Quarantines these nodes. Their results of this round that no two nodes agree on are computed again, the disputed one unless it is
    // settled: a node that repeats another node's answer after a different one of its own settles nothing.
    private static IEnumerable<RunEvent> Quarantine(
        RunState run, IReadOnlyList<NodeId> nodes, ReplicaResult about, bool isSettled, string how)
    {
        foreach (var node in nodes)
            yield return new NodeQuarantined(run.Id, node,
                $"{node} computed replica {about.Replica} of round {about.Round} to other bytes than others and {how}: " +
                "check its memory, its disk and its cooling");
        var doubtful = run.Quorums
            .Where(b => (b.Key != about.Replica || !isSettled) && b.Value.Winner is null && b.Value.Votes.Any(v => nodes.Contains(v.Node)))
            .Select(b => b.Key).ToArray();
        if (doubtful.Length > 0 || !run.Averaged.IsEmpty)
            yield return new WorkLost(run.Id, run.Round, doubtful, !run.Averaged.IsEmpty,
                $"{doubtful.Length} results of a node in quarantine are not believed");
    }
}
