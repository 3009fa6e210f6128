using Akka.Actor;
using Akka.Cluster;
using Elastic.Actors.Hosting;
using Elastic.Actors.Remoting;
using Elastic.Storage;

namespace Elastic.Actors.Membership;

/// <summary>Tells Akka how to down nodes; made by <c>akka.cluster.downing-provider-class</c>.</summary>
public sealed class DowningProvider(ActorSystem system, Cluster cluster) : IDowningProvider
{
    /// <summary>No margin: the supervisor waits for its lease, and two readers of the same corpus shard do no harm.</summary>
    public TimeSpan DownRemovalMargin => TimeSpan.Zero;

    /// <inheritdoc/>
    public Props DowningActorProps
    {
        get
        {
            var section = system.Settings.Config.GetConfig("elastic.membership");
            var settings = MembershipSettings.Of(section);
            var downed = cluster.SelfRoles.Contains("seed") ? new DownedSeeds(DatabaseConfig.Read(section.GetConfig("database"))) : null;
            var transport = TransportSetup.Of(system);
            return Props.Create(() => new DowningActor(cluster, settings, downed, transport));
        }
    }
}
