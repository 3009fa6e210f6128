using Elastic.Coordination;
using Elastic.Messages;
using Elastic.Messages.Runs;
using Elastic.Testing;
using static Elastic.Testing.RunSamples;

namespace Elastic.Storage.Tests;

[Collection(DatabaseCollection.Name)]
public sealed class StoredRunsTests(Databases databases) : TemporaryFolder
{
    private static readonly RunName Books = new("books");

    [Fact]
    public async Task A_database_that_no_seed_has_used_has_no_run()
    {
        Assert.Null(await StoredRuns.FindAsync(DatabaseAddress.Parse("sqlite:" + Path.Combine(Folder, "none.db"), Folder), Books, default));
        await File.WriteAllBytesAsync(Path.Combine(Folder, "journal.db"), []);
        Assert.Null(await StoredRuns.FindAsync(DatabaseAddress.Parse(null, Folder), Books, default));
    }

    [Theory]
    [InlineData(DatabaseKind.Sqlite)]
    [InlineData(DatabaseKind.Postgres)]
    public async Task A_run_that_was_made_longer_by_epochs_once_its_corpus_was_complete_has_them(DatabaseKind kind)
    {
        var database = await databases.NewAsync(kind);
        var begin = Begin with { Settings = Text(s => s with { Run = s.Run with { Rounds = 6 } }) };
        RunEvent[] events =
        [
            new RunEvent.RunStarted(Id, Begin.Run, begin.Settings, Elements, Begin.Corpus, 0, 0, "", Begin.Origin),
            new RunEvent.CorpusCompleted(Id, new CorpusEnd(300, 10), D("manifest")),
        ];
        var run = events.Aggregate(RunState.Empty(Id), Run.Apply);
        var (planned, _) = SegmentRequests.Plan(
            run, RunPlan.Of(run), """{"run.rounds":null,"run.epochs":2}""", null, new Origin("2", "somebody", default));
        await JournalTable.WriteAsync(database, Id, [.. events, planned!]);
        await new RunList(database).AddAsync(Id, Books.Value, default);
        Assert.Equal(2, (await StoredRuns.FindAsync(database, Books, default))!.Newest.Run.Epochs);
    }

    // Or the next command would take it for a name that is free, and begin it anew with the settings of "tiny".
    [Theory]
    [InlineData(DatabaseKind.Sqlite)]
    [InlineData(DatabaseKind.Postgres)]
    public async Task A_database_that_does_not_answer_is_not_one_without_the_run(DatabaseKind kind)
    {
        var database = await databases.NewAsync(kind);
        await database.CallAsync(
            TimeSpan.FromMinutes(1),
            (connection, cancel) => connection.ExecuteAsync("ALTER TABLE elastic_runs RENAME COLUMN name TO title", cancel), default);
        await Assert.ThrowsAsync<DatabaseUnavailableException>(() => StoredRuns.FindAsync(database, Books, default));
    }
}
