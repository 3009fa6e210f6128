using Elastic.Storage;

namespace Elastic.Actors.Membership;

/// <summary>How far a member has come. Up includes Leaving: it still holds its work. Gone (downed or exiting) counts no more.</summary>
internal enum Standing { Joining, Up, Gone }

/// <summary>A member of the cluster as one node sees it at one moment.</summary>
/// <param name="Node">With its incarnation: host:port#uid.</param>
/// <param name="Heard">The observing node itself gets the member's heartbeats; what other nodes say about the member is ignored.</param>
/// <param name="SawNewest">The member has seen the newest membership, so that it lives and some node reaches it.</param>
/// <param name="Refuses">Its port refuses connections: the member's process has ended, and no longer silence makes it more certain.</param>
internal sealed record Peer(string Node, bool Seed, Standing Standing, bool Heard, bool SawNewest, bool Refuses = false);

/// <summary>The cluster as one node sees it at one moment.</summary>
/// <param name="Self">This node; it hears itself, and is not among the peers before it has joined.</param>
/// <param name="Peers">In the order of their addresses, which is the same for all.</param>
internal sealed record ClusterPicture(string Self, IReadOnlyList<Peer> Peers)
{
    /// <summary>True while this node belongs to the cluster and may take part in it.</summary>
    public bool IsMember => Peers.Any(p => p.Node == Self && p.Standing != Standing.Gone);

    /// <summary>Members that count and are silent.</summary>
    public IEnumerable<Peer> Silent => Peers.Where(p => !p.Heard && p.Standing != Standing.Gone);
}

/// <summary>What a node does about the cluster that it sees.</summary>
internal abstract record DowningDecision
{
    public sealed record Wait : DowningDecision;

    /// <summary>Down these workers. This needs no database: where no seed is silent, no other side could go on.</summary>
    public sealed record DownWorkers(IReadOnlyList<string> Nodes) : DowningDecision;

    /// <summary>Down these nodes if the seeds among them can be put on the list of <see cref="DownedSeeds"/>; else leave.</summary>
    public sealed record Judge(IReadOnlyList<string> Nodes, IReadOnlyList<string> Seeds) : DowningDecision;

    /// <summary>Leave, so that the process can join afresh.</summary>
    public sealed record End(string Why) : DowningDecision;
}
