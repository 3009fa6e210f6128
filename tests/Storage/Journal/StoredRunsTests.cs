using Elastic.Messages;
using Elastic.Testing;

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
