using Akka.Actor;
using Akka.Configuration;
using Akka.Persistence;
using Elastic.Actors.Hosting;
using Elastic.Storage;
using Elastic.Testing;

namespace Elastic.Actors.Tests.Database;

[Collection(DatabaseCollection.Name)]
public sealed class JournalSpecs(Databases databases)
{
    private static readonly TimeSpan Deadline = TimeSpan.FromSeconds(30);

    private const string Settings = """
        akka { loglevel = OFF, stdout-loglevel = OFF }
        akka.persistence.journal {
          plugin = akka.persistence.journal.sql
          sql.class = "Akka.Persistence.Sql.Journal.SqlWriteJournal, Akka.Persistence.Sql"
        }
        akka.persistence.snapshot-store {
          plugin = akka.persistence.snapshot-store.sql
          sql.class = "Akka.Persistence.Sql.Snapshot.SqlSnapshotStore, Akka.Persistence.Sql"
        }
        """;

    public static TheoryData<DatabaseKind> Kinds => [DatabaseKind.Sqlite, DatabaseKind.Postgres];

    [Theory, MemberData(nameof(Kinds))]
    public async Task What_is_persisted_is_replayed(DatabaseKind kind)
    {
        var database = await databases.NewAsync(kind);
        Assert.Equal("a", await TellAsync(database, "", "a"));
        Assert.Equal("ab", await TellAsync(database, "", "b"));
    }

    [Theory, MemberData(nameof(Kinds))]
    public async Task The_tables_of_journal_and_snapshots_are_those_that_Akka_would_create(DatabaseKind kind)
    {
        var theirs = await databases.NewEmptyAsync(kind);
        await TellAsync(theirs, "akka.persistence { journal.sql.auto-initialize = on, snapshot-store.sql.auto-initialize = on }", "a");
        Assert.Equal(await SchemaAsync(theirs), await SchemaAsync(await databases.NewAsync(kind)));
        // And a database that has them already keeps them, with all that is in them.
        await theirs.PrepareAsync(Assert.Fail, default);
        Assert.Equal("ab", await TellAsync(theirs, "", "b"));
    }

    private static async Task<string> TellAsync(DatabaseAddress database, string settings, string text)
    {
        var system = ActorSystem.Create(
            "journal", ConfigurationFactory.ParseString(settings + "\n" + Settings).WithFallback(database.JournalSettings()));
        try
        {
            return await system.ActorOf(Props.Create(() => new Collector())).Ask<string>(text, Deadline);
        }
        finally
        {
            await system.Terminate();
        }
    }

    // Columns and indexes, without the spelling.
    private static async Task<IReadOnlyList<string>> SchemaAsync(DatabaseAddress database)
    {
        await using var connection = await database.OpenAsync(default);
        await using var command = connection.CreateCommand();
        command.CommandText = database.Kind == DatabaseKind.Sqlite
            ? """
              SELECT upper(t.name || '.' || c.name || ' ' || c.type || ' ' || c."notnull" || ' ' || c.pk)
              FROM sqlite_master t, pragma_table_info(t.name) c WHERE t.name IN ('journal', 'tags', 'snapshot')
              UNION SELECT upper(t.name || ' ' || i.name || ' ' || i."unique" || ' ' || c.name || ' ' || c.seqno)
              FROM sqlite_master t, pragma_index_list(t.name) i, pragma_index_info(i.name) c
              """ +
              " WHERE t.name IN ('journal', 'tags', 'snapshot') ORDER BY 1"
            : "SELECT table_name || '.' || column_name || ' ' || data_type || ' ' || is_nullable || ' ' || is_identity || ' ' || " +
              "coalesce(identity_generation, '')\n" +
              """
              FROM information_schema.columns WHERE table_name IN ('journal', 'tags', 'snapshot')
              UNION SELECT indexdef FROM pg_indexes WHERE tablename IN ('journal', 'tags', 'snapshot') ORDER BY 1
              """;
        var lines = new List<string>();
        await using var reader = await command.ExecuteReaderAsync();
        while (await reader.ReadAsync())
            lines.Add(reader.GetString(0));
        Assert.NotEmpty(lines);
        return lines;
    }

    // Answers with all that was ever said to it, and keeps a snapshot of it.
    private sealed class Collector : ReceivePersistentActor
    {
        private string _all = "";

        public Collector()
        {
            IActorRef? asker = null;
            Recover<string>(text => _all += text);
            Recover<SnapshotOffer>(offer => _all = (string)offer.Snapshot);
            Command<string>(text =>
            {
                asker = Sender;
                Persist(text, stored => SaveSnapshot(_all += stored));
            });
            Command<SaveSnapshotSuccess>(_ => asker.Tell(_all));
        }

        public override string PersistenceId => "collector";
    }
}
