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

    public static Config For(NodeSettings node, DataPaths paths)
    {
        using var stream = typeof(AkkaSettings).Assembly.GetManifestResourceStream("hocon/akka.conf")!;
        using var reader = new StreamReader(stream);
        var own = $$"""
            akka.remote.dot-netty.tcp { hostname = {{Quote(node.Host)}}, port = {{node.Port.ToString(CultureInfo.InvariantCulture)}} }
            akka.cluster.roles = [seed, worker]
            akka.persistence.journal.sql.connection-string = {{Quote(ConnectionString(paths.Journal))}}
            elastic.log-file = {{Quote(Path.Combine(paths.Root, "log.txt"))}}
            elastic.tokenizer-dispatcher.dedicated-thread-pool.thread-count = {{Environment.ProcessorCount.ToString(CultureInfo.InvariantCulture)}}
            """;
        return ConfigurationFactory.ParseString(own).WithFallback(ConfigurationFactory.ParseString(reader.ReadToEnd()));
    }

    private static string Quote(string text) => $"\"{text.Replace("\\", "\\\\", StringComparison.Ordinal).Replace("\"", "\\\"", StringComparison.Ordinal)}\"";
}
