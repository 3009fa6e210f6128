using System.Collections.Immutable;
using Elastic.Foundation;
using Elastic.Messages;
using Elastic.Messages.Work;

namespace Elastic.Coordination;

/// <summary>A piece of work in a node's hand. Speculation and audits put the same work into two hands.</summary>
public readonly record struct InFlightWork(WorkKey Work, NodeId Node);

/// <summary>A live node, as far as this run is concerned.</summary>
/// <param name="Devices">Those that may compute for this run; a node without any still stores.</param>
/// <param name="Seed">Meant to stay.</param>
/// <param name="Leaving">On its way out: it gets no more work, and what only it holds is copied elsewhere.</param>
public readonly record struct ViewedNode(ImmutableArray<DeviceId> Devices, bool Seed, bool Leaving);

/// <summary>
/// Who is there, what they have in hand and what they hold. Nothing of this is stored: after a restart the nodes enlist again, and
/// work that was in hand is either reported or given out a second time, to the same bytes.
/// </summary>
/// <param name="InFlight">Work given out and not yet answered, and when it was given.</param>
/// <param name="Homes">Where each replica ran last: its inner state is there.</param>
/// <param name="Assembled">Nodes that hold the version that the current round ends in.</param>
/// <param name="Holders">Which nodes hold a vector set whole, as far as is known.</param>
/// <param name="Surveyed">True once what is still whole has been judged after the recovery, or after a loss.</param>
public sealed record ClusterView(
    ImmutableSortedDictionary<NodeId, ViewedNode> Nodes,
    ImmutableDictionary<InFlightWork, TimeSpan> InFlight,
    ImmutableDictionary<int, NodeId> Homes,
    ImmutableHashSet<NodeId> Assembled,
    ImmutableDictionary<Digest, ImmutableHashSet<NodeId>> Holders,
    bool Surveyed)
{
    public static readonly ClusterView Empty = new(
        ImmutableSortedDictionary.Create<NodeId, ViewedNode>(Comparer<NodeId>.Create((a, b) => string.CompareOrdinal(a.Value, b.Value))),
        ImmutableDictionary<InFlightWork, TimeSpan>.Empty, ImmutableDictionary<int, NodeId>.Empty, [],
        ImmutableDictionary<Digest, ImmutableHashSet<NodeId>>.Empty, false);

    /// <summary>Devices of all nodes together.</summary>
    public int DeviceCount => Nodes.Values.Sum(n => n.Devices.Length);

    /// <summary>Nodes that may be given work that needs a device.</summary>
    public IEnumerable<NodeId> Workers => Nodes.Where(n => !n.Value.Leaving && n.Value.Devices.Length > 0).Select(n => n.Key);

    /// <summary>Nodes that are not on their way out.</summary>
    public IEnumerable<NodeId> Staying => Nodes.Where(n => !n.Value.Leaving).Select(n => n.Key);

    /// <summary>On how many nodes what must not be lost is to be: two, or as many as there are.</summary>
    public int Copies => Math.Min(2, Math.Max(1, Staying.Count()));

    /// <summary>A node that is there, or has come back, or has changed its mind.</summary>
    public ClusterView Enlist(NodeId node, IEnumerable<DeviceId> devices, bool seed = false, bool leaving = false) =>
        this with { Nodes = Nodes.SetItem(node, new ViewedNode([.. devices], seed, leaving)) };

    /// <summary>A node that is gone: what it had in hand may be given to others.</summary>
    public ClusterView Lose(NodeId node) => PutDown(node) with
    {
        Nodes = Nodes.Remove(node),
        Assembled = Assembled.Remove(node),
        Holders = Holders.SetItems(Holders.Where(h => h.Value.Contains(node)).Select(h => KeyValuePair.Create(h.Key, h.Value.Remove(node)))),
    };

    /// <summary>A node that has nothing in hand any more.</summary>
    public ClusterView PutDown(NodeId node) => this with { InFlight = InFlight.RemoveRange(InFlight.Keys.Where(w => w.Node == node)) };

    /// <summary>A piece of work given to a node, or found in its hand.</summary>
    public ClusterView Give(WorkKey work, NodeId node, TimeSpan now) => this with { InFlight = InFlight.SetItem(new InFlightWork(work, node), now) };

    /// <summary>A piece of work that the node does not have in hand any more.</summary>
    public ClusterView Answered(WorkKey work, NodeId node) => this with { InFlight = InFlight.Remove(new InFlightWork(work, node)) };

    /// <summary>A vector set is whole on a node.</summary>
    public ClusterView Hold(NodeId node, params IEnumerable<Digest> sets) => Nodes.ContainsKey(node)
        ? this with { Holders = Holders.SetItems(sets.Distinct().Select(s => KeyValuePair.Create(s, HoldersOf(s).Add(node)))) }
        : this;

    /// <summary>Where other vector sets than these are is not kept in mind.</summary>
    public ClusterView Forget(IEnumerable<Digest> except)
    {
        var kept = except.ToHashSet();
        return this with { Holders = Holders.RemoveRange(Holders.Keys.Where(s => !kept.Contains(s))) };
    }

    /// <summary>A vector set is not whole on a node.</summary>
    public ClusterView Lack(NodeId node, IEnumerable<Digest> sets) =>
        this with { Holders = Holders.SetItems(sets.Distinct().Where(Holders.ContainsKey).Select(s => KeyValuePair.Create(s, HoldersOf(s).Remove(node)))) };

    public ImmutableHashSet<NodeId> HoldersOf(Digest set) => Holders.GetValueOrDefault(set, []);

    /// <summary>Nodes that have this work in hand.</summary>
    public IEnumerable<NodeId> RunnersOf(WorkKey work) => InFlight.Keys.Where(w => w.Work == work).Select(w => w.Node);

    public bool IsInFlight(WorkKey work) => RunnersOf(work).Any();

    /// <summary>Devices of a node that no piece of work is waiting for or using.</summary>
    public int Room(NodeId node) => Nodes[node].Devices.Length
        - InFlight.Keys.Count(w => w.Node == node && WorkKinds.Find(w.Work.Kind) is { OccupiesDevices: true });

    /// <summary>The one of these nodes with the least of a kind of work in hand for its devices.</summary>
    public NodeId? LeastBusy(string kind, IEnumerable<NodeId> among)
    {
        var load = InFlight.Keys.Where(w => w.Work.Kind == kind).GroupBy(w => w.Node).ToDictionary(g => g.Key, g => g.Count());
        return among.Order(Nodes.KeyComparer).Cast<NodeId?>()
            .MinBy(node => (load.GetValueOrDefault(node!.Value) + 1.0) / Math.Max(1, Nodes[node.Value].Devices.Length));
    }
}
