using Elastic.Messages;
using Elastic.Messages.Work;

namespace Elastic.Coordination;

/// <summary>Work for one node.</summary>
public readonly record struct Assignment(WorkKey Key, NodeId Node, WorkContent Content);

/// <summary>One pass of giving out work: what it depends on, and what has been given so far.</summary>
/// <param name="failures">Work goes to nodes that have not failed at it, where there are any.</param>
/// <param name="audits">Outcomes of audited work that wait for another node's.</param>
/// <param name="draw">Names attempts of several nodes at one replica; null where a replica has one stage.</param>
public sealed class Scheduling(
    RunState run, ClusterView view, RunPlan plan, StragglerDetector stragglers, FailureHistory failures, OutcomeAudits audits,
    Func<string>? draw = null)
{
    private readonly List<Assignment> _given = [];

    public RunState Run => run;

    public RunPlan Plan => plan;

    public StragglerDetector Stragglers => stragglers;

    /// <summary>The view, with the work of this pass in flight.</summary>
    public ClusterView View { get; private set; } = view;

    public IReadOnlyList<Assignment> Given => _given;

    /// <summary>Why something that is due could not be given to any node; the first reason counts.</summary>
    public string? Reason { get; private set; }

    public void Give(WorkKey key, NodeId node, WorkContent content)
    {
        View = View.Give(key, node, stragglers.Now, ComputeWork.Of(content)?.Attempt);
        _given.Add(new Assignment(key, node, content));
    }

    /// <summary>Gives work to the least busy of these nodes, unless it is in flight; audited work to two of them.</summary>
    public void Once(WorkKey key, IEnumerable<NodeId> among, WorkContent content)
    {
        var able = among.ToList();
        if (WorkKinds.Find(key.Kind) is not { } kind || !kind.IsAudited(run, plan, key))
        {
            if (!View.IsInFlight(key))
                GiveToOne(key, able, content);
            return;
        }

        // Whoever has answered is not asked again; what nodes differ about is settled by one more.
        var voters = audits.VotersOf(key).ToList();
        var missing = (audits.IsDisputed(key) ? voters.Count + 1 : 2) - voters.Count - View.RunnersOf(key).Count(n => !voters.Contains(n));
        for (var given = 0; given < missing; given++)
        {
            var others = able.Where(n => !voters.Contains(n) && !View.InFlight.ContainsKey(new InFlightWork(key, n))).ToList();
            if (others.Count > 0)
                GiveToOne(key, others, content);
            else if (voters.Count > 0 || !View.IsInFlight(key))
                Lack(voters.Count == 0 ? $"no node can do the {key}" : $"the {key} waits for another node, to compare its bytes");
        }
    }

    private void GiveToOne(WorkKey key, List<NodeId> able, WorkContent content)
    {
        var reaching = able.Where(n => CanFetch(key, n, content)).ToList();
        var fewest = reaching.Select(n => FailuresAt(key, n)).DefaultIfEmpty().Min();
        if (View.LeastBusy(key.Kind, reaching.Where(n => FailuresAt(key, n) == fewest)) is { } node)
            Give(key, node, content);
        else
            Lack(able.Count == 0 ? $"no node can do the {key}" : NotFetchable(key));
    }

    /// <summary>Gives a replica to one node, or its stages to several, unless one of them cannot fetch what it needs.</summary>
    /// <param name="nodes">By stage.</param>
    public void GiveIfFetchable(IReadOnlyList<NodeId> nodes, Compute replica)
    {
        var key = ComputeWork.KeyOf(replica.Round, replica.Replica);
        if (!nodes.All(n => CanFetch(key, n, replica)))
        {
            Lack(NotFetchable(key));
            return;
        }

        if (nodes.Count > 1)
            replica = replica with
            {
                Stages = [.. nodes.Select(n => new StagePlace(n, View.Nodes[n].Endpoint))],
                Attempt = (draw ?? throw new InvalidOperationException("an attempt of several nodes needs a name"))(),
            };
        Give(key, nodes[0], replica);
        for (var stage = 1; stage < nodes.Count; stage++)
            Give(ComputeStageWork.KeyOf(replica.Round, replica.Replica, stage), nodes[stage], new ComputeStage(replica, stage));
    }

    /// <summary>How often a node has failed at this work.</summary>
    public int FailuresAt(WorkKey key, NodeId node) => failures.CountAt(key, node);

    private bool CanFetch(WorkKey key, NodeId node, WorkContent content) =>
        WorkKinds.Find(key.Kind) is not { } kind || kind.Needs(content).All(set => View.CanFetch(node, set));

    private static string NotFetchable(WorkKey key) =>
        $"nodes cannot fetch from each other, and what the {key} needs is not on a seed yet: open their data ports to each other";

    /// <summary>Notes why something that is due cannot be given to any node.</summary>
    public void Lack(string reason) => Reason ??= reason;
}
