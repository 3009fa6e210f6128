using System.Collections.Immutable;
using Elastic.Foundation;
using Elastic.Messages;
using Elastic.Messages.Work;

namespace Elastic.Coordination;

/// <summary>A piece of work in flight on a node. Stragglers' second runners and audits put the same work onto two nodes.</summary>
public readonly record struct InFlightWork(WorkKey Work, NodeId Node);

/// <summary>A live node, as this run sees it.</summary>
/// <param name="Devices">Devices that may compute for this run; a node without any still stores.</param>
/// <param name="Seed">Meant to stay.</param>
/// <param name="Leaving">Leaving, or resting after a failure: the node gets no more work, and what only it holds is copied
/// elsewhere.</param>
/// <param name="Endpoint">The node's endpoint on the data plane.</param>
public readonly record struct ViewedNode(ImmutableArray<DeviceId> Devices, bool Seed, bool Leaving, string Endpoint);

/// <summary>
/// The nodes, the work in flight on them and the sets that they hold. None of it is stored: after a restart the nodes enlist again, and
/// work that was in flight is either reported or given out a second time, to the same bytes.
/// </summary>
/// <param name="InFlight">Work given out and not yet answered, and when it was given.</param>
/// <param name="Homes">The node that ran each replica last and holds its inner state.</param>
/// <param name="Assembled">Nodes that hold the version that the current round ends in.</param>
/// <param name="Holders">The nodes that are known to hold each vector set intact.</param>
/// <param name="Surveyed">True once a survey after the recovery, or after a loss, has found what is still intact.</param>
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

    /// <summary>
    /// How long what was said to a live node, or by it, may be under way, or be lost with its connection: the node reports its work every
    /// second.
    /// </summary>
    internal static readonly TimeSpan InTransit = TimeSpan.FromSeconds(3);

    // Of InFlight, by work: a scheduler asks of thousands of pieces whether they are in flight, whenever one of them is answered.
    private ImmutableDictionary<WorkKey, ImmutableHashSet<NodeId>> Runners { get; init; } =
        ImmutableDictionary<WorkKey, ImmutableHashSet<NodeId>>.Empty;

    /// <summary>True while some nodes cannot fetch from each other: what they need goes by way of seeds, which all of them reach.</summary>
    public bool Relays { get; init; }

    /// <summary>
    /// True when a node can fetch a set from somebody: while bytes go by way of seeds, it has to have the set, be a seed, or find it on
    /// one of them. What nobody is known to have is asked for, too: that nobody has it is noticed by the answer.
    /// </summary>
    public bool CanFetch(NodeId node, Digest set) => !Relays || Nodes[node].Seed || HoldersOf(set) is var holders
        && (holders.IsEmpty || holders.Contains(node) || !Staying.Any(n => Nodes[n].Seed)
            || holders.Any(h => Nodes.TryGetValue(h, out var n) && n.Seed));

    /// <summary>Work in flight that waits on its node for devices, and the run that computes there, with its priority.</summary>
    public ImmutableDictionary<InFlightWork, (RunId Behind, int Priority)> Queued { get; init; } =
        ImmutableDictionary<InFlightWork, (RunId, int)>.Empty;

    /// <summary>
    /// The attempt that work in flight belongs to, of replicas that several nodes compute together (<see cref="Compute.Attempt"/>).
    /// </summary>
    public ImmutableDictionary<InFlightWork, string> Attempts { get; init; } = ImmutableDictionary<InFlightWork, string>.Empty;

    /// <summary>The nodes that computed a replica together last, by stage, with this one as the first of them.</summary>
    public ImmutableDictionary<(int Replica, NodeId First), ImmutableArray<NodeId>> Teams { get; init; } =
        ImmutableDictionary<(int, NodeId), ImmutableArray<NodeId>>.Empty;

    /// <summary>True while a node that is away may be back in a moment: audits wait for it.</summary>
    public bool MayBeJoined { get; init; }

    /// <summary>
    /// True when nodes that may compare their bytes with those of <paramref name="others"/> are there, though they rest or leave now, or
    /// may come.
    /// </summary>
    /// <param name="nodes">How many it takes.</param>
    public bool MayBeCompared(IReadOnlySet<NodeId> others, int nodes = 1) =>
        MayBeJoined || Nodes.Count(n => n.Value.Devices.Length > 0 && !others.Contains(n.Key)) >= nodes;

    /// <summary>Devices of all nodes together.</summary>
    public int DeviceCount => Nodes.Values.Sum(n => n.Devices.Length);

    /// <summary>Nodes that may be given work that needs a device.</summary>
    public IEnumerable<NodeId> Workers => Nodes.Where(n => !n.Value.Leaving && n.Value.Devices.Length > 0).Select(n => n.Key);

    /// <summary>Nodes that are neither leaving nor resting.</summary>
    public IEnumerable<NodeId> Staying => Nodes.Where(n => !n.Value.Leaving).Select(n => n.Key);

    /// <summary>How many nodes are to hold each set that must not be lost: two, or as many as stay.</summary>
    public int Copies => Math.Min(2, Math.Max(1, Staying.Count()));

    /// <summary>Enters a node, or updates it.</summary>
    public ClusterView Enlist(
        NodeId node, IEnumerable<DeviceId> devices, bool seed = false, bool leaving = false, string endpoint = "") =>
        Nodes.TryGetValue(node, out var known) && known.Seed == seed && known.Leaving == leaving && known.Endpoint == endpoint
            && known.Devices.SequenceEqual(devices)
            ? this
            : this with { Nodes = Nodes.SetItem(node, new ViewedNode([.. devices], seed, leaving, endpoint)) };

    /// <summary>Removes a node that is gone: others may be given what was in flight on it.</summary>
    public ClusterView Lose(NodeId node) => PutDown(node) with
    {
        Nodes = Nodes.Remove(node),
        Assembled = Assembled.Remove(node),
        Teams = Teams.RemoveRange(Teams.Keys.Where(t => t.First == node)),
        Holders = Holders.SetItems(
            Holders.Where(h => h.Value.Contains(node)).Select(h => KeyValuePair.Create(h.Key, h.Value.Remove(node)))),
    };

    /// <summary>Marks a node as having nothing in flight.</summary>
    public ClusterView PutDown(NodeId node) => InFlight.Keys.Where(w => w.Node == node).Aggregate(this, (view, w) => view.Ended(w)) with
    {
        Queued = Queued.RemoveRange(Queued.Keys.Where(w => w.Node == node)),
        Attempts = Attempts.RemoveRange(Attempts.Keys.Where(w => w.Node == node)),
    };

    /// <summary>Marks work as in flight: given to the node, or reported by it.</summary>
    /// <param name="attempt">Tells apart the times that a replica is given out, where several nodes compute it together; else null.</param>
    public ClusterView Give(WorkKey work, NodeId node, TimeSpan now, string? attempt = null) => Begun(new InFlightWork(work, node)) with
    {
        InFlight = InFlight.SetItem(new InFlightWork(work, node), now),
        Runners = Runners.SetItem(work, Runners.GetValueOrDefault(work, []).Add(node)),
        Attempts = attempt is null
            ? Attempts.Remove(new InFlightWork(work, node)) : Attempts.SetItem(new InFlightWork(work, node), attempt),
    };

    /// <summary>Notes that work waits on its node for devices, behind another run's.</summary>
    public ClusterView Queue(InFlightWork work, RunId behind, int priority) =>
        !InFlight.ContainsKey(work) || (Queued.TryGetValue(work, out var known) && known == (behind, priority))
            ? this
            : this with { Queued = Queued.SetItem(work, (behind, priority)) };

    /// <summary>Notes that work does not wait for devices any more.</summary>
    public ClusterView Begun(InFlightWork work) => Queued.ContainsKey(work) ? this with { Queued = Queued.Remove(work) } : this;

    /// <summary>Marks work as no longer in flight on the node.</summary>
    public ClusterView Answered(WorkKey work, NodeId node) =>
        Begun(new InFlightWork(work, node)).Ended(new InFlightWork(work, node)) with
        {
            Attempts = Attempts.Remove(new InFlightWork(work, node)),
        };

    /// <summary>Notes that a node holds these vector sets intact.</summary>
    public ClusterView Hold(NodeId node, params IEnumerable<Digest> sets) => Nodes.ContainsKey(node)
        ? this with { Holders = Holders.SetItems(sets.Distinct().Select(s => KeyValuePair.Create(s, HoldersOf(s).Add(node)))) }
        : this;

    /// <summary>Forgets the holders of all vector sets but these.</summary>
    public ClusterView Forget(IEnumerable<Digest> except)
    {
        var kept = except.ToHashSet();
        return this with { Holders = Holders.RemoveRange(Holders.Keys.Where(s => !kept.Contains(s))) };
    }

    /// <summary>Notes that a node does not hold these vector sets intact.</summary>
    public ClusterView Lack(NodeId node, IEnumerable<Digest> sets) =>
        this with
        {
            Holders = Holders.SetItems(
                sets.Distinct().Where(Holders.ContainsKey).Select(s => KeyValuePair.Create(s, HoldersOf(s).Remove(node))))
        };

    public ImmutableHashSet<NodeId> HoldersOf(Digest set) => Holders.GetValueOrDefault(set, []);

    /// <summary>Nodes on which this work is in flight.</summary>
    public IEnumerable<NodeId> RunnersOf(WorkKey work) => Runners.GetValueOrDefault(work, []);

    public bool IsInFlight(WorkKey work) => Runners.ContainsKey(work);

    /// <summary>Devices of a node that no work in flight occupies or is to occupy.</summary>
    public int Room(NodeId node) => Nodes[node].Devices.Length
        - InFlight.Keys.Count(w => w.Node == node && WorkKinds.Find(w.Work.Kind) is { OccupiesDevices: true });

    /// <summary>The one of these nodes with the least of a kind of work in flight for its devices.</summary>
    public NodeId? LeastBusy(string kind, IEnumerable<NodeId> among)
    {
        var load = InFlight.Keys.Where(w => w.Work.Kind == kind).GroupBy(w => w.Node).ToDictionary(g => g.Key, g => g.Count());
        return among.Order(Nodes.KeyComparer).Cast<NodeId?>()
            .MinBy(node => (load.GetValueOrDefault(node!.Value) + 1.0) / Math.Max(1, Nodes[node.Value].Devices.Length));
    }

    private ClusterView Ended(InFlightWork work)
    {
        var others = Runners.GetValueOrDefault(work.Work, []).Remove(work.Node);
        return this with
        {
            InFlight = InFlight.Remove(work),
            Runners = others.IsEmpty ? Runners.Remove(work.Work) : Runners.SetItem(work.Work, others),
        };
    }
}
