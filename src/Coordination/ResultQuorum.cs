using System.Collections.Immutable;
using Elastic.Foundation;
using Elastic.Messages;
using Elastic.Messages.Runs;
using static Elastic.Messages.Runs.RunEvent;

namespace Elastic.Coordination;

/// <summary>One computation of a replica's round.</summary>
/// <param name="ResumedFrom">The hand-over that the node went on from; null where it took all steps of the round itself.</param>
/// <param name="Others">Nodes that computed it together with this one, a stage each: its bytes do not say which of them was wrong.</param>
public readonly record struct Vote(NodeId Node, ReplicaResult Result, Digest? ResumedFrom = null, int Others = 0);

/// <summary>
/// The computations of one replica's round. All of them should give the same bytes; where they do not, a node's memory or disk is
/// faulty, and the bytes that two nodes agree on count. Nodes that went on from a hand-over may all repeat the fault of the node that
/// made it: among those who agree one must have taken all steps itself, and nobody is convicted for what followed from a hand-over.
/// </summary>
public sealed record ResultQuorum(ImmutableList<Vote> Votes)
{
    public static readonly ResultQuorum Empty = new([]);

    /// <summary>True while there are different results and none has won.</summary>
    public bool IsDisputed => Votes.Count > 1 && Winner is null && Votes.Select(v => v.Result).Distinct().Count() > 1;

    /// <summary>The result that two nodes agree on, one of which took all steps itself; null while there is none.</summary>
    public ReplicaResult? Winner => Votes.Count < 2 ? null : Votes.GroupBy(v => v.Result)
        .FirstOrDefault(g => g.Select(v => v.Node).Distinct().Count() > 1 && g.Any(v => v.ResumedFrom is null))?.Key;

    public bool HasVoted(NodeId node) => Votes.Any(v => v.Node == node);

    public ResultQuorum With(Vote vote) => new(Votes.Add(vote));

    /// <summary>What a result means for a run that waits for it.</summary>
    /// <param name="hasStages">
    /// Several nodes compute a replica now, a stage each. What two computations agree on counts, whoever made them. But where several nodes
    /// made any of those that there are, nobody is put into quarantine: neither the node that answered for the others, nor one that was
    /// outvoted by it and by a node that may have taken part in both. <c>run.stages</c> may have changed since.
    /// </param>
    public static Decision Decide(RunState run, Vote vote, bool hasStages = false)
    {
        var (node, result) = (vote.Node, vote.Result);
        var quorum = run.QuorumOf(result.Replica);
        var isAlone = !hasStages && quorum.With(vote).Votes.All(v => v.Others == 0);
        if (quorum.Votes.Contains(vote))
            return Decision.AlreadyDone;
        if (quorum.Votes.IsEmpty)
            return run.WhyNotFrom(result.Replica, vote.ResumedFrom) is { } why
                ? Decision.Refuse(why)
                : Decision.Store(new ReplicaComputed(run.Id, result, node, vote.ResumedFrom, vote.Others));

        var agree = quorum.Votes.Any(v => v.Result == result);
        var contested = new ReplicaContested(run.Id, run.Finished[result.Replica], result, node, vote.ResumedFrom, vote.Others);
        if (quorum.HasVoted(node))
        {
            if (agree && !quorum.IsDisputed)
                return Decision.AlreadyDone;
            // The node contradicts itself. Where nobody is convicted for that, a third answer would be stored, and a fourth: how many nodes
            // computed a result, and from which hand-over, the node that answers says itself.
            var convicted = isAlone ? quorum.ContradictedBy(vote) : [];
            if (convicted.Count == 0 && quorum.Votes.Count(v => v.Node == node) > 1)
                return Decision.Refuse($"{node} has given two answers for replica {result.Replica} already");
            return Decision.Store([
                contested, .. Quarantine(run, convicted, result, quorum.Winner is not null, "gave two answers")]);
        }

        if (!agree && quorum.Winner is not null)
            return Decision.Store([contested, .. Quarantine(run, isAlone ? Convicted([vote]) : [], result, true, "was outvoted")]);
        if (!agree)
            return Decision.Store(contested);
        if (!quorum.IsDisputed || quorum.With(vote).Winner is null)
            return Decision.Store(new ReplicaConfirmed(run.Id, result, node, vote.ResumedFrom, vote.Others));
        return Decision.Store([
            new ReplicaSettled(run.Id, result, node, vote.ResumedFrom, vote.Others),
            .. Quarantine(run, isAlone ? Convicted(quorum.Votes.Where(v => v.Result != result)) : [], result, true, "was outvoted")]);
    }

    // A node that gave two results, having taken all steps itself both times.
    private IReadOnlyList<NodeId> ContradictedBy(Vote vote) =>
        Convicted(Votes.Where(v => v.Node == vote.Node && v.Result != vote.Result && vote.ResumedFrom is null));

    // Whoever is convicted for wrong results: what followed from a hand-over may be the fault of the node that made it.
    private static IReadOnlyList<NodeId> Convicted(IEnumerable<Vote> wrong) =>
        [.. wrong.Where(v => v.ResumedFrom is null).Select(v => v.Node).Distinct()];

    // Quarantines nodes for a result. What they disputed is computed again, unless it is settled: a node that repeats another node's answer
    // after a different one of its own settles nothing.
    private static IEnumerable<RunEvent> Quarantine(
        RunState run, IReadOnlyList<NodeId> nodes, ReplicaResult about, bool isSettled, string how) =>
        Convict(run, nodes, $"replica {about.Replica} of round {about.Round}", how, isSettled ? about.Replica : null);

    /// <summary>
    /// Quarantines nodes. Their results of this round that no two nodes agree on are computed again, and so is what was handed over in it,
    /// or went on from a hand-over: who had made that nobody knows any more.
    /// </summary>
    /// <param name="what">What they computed wrongly.</param>
    /// <param name="settled">A replica whose result counts although they disputed it.</param>
    public static IEnumerable<RunEvent> Convict(RunState run, IReadOnlyList<NodeId> nodes, string what, string how, int? settled = null)
    {
        foreach (var node in nodes)
            yield return new NodeQuarantined(run.Id, node,
                $"{node} computed {what} to other bytes than others and {how}: check its memory, its disk and its cooling");
        int[] doubtful = nodes.Count == 0 ? [] :
        [
            .. run.Quorums.Where(b => b.Key != settled && b.Value.Winner is null
                && b.Value.Votes.Any(v => v.ResumedFrom is not null || nodes.Contains(v.Node))).Select(b => b.Key),
            .. run.HandedOver.Keys,
        ];
        if (doubtful.Length > 0 || !run.Averaged.IsEmpty)
            yield return new WorkLost(run.Id, run.Round, doubtful, !run.Averaged.IsEmpty, doubtful.Length > 0
                ? $"{doubtful.Length} results that a node in quarantine may have had a part in are not believed"
                : "sums of disputed results are not believed");
    }
}
