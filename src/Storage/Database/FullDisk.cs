using Microsoft.Data.Sqlite;

namespace Elastic.Storage;

/// <summary>Recognises that the disk under a SQLite file is full.</summary>
public static class FullDisk
{
    // SQLITE_FULL; SQLITE_IOERR_SHMSIZE, which also a reader meets: the file beside the journal with -shm at its end cannot grow.
    private const int Full = 13, SharedMemorySize = 10 | (19 << 8);

    /// <summary>True where that is why the database could not be opened, read or written.</summary>
    public static bool IsReason(Exception? error) =>
        error is SqliteException { SqliteErrorCode: Full } or SqliteException { SqliteExtendedErrorCode: SharedMemorySize }
        || (error?.InnerException is { } inner && IsReason(inner));
}
