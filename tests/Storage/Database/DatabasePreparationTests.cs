using System.Collections.Concurrent;
using Elastic.Foundation;
using Elastic.Messages;
using Elastic.Testing;

namespace Elastic.Storage.Tests;

[Collection(DatabaseCollection.Name)]
public sealed class DatabasePreparationTests(Databases databases)
{
    private static readonly TimeSpan Deadline = TimeSpan.FromSeconds(60);

    [Theory]
    [InlineData(DatabaseKind.Sqlite)]
    [InlineData(DatabaseKind.Postgres)]
    public async Task Many_seeds_may_prepare_an_empty_database_at_once_and_again(DatabaseKind kind)
    {
        var database = await databases.NewEmptyAsync(kind);
        await Task.WhenAll(Enumerable.Range(0, 12).Select(_ => database.PrepareAsync(Assert.Fail, default))).WaitAsync(Deadline);
        await database.PrepareAsync(Assert.Fail, default);
        Assert.Equal(1, await new CommitFence(database).BeginTermAsync(new RunId("r"), 0, default));
    }

    [Fact]
    public async Task A_wrong_password_and_a_missing_database_are_said_plainly_and_waited_for()
    {
        var database = await databases.NewEmptyAsync(DatabaseKind.Postgres);
        var connection = new Npgsql.NpgsqlConnectionStringBuilder(database.ConnectionString);
        var server = $"127.0.0.1:{connection.Port}";
        Assert.Contains(
            "refuses the user or the password",
            await FirstComplaintAsync($"postgres://elastic:wrong@{server}/{connection.Database}"), StringComparison.Ordinal);
        Assert.Contains(
            "no such database: create it",
            await FirstComplaintAsync($"postgres://elastic:{Uri.EscapeDataString(connection.Password!)}@{server}/nosuch"),
            StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_file_that_is_no_database_is_not_waited_for()
    {
        var path = Path.GetTempFileName();
        await File.WriteAllTextAsync(path, new string('x', 8192));
        var e = await Assert.ThrowsAsync<ElasticException>(() =>
            DatabaseAddress.Parse($"sqlite:{path}", "/").PrepareAsync(Assert.Fail, default));
        Assert.Contains(path, e.Message, StringComparison.Ordinal);
        File.Delete(path);
    }

    [Fact]
    public async Task Damaged_pages_of_a_journal_are_found_before_a_seed_uses_it_and_the_message_names_file_and_remedy()
    {
        var folder = Directory.CreateTempSubdirectory("elastic-").FullName;
        var path = Path.Combine(folder, "journal.db");
        var database = DatabaseAddress.Parse($"sqlite:{path}", "/");
        await database.PrepareAsync(Assert.Fail, default);
        var run = new RunId("tiny-3k9v2mq7");
        await JournalTable.WriteAsync(
            database, run, [.. Enumerable.Range(0, 500).Select(i => new Messages.Runs.RunEvent.ArithmeticChosen(run, $"cpu {i}"))]);
        await database.PrepareAsync(Assert.Fail, default);                        // whole: with a journal in it, and in use
        Microsoft.Data.Sqlite.SqliteConnection.ClearAllPools();                   // the write-ahead log goes into the file

        var bytes = await File.ReadAllBytesAsync(path);
        foreach (var page in new[] { bytes.Length / 4096 / 2, bytes.Length / 4096 / 3, bytes.Length / 4096 - 2 })
        {
            var damaged = (byte[])bytes.Clone();
            new Random(page).NextBytes(damaged.AsSpan(page * 4096, 4096));
            await File.WriteAllBytesAsync(path, damaged);
            var e = await Assert.ThrowsAsync<ElasticException>(() => database.PrepareAsync(Assert.Fail, default));
            Assert.StartsWith($"the journal sqlite:{path} is damaged (", e.Message, StringComparison.Ordinal);
            Assert.EndsWith(DamagedDatabase.Remedy, e.Message, StringComparison.Ordinal);
        }

        await File.WriteAllBytesAsync(path, bytes);
        await database.PrepareAsync(Assert.Fail, default);
        Microsoft.Data.Sqlite.SqliteConnection.ClearAllPools();
        Directory.Delete(folder, recursive: true);
    }

    [Fact]
    public async Task A_database_that_is_down_is_waited_for_and_a_commit_survives_a_restart_of_it()
    {
        await using var postgres = await PostgresInstance.StartNewAsync();
        var database = DatabaseAddress.Parse(postgres.Url, "/");
        await postgres.StopAsync();

        var said = new ConcurrentQueue<string>();
        using var complained = new SemaphoreSlim(0);
        var preparing = database.PrepareAsync(why =>
        {
            said.Enqueue(why);
            complained.Release();
        }, default);
        Assert.True(await complained.WaitAsync(Deadline));
        Assert.True(await complained.WaitAsync(Deadline));
        Assert.False(preparing.IsCompleted);
        Assert.All(said, why => Assert.Matches(
            @"^the database postgres://elastic@.* cannot be reached .*: start it, or correct --database; the next attempt is in \d+\.\d s$",
            why));
        await postgres.StartAsync();
        await preparing.WaitAsync(Deadline);

        var fence = new CommitFence(database);
        var term = await fence.BeginTermAsync(new RunId("r"), 0, default);
        await postgres.StopAsync();
        var committing = fence.CommitAsync(new RunId("r"), term, 0, Digest.Of([1]), default);
        Assert.False(committing.IsCompleted);
        await postgres.StartAsync();
        Assert.True(await committing.WaitAsync(Deadline));
    }

    // Cancels at the first complaint, which also shows that waiting can be cancelled.
    private static async Task<string> FirstComplaintAsync(string url)
    {
        using var stop = new CancellationTokenSource();
        var said = new List<string>();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => DatabaseAddress.Parse(url, "/").PrepareAsync(why =>
        {
            said.Add(why);
            stop.Cancel();
        }, stop.Token).WaitAsync(Deadline));
        return said[0];
    }
}
