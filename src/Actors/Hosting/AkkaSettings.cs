using System.Globalization;
using Akka.Configuration;
using Elastic.Actors.Membership;
using Elastic.Storage;

namespace Elastic.Actors.Hosting;

/// <summary>The actor systems' configuration: hocon/akka.conf below what the node's settings say.</summary>
internal static class AkkaSettings
{
    /// <summary>A member of the cluster.</summary>
    /// <param name="port">0 for any free one.</param>
    /// <param name="database">Of a seed; null for a worker.</param>
    public static Config ForMember(string host, int port, string[] roles, NetworkPreset network, DatabaseAddress? database, DataPaths paths) =>
        ConfigurationFactory.ParseString($$"""
            akka.remote.dot-netty.tcp { hostname = {{DatabaseConfig.Quote(host)}}, port = {{port.ToString(CultureInfo.InvariantCulture)}} }
            # Before joining: others gossip about the shard readers' homes at once.
            akka.extensions = ["Akka.DistributedData.DistributedDataProvider, Akka.DistributedData"]
            akka.cluster.roles = [{{string.Join(", ", roles)}}]
            """).WithFallback(database is null ? MembershipConfig.ForWorker(network) : MembershipConfig.ForSeed(network, database)).WithFallback(Common(paths));

    /// <summary>What a process computes with; it outlives its memberships.</summary>
    public static Config ForDevices(DataPaths paths) => ConfigurationFactory.ParseString($$"""
        akka.actor.provider = local
        elastic.tokenizer-dispatcher.dedicated-thread-pool.thread-count = {{Environment.ProcessorCount.ToString(CultureInfo.InvariantCulture)}}
        """).WithFallback(Common(paths));

    private static Config Common(DataPaths paths)
    {
        using var stream = typeof(AkkaSettings).Assembly.GetManifestResourceStream("hocon/akka.conf")!;
        using var reader = new StreamReader(stream);
        return ConfigurationFactory.ParseString($"elastic.log-file = {DatabaseConfig.Quote(Path.Combine(paths.Root, "log.txt"))}")
            .WithFallback(ConfigurationFactory.ParseString(reader.ReadToEnd()));
    }
}
