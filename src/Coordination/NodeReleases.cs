using Elastic.Messages;
using Elastic.Messages.Nodes;

namespace Elastic.Coordination;

/// <summary>
/// Knows which nodes have work of the run that they hand over when it stops, and decides which of the nodes that leave may go: others hold
/// what only they held.
/// </summary>
internal sealed class NodeReleases(RunCoordinatorContext context, Inventory inventory)
{
    private readonly HashSet<NodeId> _busy = [];
    private readonly HashSet<NodeId> _released = [];

    /// <summary>Nodes that have work to hand over.</summary>
    public IReadOnlyCollection<NodeId> Busy => _busy;

    /// <summary>True for a node that may go: what it has made since goes with it.</summary>
    public bool IsReleased(NodeId node) => _released.Contains(node);

    /// <summary>Notes that a node gets work.</summary>
    public void NoteBusy(NodeId node) => _busy.Add(node);

    /// <summary>Notes that a node has handed everything over.</summary>
    public void NoteIdle(NodeId node) => _busy.Remove(node);

    /// <summary>Notes that a node is still here: it waits for its release, or stays.</summary>
    public void NoteHere(NodeId node) => _released.Remove(node);

    /// <summary>The node is gone.</summary>
    public void Forget(NodeId node)
    {
        _busy.Remove(node);
        _released.Remove(node);
    }

    /// <summary>Releases the nodes that leave and may go.</summary>
    public void ReleaseLeavers()
    {
        // A finished run is durable and gives out no work: what a leaver waits for would never be copied.
        if (context.IsIdleAfterFinish)
        {
            foreach (var leaver in context.Health.Reports.Where(r => r.Leaving && _released.Add(r.Node)))
                Release(leaver);
            return;
        }

        var view = context.View;
        if (!view.Surveyed)
            return;
        // Where no node stays but one rests, leaving nodes wait: the resting node may take copies later.
        if (!view.Staying.Any() && view.Nodes.Keys.Any(n => context.Health.IsUnhealthy(n) && !context.Run.IsQuarantined(n)))
            return;
        foreach (var leaver in view.Nodes.Keys.Select(context.Health.Of).OfType<NodeReport.Enlist>()
            .Where(r => r.Leaving && !context.Health.IsUnhealthy(r.Node)))
            if (!inventory.IsAwaited(leaver.Node) && Replication.CanGo(context.Run, view, leaver.Node, isInNoHurry: leaver.Draining)
                && _released.Add(leaver.Node))
            {
                _busy.Remove(leaver.Node);                             // nothing of it is taken any more
                Release(leaver);
            }
    }

    private void Release(NodeReport.Enlist leaver) =>
        context.Send(leaver.Node, new NodeCommand.Release(context.Id, leaver.Drains));
}
