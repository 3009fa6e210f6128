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

    // Two supervisors of one run, of which the older one does not know of the other.
    [Theory, MemberData(nameof(Kinds))]
    public async Task The_journal_refuses_the_event_of_a_writer_that_does_not_know_of_a_later_one(DatabaseKind kind)
    {
        var database = await databases.NewAsync(kind);
        using ActorSystem older = System(database, ""), newer = System(database, "");
        var outdated = older.ActorOf(Props.Create(() => new Collector()));
        Assert.Equal("a", await outdated.Ask<string>("a", Deadline));
        var current = newer.ActorOf(Props.Create(() => new Collector()));
        Assert.Equal("ab", await current.Ask<string>("b", Deadline));
        Assert.Equal("refused", await outdated.Ask<string>("c", Deadline));
        Assert.Equal("abd", await current.Ask<string>("d", Deadline));
        Assert.Equal("abde", await TellAsync(database, "", "e"));
    }

    private static ActorSystem System(DatabaseAddress database, string settings) => ActorSystem.Create(
        "journal", ConfigurationFactory.ParseString(settings + "\n" + Settings).WithFallback(database.JournalSettings()));

    private static async Task<string> TellAsync(DatabaseAddress database, string settings, string text)
    {
        var system = System(database, settings);
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
        private IActorRef? _asker;

        public Collector()
        {
            Recover<string>(text => _all += text);
            Recover<SnapshotOffer>(offer => _all = (string)offer.Snapshot);
            Command<string>(text =>
            {
                _asker = Sender;
                Persist(text, stored => SaveSnapshot(_all += stored));
            });
            Command<SaveSnapshotSuccess>(_ => _asker.Tell(_all));
        }

        public override string PersistenceId => "collector";

        protected override void OnPersistFailure(Exception cause, object @event, long sequenceNr) => _asker.Tell("refused");

        protected override void OnPersistRejected(Exception cause, object @event, long sequenceNr) => _asker.Tell("refused");
    }
}
