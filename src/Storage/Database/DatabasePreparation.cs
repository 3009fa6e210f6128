using System.Data.Common;
using System.Globalization;
using System.Security.Authentication;
using Elastic.Foundation;
using Microsoft.Data.Sqlite;
using Npgsql;

namespace Elastic.Storage;

/// <summary>
/// Waits for the database and creates the tables. Under a lock, because <c>CREATE TABLE IF NOT EXISTS</c> by two sessions at once fails in
/// one of them on an empty PostgreSQL.
/// </summary>
public static class DatabasePreparation
{
    private static readonly Backoff Retry = new(TimeSpan.FromMilliseconds(500), TimeSpan.FromSeconds(15));
    private static readonly TimeSpan AttemptDeadline = TimeSpan.FromSeconds(20);

    // Any number that no other program's advisory lock has: "elastic" in ASCII.
    internal const long LockKey = 0x656c6173746963;

    // A seed that was downed ends within seconds; its row is kept for a month for people who ask what happened.
    private const long DownedRowMilliseconds = 30L * 24 * 3600 * 1000;

    public static async Task RunAsync(DatabaseAddress database, Action<string> say, CancellationToken cancel)
    {
        ArgumentNullException.ThrowIfNull(say);
        for (var attempt = 0; ; attempt++)
        {
            try
            {
                if (attempt == 0)
                    await DemandWholeAsync(database, say, cancel);
                await database.CallAsync(AttemptDeadline, (connection, token) => CreateAsync(database, connection, token), cancel);
                return;
            }
            catch (DatabaseUnavailableException e) when (e is { InnerException: SqliteException, IsTransient: false })
            {
                throw new ElasticException(Describe(database, e.InnerException!), e);
            }
            catch (DatabaseUnavailableException e)
            {
                var delay = Retry.After(attempt);
                say($"{Describe(database, e.InnerException!)}; " +
                    $"the next attempt is in {delay.TotalSeconds.ToString("0.0", CultureInfo.InvariantCulture)} s");
                await Task.Delay(delay, cancel);
            }
        }
    }

    private static async Task DemandWholeAsync(DatabaseAddress database, Action<string> say, CancellationToken cancel)
    {
        try
        {
            if (await DamagedDatabase.ProblemAsync(database, cancel) is { } problem)
                throw new ElasticException($"{problem}: {DamagedDatabase.Remedy}");
        }
        catch (DatabaseUnavailableException e) when (e.InnerException is TimeoutException)
        {
            say($"the journal {database} is so large that it is used without a look at all of its pages");
        }
    }

    private static async Task<bool> CreateAsync(DatabaseAddress database, DbConnection connection, CancellationToken cancel)
    {
        // Write-ahead logging stays set in the file: readers and the writer of several seeds do not wait for each other, and our small
        // transactions are about three times faster. It cannot be switched inside a transaction.
        if (database.Kind == DatabaseKind.Sqlite)
            await connection.ExecuteAsync("PRAGMA journal_mode = WAL", cancel);
        await using var transaction = await database.BeginExclusiveAsync(connection, cancel);
        await connection.ExecuteAsync(database.Kind == DatabaseKind.Sqlite ? DatabaseTables.Sqlite : DatabaseTables.Postgres, cancel);
        await connection.ExecuteAsync(
            database.Kind == DatabaseKind.Sqlite ? DatabaseTables.SqliteTail : DatabaseTables.PostgresTail, cancel);
        await connection.ExecuteAsync(DatabaseTables.Ours, cancel);
        await connection.ExecuteAsync(ObservationStore.TableFor(database.Kind), cancel);
        await connection.ExecuteAsync(
            $"DELETE FROM elastic_downed WHERE downed_at < {database.Now()} - @age", cancel, ("age", DownedRowMilliseconds));
        await transaction.CommitAsync(cancel);
        return true;
    }

    private static string Describe(DatabaseAddress database, Exception e) => e switch
    {
        PostgresException { SqlState: "28P01" or "28000" } p =>
            $"the database {database} refuses the user or the password ({p.MessageText}): " +
            "correct --database, or the user's password in PostgreSQL",
        PostgresException { SqlState: "3D000" } =>
            $"the server of {database} has no such database: create it (CREATE DATABASE), or correct --database",
        PostgresException { SqlState: "42501" } p =>
            $"the user of {database} may not create tables ({p.MessageText}): grant CREATE on the schema public",
        PostgresException { SqlState: "53300" } =>
            $"the database {database} has no connection left: raise max_connections, or close other programs' connections",
        PostgresException p => $"the database {database} is not ready ({p.MessageText}, {p.SqlState}): see the server's log",
        NpgsqlException { InnerException: AuthenticationException a } =>
            $"the database {database} is not trusted ({a.Message.TrimEnd('.')}): sslrootcert must name the certificate of the authority " +
            "that has issued the server's, and with sslmode=verify-full the server's must name the host in --database",
        NpgsqlException n => $"the database {database} cannot be reached ({n.GetBaseException().Message}): start it, or correct --database",
        SqliteException s when FullDisk.IsReason(s) =>
            $"the disk is full, so the journal {database} cannot be opened: free some space, then give the same command again",
        SqliteException { SqliteErrorCode: 5 or 6 } =>
            $"the journal {database} is locked by another program: close what has it open",
        SqliteException s =>
            $"the journal {database} cannot be opened ({s.Message}): restore it from a copy, or name another --data-dir or --database",
        _ => $"the database {database} does not answer ({e.Message}): see whether it is overloaded, or whether a firewall is in between",
    };
}
