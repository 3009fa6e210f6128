using System.Data.Common;
using System.Net.Sockets;
using Elastic.Foundation;
using Microsoft.Data.Sqlite;
using Npgsql;

namespace Elastic.Storage;

/// <summary>Our own SQL: one statement or one short transaction on a connection of its own, always with a deadline.</summary>
public static class DatabaseCalls
{
    // Between two attempts of RetryAsync.
    private static readonly Backoff Pause = new(TimeSpan.FromMilliseconds(100), TimeSpan.FromSeconds(2));

    // Shorter than the callers' deadlines where it matters (the fence): a statement that was given up and tried again must not take effect
    // afterwards.
    private const int StatementSeconds = 8;

    /// <summary>Runs <paramref name="call"/> off the caller's thread: SQLite's "asynchronous" calls block.</summary>
    /// <exception cref="DatabaseUnavailableException">
    /// The database is down, or refuses; or it took longer than <paramref name="deadline"/>, and whether the call took effect is unknown.
    /// </exception>
    public static async Task<T> CallAsync<T>(
        this DatabaseAddress database, TimeSpan deadline, Func<DbConnection, CancellationToken, Task<T>> call, CancellationToken cancel)
    {
        try
        {
            return await CallOnceAsync(database, deadline, call, cancel);
        }
        // A connection of the pool that the server has cut, as it does when it is started anew, is seen by its next use, and Npgsql empties
        // the pool then. What only reads is read again.
        catch (DatabaseUnavailableException e) when (database is { IsReadOnly: true, Kind: DatabaseKind.Postgres }
            && e is { IsTransient: true, InnerException: not TimeoutException })
        {
            return await CallOnceAsync(database, deadline, call, cancel);
        }
    }

    private static async Task<T> CallOnceAsync<T>(
        DatabaseAddress database, TimeSpan deadline, Func<DbConnection, CancellationToken, Task<T>> call, CancellationToken cancel)
    {
        using var limit = CancellationTokenSource.CreateLinkedTokenSource(cancel);
        limit.CancelAfter(deadline);
        try
        {
            return await Task.Run(async () =>
            {
                await using var connection = await database.OpenAsync(limit.Token);
                return await call(connection, limit.Token);
            }, limit.Token).WaitAsync(deadline, cancel);
        }
        catch (Exception e) when (e is TimeoutException || (e is OperationCanceledException && !cancel.IsCancellationRequested))
        {
            throw new DatabaseUnavailableException(new TimeoutException($"{database} did not answer within {deadline.TotalSeconds} s", e));
        }
        // Npgsql lets what cuts a connection through as it is.
        catch (Exception e) when (e is DbException or IOException or SocketException)
        {
            // A connection of a file that was replaced, or whose log was taken away, fails as often as it is used.
            if (!MayPass(e))
                database.Reopen();
            throw new DatabaseUnavailableException(e);
        }
    }

    /// <summary>Repeats <see cref="CallAsync"/> while the failure may pass; no attempt begins after <paramref name="patience"/>.</summary>
    /// <exception cref="DatabaseUnavailableException">The last failure.</exception>
    public static async Task<T> RetryAsync<T>(this DatabaseAddress database, TimeSpan patience, TimeSpan deadline,
        Func<DbConnection, CancellationToken, Task<T>> call, CancellationToken cancel)
    {
        var started = TimeProvider.System.GetTimestamp();
        for (var attempt = 0; ; attempt++)
        {
            try
            {
                return await database.CallAsync(deadline, call, cancel);
            }
            catch (DatabaseUnavailableException e) when (e.IsTransient)
            {
                var delay = Pause.After(attempt);
                if (TimeProvider.System.GetElapsedTime(started) + delay > patience)
                    throw;
                await Task.Delay(delay, cancel);
            }
        }
    }

    /// <summary>
    /// Whether a call that failed so may succeed later: the server is down or starting, the file is locked, the connection is cut.
    /// </summary>
    public static bool MayPass(Exception e) => e switch
    {
        SqliteException sqlite => sqlite.SqliteErrorCode is 5 or 6,                          // SQLITE_BUSY, SQLITE_LOCKED
        // shut down or starting
        PostgresException postgres => postgres.IsTransient || postgres.SqlState.StartsWith("57P", StringComparison.Ordinal),
        NpgsqlException or TimeoutException or IOException or SocketException => true,
        _ => false,
    };

    /// <summary>A transaction that excludes all others begun here: what it reads does not change until it has written.</summary>
    public static async Task<DbTransaction> BeginExclusiveAsync(
        this DatabaseAddress database, DbConnection connection, CancellationToken cancel)
    {
        // SQLite's is BEGIN IMMEDIATE, so only PostgreSQL needs the lock.
        var transaction = await connection.BeginTransactionAsync(cancel);
        if (database.Kind == DatabaseKind.Postgres)
            await connection.ExecuteAsync("SELECT pg_advisory_xact_lock(@key)", cancel, ("key", DatabasePreparation.LockKey));
        return transaction;
    }

    public static async Task<int> ExecuteAsync(
        this DbConnection connection, string sql, CancellationToken cancel, params (string Name, object? Value)[] parameters)
    {
        await using var command = Command(connection, sql, parameters);
        return await command.ExecuteNonQueryAsync(cancel);
    }

    public static async Task<object?> ScalarAsync(
        this DbConnection connection, string sql, CancellationToken cancel, params (string Name, object? Value)[] parameters)
    {
        await using var command = Command(connection, sql, parameters);
        return await command.ExecuteScalarAsync(cancel);
    }

    public static async Task<IReadOnlyList<T>> QueryAsync<T>(this DbConnection connection, string sql, Func<DbDataReader, T> read,
        CancellationToken cancel, params (string Name, object? Value)[] parameters)
    {
        await using var command = Command(connection, sql, parameters);
        await using var reader = await command.ExecuteReaderAsync(cancel);
        var rows = new List<T>();
        while (await reader.ReadAsync(cancel))
            rows.Add(read(reader));
        return rows;
    }

    /// <summary>
    /// The database's clock, in milliseconds: our machines' clocks may be an hour apart. (A SQLite file is on one machine.)
    /// </summary>
    public static string Now(this DatabaseAddress database) => database.Kind == DatabaseKind.Sqlite
        ? "CAST(unixepoch('subsec') * 1000 AS INTEGER)"
        : "CAST(extract(epoch FROM clock_timestamp()) * 1000 AS BIGINT)";

    private static DbCommand Command(DbConnection connection, string sql, (string Name, object? Value)[] parameters)
    {
        var command = connection.CreateCommand();
        command.CommandTimeout = StatementSeconds;
#pragma warning disable CA2100 // The statements are constants of this assembly; what comes from outside is in the parameters.
        command.CommandText = sql;
#pragma warning restore CA2100
        foreach (var (name, value) in parameters)
        {
            var parameter = command.CreateParameter();
            parameter.ParameterName = name;
            parameter.Value = value ?? DBNull.Value;
            command.Parameters.Add(parameter);
        }
        return command;
    }
}
