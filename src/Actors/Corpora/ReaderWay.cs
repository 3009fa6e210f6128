using Akka.Actor;

namespace Elastic.Actors.Corpora;

/// <summary>The way to the cluster's shard readers, which is another one each time that this process joins the cluster.</summary>
internal sealed class ReaderWay
{
    // Written by whoever joins the cluster, read by whoever reads blocks: a reference, so no lock.
    private volatile IActorRef? _region;

    /// <summary>The shard region; null while the process is in no cluster.</summary>
    public IActorRef? Region
    {
        get => _region;
        set => _region = value;
    }
}
