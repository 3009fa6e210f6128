using System.Globalization;
using Akka.Configuration;
using Elastic.Actors.Membership;
using Elastic.Foundation;
using Elastic.Storage;

namespace Elastic.Actors.Hosting;

/// <summary>The actor systems' configuration: the node's settings above hocon/akka.conf.</summary>
internal static class AkkaSettings
{
    /// <summary>The configuration of a member of the cluster.</summary>
    /// <param name="host">Not in brackets.</param>
    /// <param name="port">0 for any free one.</param>
    /// <param name="database">The seed's database; null for a worker.</param>
    public static Config ForMember(
        string host, int port, string[] roles, NodeVersion version, NetworkPreset network, DatabaseAddress? database,
        DataPaths paths) =>
        ConfigurationFactory.ParseString($$"""
            akka.remote.elastic { hostname = {{DatabaseConfig.Quote(host)}}, port = {{port.ToString(CultureInfo.InvariantCulture)}} }
            # Before joining: others gossip about the shard readers' homes at once.
            akka.extensions = ["Akka.DistributedData.DistributedDataProvider, Akka.DistributedData"]
            akka.cluster.roles = [{{string.Join(", ", roles)}}]
            akka.cluster.app-version = {{DatabaseConfig.Quote(version.ToString())}}
            """)
            .WithFallback(database is null ? MembershipConfig.ForWorker(network) : MembershipConfig.ForSeed(network, database))
            .WithFallback(Common(paths));

    /// <summary>The address of a process that is alone: a name for itself, at which nobody listens.</summary>
    public static readonly Endpoint Nowhere = new("127.0.0.1", 1);

    /// <summary>
    /// The configuration of the only member of a cluster. Its supervisor and its shard readers need a cluster, and a cluster needs
    /// an address; nobody listens there.
    /// </summary>
    public static Config ForMemberAlone(
        string[] roles, NodeVersion version, NetworkPreset network, DatabaseAddress database, DataPaths paths) =>
        ConfigurationFactory.ParseString("akka.remote.elastic.listens = off")
            .WithFallback(ForMember(Nowhere.Host, Nowhere.Port, roles, version, network, database, paths));

    /// <summary>The configuration of the actor system of the process's devices, which outlives its memberships.</summary>
    public static Config ForDevices(DataPaths paths)
    {
        var cores = Environment.ProcessorCount.ToString(CultureInfo.InvariantCulture);
        return ConfigurationFactory.ParseString($$"""
            akka.actor.provider = local
            elastic.tokenizer-dispatcher.dedicated-thread-pool.thread-count = {{cores}}
            """).WithFallback(Common(paths));
    }

    /// <summary>The form of log.txt, <c>node.log-format</c>.</summary>
    public static Config LogsAs(string format) => ConfigurationFactory.ParseString($"elastic.log-format = {DatabaseConfig.Quote(format)}");

    private static Config Common(DataPaths paths)
    {
        using var stream = typeof(AkkaSettings).Assembly.GetManifestResourceStream("hocon/akka.conf")!;
        using var reader = new StreamReader(stream);
        return ConfigurationFactory.ParseString($"elastic.log-file = {DatabaseConfig.Quote(Path.Combine(paths.Root, "log.txt"))}")
            .WithFallback(ConfigurationFactory.ParseString(reader.ReadToEnd()));
    }
}
