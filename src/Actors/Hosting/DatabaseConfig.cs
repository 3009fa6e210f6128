using Akka.Configuration;
using Elastic.Storage;

namespace Elastic.Actors.Hosting;

/// <summary>A database address in Akka's configuration.</summary>
internal static class DatabaseConfig
{
    /// <summary>
    /// The settings of the journal and of the snapshots. Akka creates no tables: several seeds that start at once would
    /// collide on an empty database, so <see cref="DatabaseAddress.PrepareAsync"/> creates them.
    /// </summary>
    public static Config JournalSettings(this DatabaseAddress database) => ConfigurationFactory.ParseString($$"""
        akka.persistence.journal.sql {
          provider-name = "{{database.ProviderName}}"
          connection-string = {{Quote(database.ConnectionString)}}
          auto-initialize = off
        }
        akka.persistence.snapshot-store.sql {
          provider-name = "{{database.ProviderName}}"
          connection-string = {{Quote(database.ConnectionString)}}
          auto-initialize = off
        }
        """).WithFallback(Akka.Persistence.Sql.SqlPersistence.DefaultConfiguration);

    /// <summary>Writes the keys that <see cref="Read"/> reads, e.g. for a lease's own section.</summary>
    public static string Keys(this DatabaseAddress database) => $"""
        database-kind = {database.Kind}
        connection-string = {Quote(database.ConnectionString)}
        """;

    public static DatabaseAddress Read(Config config) =>
        DatabaseAddress.Of(Enum.Parse<DatabaseKind>(config.GetString("database-kind")), config.GetString("connection-string"));

    public static string Quote(string text) =>
        $"\"{text.Replace("\\", "\\\\", StringComparison.Ordinal).Replace("\"", "\\\"", StringComparison.Ordinal)}\"";
}
