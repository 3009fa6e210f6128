using System.Collections.Immutable;
using Elastic.Messages;

namespace Elastic.Actors.Runs;

/// <summary>The kinds of work that a supervisor gives out.</summary>
public enum WorkKind
{
    Survey,
    Initialize,
    Evaluate,
    Checkpoint,
    Replica,
    Average,
    Assemble,
}

/// <summary>Names a piece of work, so that it is given out once.</summary>
/// <param name="Number">The round; for an evaluation or a checkpoint the version.</param>
/// <param name="Index">The replica; for an averaging the first chunk; else 0.</param>
/// <param name="Node">For work that every node does for itself: which one.</param>
public readonly record struct WorkKey(WorkKind Kind, int Number, int Index = 0, NodeId? Node = null);

/// <summary>A version that a node has assembled.</summary>
public readonly record struct HeldVersion(Digest Version, Digest Fingerprint);

/// <summary>
/// Who is there and what they have in hand. Nothing of this is stored: after a restart the nodes enlist again, and
/// work that was in hand is either reported or given out a second time, to the same bytes.
/// </summary>
/// <param name="Devices">Devices of each live node.</param>
/// <param name="InHand">Work given out and not yet answered, and to whom.</param>
/// <param name="Homes">Where each replica ran last: its inner state is there.</param>
/// <param name="Holders">Nodes that hold the assembled version of the current round.</param>
/// <param name="Surveyed">True once the blobs have been checked after the recovery.</param>
/// <param name="Stopping">True when no new work is to be given out.</param>
public sealed record Fleet(
    ImmutableSortedDictionary<NodeId, ImmutableArray<DeviceId>> Devices,
    ImmutableDictionary<WorkKey, NodeId> InHand,
    ImmutableDictionary<int, NodeId> Homes,
    ImmutableDictionary<NodeId, HeldVersion> Holders,
    bool Surveyed,
    bool Stopping)
{
    public static readonly Fleet Empty = new(
        ImmutableSortedDictionary.Create<NodeId, ImmutableArray<DeviceId>>(Comparer<NodeId>.Create((a, b) => string.CompareOrdinal(a.Value, b.Value))),
        ImmutableDictionary<WorkKey, NodeId>.Empty, ImmutableDictionary<int, NodeId>.Empty,
        ImmutableDictionary<NodeId, HeldVersion>.Empty, false, false);

    /// <summary>Devices of all nodes together.</summary>
    public int DeviceCount => Devices.Values.Sum(d => d.Length);

    /// <summary>A node that is there, or has come back.</summary>
    public Fleet Enlist(NodeId node, IEnumerable<DeviceId> devices) => this with { Devices = Devices.SetItem(node, [.. devices]) };

    /// <summary>A node that is gone: what it had in hand may be given to others.</summary>
    public Fleet Lose(NodeId node) => PutDown(node) with { Devices = Devices.Remove(node), Holders = Holders.Remove(node) };

    /// <summary>A node that has nothing in hand any more.</summary>
    public Fleet PutDown(NodeId node) => this with { InHand = InHand.RemoveRange(InHand.Where(w => w.Value == node).Select(w => w.Key)) };

    /// <summary>Work that is in nobody's hand any more.</summary>
    public Fleet Answered(WorkKey work) => this with { InHand = InHand.Remove(work) };

    /// <summary>The node with the least of this kind of work in hand for its devices; a replica's home where that is as good.</summary>
    public NodeId? Pick(WorkKind kind, int replica = -1)
    {
        if (Devices.IsEmpty)
            return null;
        var load = InHand.Where(w => w.Key.Kind == kind).GroupBy(w => w.Value).ToDictionary(g => g.Key, g => g.Count());
        return Devices.Keys
            .OrderBy(node => (load.GetValueOrDefault(node) + 1.0) / Math.Max(1, Devices[node].Length))
            .ThenBy(node => Homes.TryGetValue(replica, out var home) && home == node ? 0 : 1)
            .First();
    }
}
