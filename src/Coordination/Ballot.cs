using System.Collections.Immutable;
using Elastic.Messages;
using Elastic.Messages.Runs;
using static Elastic.Messages.Runs.RunEvent;

namespace Elastic.Coordination;

/// <summary>One computation of a replica's round.</summary>
public readonly record struct Vote(NodeId Node, ReplicaResult Result);

// The computations of one replica's round. All of them should give the same bytes; where they do not, somebody's memory or disk
// lies, and the bytes that two nodes agree on count.
public sealed record Ballot(ImmutableList<Vote> Votes)
{
    public static readonly Ballot Empty = new([]);

    /// <summary>True while there are different results and no two nodes agree on one.</summary>
    public bool IsDisputed => Votes.Count > 1 && Winner is null;

    /// <summary>The result that two nodes agree on; null while there is none.</summary>
    public ReplicaResult? Winner => Votes.GroupBy(v => v.Result).FirstOrDefault(g => g.Count() > 1)?.Key;

    public bool HasVoted(NodeId node) => Votes.Any(v => v.Node == node);

    public Ballot With(NodeId node, ReplicaResult result) => new(Votes.Add(new Vote(node, result)));

    /// <summary>What a result means for a run that waits for it.</summary>
    public static Decision Decide(RunState run, NodeId node, ReplicaResult result)
    {
        var ballot = run.BallotOf(result.Replica);
        if (ballot.Votes.Contains(new Vote(node, result)))
            return Decision.AlreadyDone;
        if (run.IsQuarantined(node))
            return Decision.Refuse($"{node} is in quarantine: {run.Quarantined[node.Value]}");
        if (ballot.Votes.IsEmpty)
            return Decision.Store(new ReplicaComputed(run.Id, result, node));

        var agree = ballot.Votes.Any(v => v.Result == result);
        if (ballot.HasVoted(node))
            return agree && ballot.Winner is not null                            // it contradicts itself
                ? Decision.AlreadyDone
                : Decision.Store([new ReplicaContested(run.Id, run.Finished[result.Replica], result, node), .. Quarantine(run, [node], result, "gave two answers")]);
        if (!agree && ballot.Winner is not null)
            return Decision.Store([new ReplicaContested(run.Id, run.Finished[result.Replica], result, node), .. Quarantine(run, [node], result, "was outvoted")]);
        if (!agree)
            return Decision.Store(new ReplicaContested(run.Id, run.Finished[result.Replica], result, node));
        if (!ballot.IsDisputed)
            return Decision.Store(new ReplicaConfirmed(run.Id, result, node));

        var liars = ballot.Votes.Where(v => v.Result != result).Select(v => v.Node).ToList();
        return Decision.Store([new ReplicaSettled(run.Id, result, node), .. Quarantine(run, liars, result, "was outvoted")]);
    }

    // What else these nodes did in this round, and nobody confirmed, is not believed either.
    private static IEnumerable<RunEvent> Quarantine(RunState run, IReadOnlyList<NodeId> nodes, ReplicaResult about, string how)
    {
        foreach (var node in nodes)
            yield return new NodeQuarantined(run.Id, node,
                $"{node} computed replica {about.Replica} of round {about.Round} to other bytes than others and {how}: check its memory, its disk and its cooling");
        var doubtful = run.Ballots.Where(b => b.Key != about.Replica && b.Value.Winner is null && b.Value.Votes.Any(v => nodes.Contains(v.Node)))
            .Select(b => b.Key).ToArray();
        if (doubtful.Length > 0 || !run.Averaged.IsEmpty)
            yield return new WorkLost(run.Id, run.Round, doubtful, !run.Averaged.IsEmpty, $"{doubtful.Length} results of a node in quarantine are not believed");
    }
}
