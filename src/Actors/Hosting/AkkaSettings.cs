using System.Globalization;
using Akka.Configuration;
using Elastic.Actors.Nodes;
using Elastic.Messages.Settings;
using Microsoft.Data.Sqlite;

namespace Elastic.Actors.Hosting;

/// <summary>The actor system's configuration: hocon/akka.conf below what the node's settings say.</summary>
internal static class AkkaSettings
{
    public static string ConnectionString(string journal) => new SqliteConnectionStringBuilder { DataSource = journal }.ToString();

    /// <summary>A node of the cluster.</summary>
    public static Config For(NodeSettings node, DataPaths paths) => ConfigurationFactory.ParseString($$"""
        akka.remote.dot-netty.tcp { hostname = {{Quote(node.Host)}}, port = {{node.Port.ToString(CultureInfo.InvariantCulture)}} }
        akka.cluster.roles = [seed, worker]
        elastic.tokenizer-dispatcher.dedicated-thread-pool.thread-count = {{Environment.ProcessorCount.ToString(CultureInfo.InvariantCulture)}}
        """).WithFallback(ForJournal(paths));

    /// <summary>An actor system that is in no cluster and only reads the journal.</summary>
    public static Config ForReading(DataPaths paths) =>
        ConfigurationFactory.ParseString("akka.actor.provider = local").WithFallback(ForJournal(paths));

    private static Config ForJournal(DataPaths paths)
    {
        using var stream = typeof(AkkaSettings).Assembly.GetManifestResourceStream("hocon/akka.conf")!;
        using var reader = new StreamReader(stream);
        return ConfigurationFactory.ParseString($$"""
            akka.persistence.journal.sql.connection-string = {{Quote(ConnectionString(paths.Journal))}}
            elastic.log-file = {{Quote(Path.Combine(paths.Root, "log.txt"))}}
            """).WithFallback(ConfigurationFactory.ParseString(reader.ReadToEnd()));
    }

    private static string Quote(string text) => $"\"{text.Replace("\\", "\\\\", StringComparison.Ordinal).Replace("\"", "\\\"", StringComparison.Ordinal)}\"";
}
