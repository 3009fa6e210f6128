using Elastic.Messages;
using Elastic.Messages.Work;

namespace Elastic.Coordination;

/// <summary>Work for one node.</summary>
public readonly record struct Assignment(WorkKey Key, NodeId Node, WorkContent Content);

/// <summary>One pass of giving out work: what it depends on, and what has been given so far.</summary>
public sealed class Scheduling(RunState run, ClusterView view, RunPlan plan, StragglerDetector stragglers)
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
        View = View.Give(key, node, stragglers.Now);
        _given.Add(new Assignment(key, node, content));
    }

    /// <summary>Gives work to the least busy of these nodes, unless it is in flight.</summary>
    public void Once(WorkKey key, IEnumerable<NodeId> among, WorkContent content)
    {
        if (View.IsInFlight(key))
            return;
        if (View.LeastBusy(key.Kind, among) is { } node)
            Give(key, node, content);
        else
            Lack($"no node can do the {key}");
    }

    /// <summary>Notes why something that is due cannot be given to any node.</summary>
    public void Lack(string reason) => Reason ??= reason;
}
