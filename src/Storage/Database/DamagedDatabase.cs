using Microsoft.Data.Sqlite;

namespace Elastic.Storage;

/// <summary>
/// Finds damaged pages of a SQLite file before a seed uses it. SQLite meets one only when it reads it: perhaps days later, in the middle of
/// a run, and then as an error of some statement.
/// </summary>
public static class DamagedDatabase
{
    /// <summary>What to do about one.</summary>
    public const string Remedy =
        "stop all seeds, move the file and those beside it with -wal and -shm at their ends away, and put the newest copy of it that is "
        + "whole in its place; what the copy lacks is computed again, to the same weights";

    // SQLITE_CORRUPT: the statement that looks stumbled over the damage itself.
    private const int Corrupt = 11;

    // Reading a gigabyte takes some seconds; a journal is seldom larger than a few dozen megabytes.
    private static readonly TimeSpan Deadline = TimeSpan.FromMinutes(1);

    /// <summary>A sentence that names the file and what is wrong with it; null where it is whole, not there, or no SQLite file.</summary>
    /// <exception cref="DatabaseUnavailableException">
    /// It cannot be opened; or it is too large to be looked at in a minute: then the cause is a <see cref="TimeoutException"/>.
    /// </exception>
    public static async Task<string?> ProblemAsync(DatabaseAddress database, CancellationToken cancel)
    {
        ArgumentNullException.ThrowIfNull(database);
        if (database.Kind != DatabaseKind.Sqlite || database.IsMissing)
            return null;
        try
        {
            // The first of them is enough: what is damaged is replaced as a whole.
            var found = await database.Fresh().ReadOnly().CallAsync(
                Deadline, (connection, token) => connection.ScalarAsync("PRAGMA quick_check(1)", token), cancel);
            return found is "ok" ? null : Sentence($"{found}");
        }
        catch (DatabaseUnavailableException e) when (e.InnerException is SqliteException { SqliteErrorCode: Corrupt })
        {
            return Sentence(e.Message);
        }

        string Sentence(string what) => $"the journal {database} is damaged ({what.ReplaceLineEndings(" ")})";
    }
}
