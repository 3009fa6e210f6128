namespace Elastic.Foundation;

/// <summary>Recognises a full disk among the failures of file operations.</summary>
public static class DiskSpace
{
    // Linux's errno for a full disk and for a spent quota, and Windows' two codes for a full disk.
    private const int NoSpace = 28, QuotaSpent = 122, WindowsDiskFull = unchecked((int)0x80070070), WindowsHandleDiskFull = unchecked((int)0x80070027);

    /// <summary>True where the disk, or this person's share of it, has no room left.</summary>
    public static bool IsExhausted(Exception error) =>
        error is IOException { HResult: NoSpace or QuotaSpent or WindowsDiskFull or WindowsHandleDiskFull }
        // A file that is created with its size is refused without a number; the words are .NET's own, in English without other cultures.
        || (error is IOException && error.Message.EndsWith("because the disk was full.", StringComparison.Ordinal));
}
