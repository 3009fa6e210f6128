using Akka.Configuration;
using Elastic.Storage;

namespace Elastic.Actors.Hosting;

/// <summary>A database address in Akka's configuration.</summary>
internal static class DatabaseConfig
{
    /// <summary>
    /// The settings of the journal and of the snapshots. They create no tables of their own: several seeds that start at once would
    /// collide on an empty database, so <see cref="DatabaseAddress.PrepareAsync"/> does that.
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

    /// <summary>What <see cref="Read"/> reads, e.g. in a lease's own section.</summary>
    public static string Keys(this DatabaseAddress database) => $"""
        database-kind = {database.Kind}
        connection-string = {Quote(database.ConnectionString)}
        """;

    public static DatabaseAddress Read(Config config) =>
        DatabaseAddress.Of(Enum.Parse<DatabaseKind>(config.GetString("database-kind")), config.GetString("connection-string"));

    public static string Quote(string text) => $"\"{text.Replace("\\", "\\\\", StringComparison.Ordinal).Replace("\"", "\\\"", StringComparison.Ordinal)}\"";
}
