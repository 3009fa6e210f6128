using Elastic.Testing;
using Microsoft.Data.Sqlite;
using Npgsql;

namespace Elastic.Storage.Tests;

[Collection(DatabaseCollection.Name)]
public sealed class DatabaseCallsTests(Databases databases) : TemporaryFolder
{
    private static readonly TimeSpan Enough = TimeSpan.FromSeconds(60);

    private DatabaseAddress Database => DatabaseAddress.Parse(null, Folder);

    [Fact]
    public async Task Whatever_keeps_the_database_from_answering_is_one_exception_that_says_whether_it_may_pass_and_a_bug_stays_what_it_is()
    {
        var refused = await FailAsync(Enough, cancel => throw new SqliteException("no such table", 1));
        Assert.Equal(("no such table", false), (refused.Message, refused.IsTransient));
        Assert.IsType<SqliteException>(refused.InnerException);
        Assert.True((await FailAsync(Enough, cancel => throw new SqliteException("locked", 5))).IsTransient);
        Assert.True((await FailAsync(Enough, cancel => throw new IOException("cut"))).IsTransient);
        var full = await FailAsync(Enough, cancel => throw new SqliteException("database or disk is full.", 13));
        Assert.Equal("the disk of the journal is full (database or disk is full): free some space there", full.Message);

        var slow = await FailAsync(TimeSpan.FromMilliseconds(1), cancel => Task.Delay(Timeout.Infinite, cancel));
        Assert.Equal(($"{Database} did not answer within 0.001 s", true), (slow.Message, slow.IsTransient));

        await Assert.ThrowsAsync<InvalidDataException>(() => CallAsync(Enough, cancel => throw new InvalidDataException("a state")));
    }

    // A connection of the pool has the file that is gone, unless another test has closed it meanwhile.
    [Fact]
    public async Task After_an_error_that_does_not_pass_by_itself_the_file_is_opened_that_is_there_now()
    {
        var other = Path.Combine(Folder, "other.db");
        await CreateAsync(Database, "one");
        await CreateAsync(DatabaseAddress.Parse($"sqlite:{other}", Folder).Fresh(), "two");
        File.Move(other, Path.Combine(Folder, "journal.db"), overwrite: true);
        if (await Record.ExceptionAsync(CountAsync) is { } error)
            Assert.Contains("no such table: two", Assert.IsType<DatabaseUnavailableException>(error).Message, StringComparison.Ordinal);
        Assert.Equal(0L, await CountAsync());

        static Task<int> CreateAsync(DatabaseAddress database, string table) => database.CallAsync(
            Enough, (connection, cancel) => connection.ExecuteAsync($"CREATE TABLE {table} (n INTEGER)", cancel), default);

        Task<object?> CountAsync() => Database.CallAsync(
            Enough, (connection, cancel) => connection.ScalarAsync("SELECT COUNT(*) FROM two", cancel), default);
    }

    // As after a restart of the server: the first to use a connection of the pool finds it cut.
    [Fact]
    public async Task What_only_reads_is_read_again_where_the_server_has_cut_its_connection()
    {
        var database = await databases.NewAsync(DatabaseKind.Postgres);
        Assert.Equal(1, await OneAsync(database.ReadOnly()));
        Assert.Equal(1, await OneAsync(database));
        await CutAsync();
        Assert.Equal(1, await OneAsync(database.ReadOnly()));
        // What may have written may have taken effect: who called decides.
        Assert.True((await Assert.ThrowsAsync<DatabaseUnavailableException>(() => OneAsync(database))).IsTransient);
        Assert.Equal(1, await OneAsync(database));

        static Task<int> OneAsync(DatabaseAddress database) => database.CallAsync(
            Enough, async (connection, cancel) => (int)(await connection.ScalarAsync("SELECT 1", cancel))!, default);

        async Task CutAsync()
        {
            await using var connection = new NpgsqlConnection(
                new NpgsqlConnectionStringBuilder(database.ConnectionString) { Pooling = false }.ToString());
            await connection.OpenAsync();
            await connection.ExecuteAsync("SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity "
                + "WHERE datname = current_database() AND pid <> pg_backend_pid()", default);
        }
    }

    [Fact]
    public async Task A_call_that_was_cut_is_tried_again_and_one_that_was_refused_is_not()
    {
        var calls = 0;
        Assert.Equal(3, await Database.RetryAsync(
            Enough, Enough, (_, _) => ++calls < 3 ? throw new IOException("cut") : Task.FromResult(calls), default));
        await Assert.ThrowsAsync<DatabaseUnavailableException>(() => Database.RetryAsync<int>(Enough, Enough, (_, _) =>
        {
            calls++;
            throw new SqliteException("no such table", 1);
        }, default));
        Assert.Equal(4, calls);
    }

    private Task<DatabaseUnavailableException> FailAsync(TimeSpan deadline, Func<CancellationToken, Task> call) =>
        Assert.ThrowsAsync<DatabaseUnavailableException>(() => CallAsync(deadline, call));

    private Task<int> CallAsync(TimeSpan deadline, Func<CancellationToken, Task> call) => Database.CallAsync(deadline, async (_, cancel) =>
    {
        await call(cancel);
        return 0;
    }, default);
}
