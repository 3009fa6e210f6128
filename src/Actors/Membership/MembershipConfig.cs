using Akka.Actor;
using Akka.Cluster.Tools.Singleton;
using Akka.Configuration;
using Akka.Coordination;
using Elastic.Actors.Hosting;
using Elastic.Storage;

namespace Elastic.Actors.Membership;

/// <summary>The settings of membership and downing, which belong above hocon/akka.conf.</summary>
public static class MembershipConfig
{
    private const string SingletonLease = "elastic.singleton-lease";

    // A process that is downed, or gives up, ends only its actor system: it starts a fresh one and joins again.
    private const string Common = """
        akka {
          cluster {
            downing-provider-class = "Elastic.Actors.Membership.DowningProvider, Elastic.Actors"
            run-coordinated-shutdown-when-down = on
          }
          coordinated-shutdown { terminate-actor-system = on, exit-clr = off }
        }
        """;

    /// <summary>The configuration of a process with the role seed, with or without other roles; it has the database.</summary>
    public static Config ForSeed(NetworkPreset network, DatabaseAddress database)
    {
        ArgumentNullException.ThrowIfNull(network);
        ArgumentNullException.ThrowIfNull(database);
        return ConfigurationFactory.ParseString($$"""
            elastic.membership.database { {{database.Keys()}} }
            {{SingletonLease}} {
              lease-class = "Elastic.Actors.Membership.SqlLease, Elastic.Actors"
              {{database.Keys()}}
            }
            """).WithFallback(database.JournalSettings()).WithFallback(ForWorker(network));
    }

    /// <summary>The configuration of a process with the role worker alone.</summary>
    public static Config ForWorker(NetworkPreset network)
    {
        ArgumentNullException.ThrowIfNull(network);
        return ConfigurationFactory.ParseString(Common).WithFallback(network.Settings);
    }

    /// <summary>
    /// The settings of the singleton on the seeds. It starts only where it has taken a lease on the database, and stops where it has lost
    /// the lease, so that a supervisor that was cut off has let go of the journal before another one replays it.
    /// </summary>
    /// <param name="system">Actor system that was made with <see cref="ForSeed"/>.</param>
    public static ClusterSingletonManagerSettings SeedSingleton(ActorSystem system)
    {
        ArgumentNullException.ThrowIfNull(system);
        return ClusterSingletonManagerSettings.Create(system).WithRole("seed")
            .WithLeaseSettings(
                new LeaseUsageSettings(SingletonLease, system.Settings.Config.GetTimeSpan($"{SingletonLease}.retry-interval")));
    }
}
