using System.Data.Common;
using Microsoft.Data.Sqlite;
using Npgsql;

namespace Elastic.Storage;

/// <summary>
/// The database is down, refuses, or was too slow for a call's deadline: then nobody knows whether the call took effect. The message is
/// that of the cause, which is the inner exception.
/// </summary>
public sealed class DatabaseUnavailableException : DbException
{
    public DatabaseUnavailableException() { }

    public DatabaseUnavailableException(string message) : base(message) { }

    public DatabaseUnavailableException(string message, Exception inner) : base(message, inner) { }

    internal DatabaseUnavailableException(Exception cause) : base(Words(cause), cause) { }

    // SQLITE_FULL.
    private static string Words(Exception cause) => cause is SqliteException { SqliteErrorCode: 13 }
        ? $"the disk of the journal is full ({cause.Message.TrimEnd('.')}): free some space there" : cause.Message;

    /// <summary>Whether the same call may succeed later: see <see cref="DatabaseCalls.MayPass"/>.</summary>
    public override bool IsTransient => InnerException is { } cause && DatabaseCalls.MayPass(cause);

    /// <summary>
    /// Whether no seed has used the database yet: its tables are not there (SQLSTATE 42P01, undefined_table; SQLite has no code of its
    /// own).
    /// </summary>
    public bool IsUnused => InnerException switch
    {
        PostgresException postgres => postgres.SqlState == PostgresErrorCodes.UndefinedTable,
        SqliteException sqlite => sqlite.Message.Contains("no such table", StringComparison.Ordinal),
        _ => false,
    };
}
