using Akka.Actor;

namespace Elastic.Actors.Corpora;

/// <summary>Holds the reference to the cluster's shard region, which changes each time that this process joins the cluster.</summary>
internal sealed class ReaderWay
{
    // ClusterMembership writes it, block readers read it: a reference, so no lock.
    private volatile IActorRef? _region;

    /// <summary>The shard region; null while the process is in no cluster.</summary>
    public IActorRef? Region
    {
        get => _region;
        set => _region = value;
    }
}
