using Elastic.Foundation;
using Elastic.Messages;
using Elastic.Messages.Runs;
using Elastic.Testing;
using static Elastic.Testing.RunSamples;

namespace Elastic.Storage.Tests;

[Collection(DatabaseCollection.Name)]
public sealed class JournalReaderTests(Databases databases)
{
    public static TheoryData<DatabaseKind> Kinds => [DatabaseKind.Sqlite, DatabaseKind.Postgres];

    public static TheoryData<DatabaseKind, string, string> Tamperings => new(
        from kind in new[] { DatabaseKind.Sqlite, DatabaseKind.Postgres }
        from tampering in new[]
        {
            ("DELETE FROM journal WHERE sequence_number = 1", "the journal of run a-00000000 has a gap: event 1 is missing;"),
            ("DELETE FROM journal WHERE sequence_number = 7", "the journal of run a-00000000 has a gap: event 7 is missing;"),
            ("UPDATE journal SET deleted = (1 = 1) WHERE sequence_number = 3",
                "the journal of run a-00000000 has a gap: event 3 is missing;"),
            ("UPDATE journal SET identifier = 4053 WHERE sequence_number = 1",
                "run a-00000000: its journal was written by an older version of Elastic, and this version does not read it: " +
                "finish the run with the version that wrote it,"),
            ("UPDATE journal SET identifier = NULL WHERE sequence_number = 2",
                "event 2 of run a-00000000 was written by serializer 0, which is none of Elastic's:"),
            ("UPDATE journal SET manifest = 'nothing' WHERE sequence_number = 2",
                "event 2 of run a-00000000: the journal has an event \"nothing\", which this version of Elastic does not know:"),
            ("UPDATE journal SET manifest = NULL WHERE sequence_number = 2", "event 2 of run a-00000000: the journal has an event \"\""),
            ("UPDATE journal SET message = manifest WHERE sequence_number = 2",
                "event 2 of run a-00000000: an event \"corpus-published\" of the journal is damaged ("),
        }
        // A text is no bytes there.
        where kind == DatabaseKind.Sqlite || !tampering.Item1.Contains("message = manifest", StringComparison.Ordinal)
        select new TheoryDataRow<DatabaseKind, string, string>(kind, tampering.Item1, tampering.Item2));

    [Theory, MemberData(nameof(Kinds))]
    public async Task A_run_s_events_are_read_in_order_and_no_other_run_s(DatabaseKind kind)
    {
        var database = await databases.NewAsync(kind);
        List<RunEvent> journal =
            [.. Enumerable.Range(0, 320).SelectMany(Results), .. Journal(2), .. Enumerable.Range(0, 900).SelectMany(Results)];
        await JournalTable.WriteAsync(database, new RunId($"{Id}0"), Journal(1));
        await JournalTable.WriteAsync(database, Id, journal);
        await JournalTable.WriteAsync(database, new RunId("A-00000000"), Journal(1));

        Assert.Equal(journal.Select(GoldenLines.Write), (await JournalReader.ReadAsync(database, Id, default)).Select(GoldenLines.Write));
        Assert.Empty(await JournalReader.ReadAsync(database, new RunId("nobody"), default));
    }

    [Theory, MemberData(nameof(Tamperings))]
    public async Task A_journal_that_was_tampered_with_or_is_of_an_older_version_is_refused_with_what_and_where(
        DatabaseKind kind, string tampering, string complaint)
    {
        var database = await databases.NewAsync(kind);
        await JournalTable.WriteAsync(database, Id, Journal(2));
        await JournalTable.ChangeAsync(database, tampering);
        var refusal = await Assert.ThrowsAsync<ElasticException>(() => JournalReader.ReadAsync(database, Id, default));
        Assert.StartsWith(complaint, refusal.Message, StringComparison.Ordinal);
    }

    [Theory, MemberData(nameof(Kinds))]
    public async Task The_reader_changes_nothing_and_cannot(DatabaseKind kind)
    {
        var database = (await databases.NewAsync(kind)).ReadOnly();
        await Assert.ThrowsAnyAsync<System.Data.Common.DbException>(() => JournalTable.WriteAsync(database, Id, Journal(1)));
    }

    [Theory, MemberData(nameof(Kinds))]
    public async Task The_reader_does_not_wait_for_a_writer_that_is_in_the_middle_of_something(DatabaseKind kind)
    {
        var database = await databases.NewAsync(kind);
        await JournalTable.WriteAsync(database, Id, Journal(1));
        await using var connection = await database.OpenAsync(default);
        await using var transaction = await database.BeginExclusiveAsync(connection, default);
        await connection.ExecuteAsync("UPDATE journal SET manifest = 'nothing'", default);
        Assert.Equal(Journal(1).Count, (await JournalReader.ReadAsync(database, Id, default)).Count);
    }
}
