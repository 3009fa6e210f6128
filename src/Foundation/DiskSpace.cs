namespace Elastic.Foundation;

/// <summary>Recognises a full disk among the failures of file operations.</summary>
public static class DiskSpace
{
    // Linux's errno for a full disk and for a spent quota, and Windows' two codes for a full disk.
    private const int NoSpace = 28, QuotaSpent = 122,
        WindowsDiskFull = unchecked((int)0x80070070), WindowsHandleDiskFull = unchecked((int)0x80070027);

    /// <summary>True where the disk, or the user's quota of it, has no room left.</summary>
    public static bool IsExhausted(Exception error) =>
        error is IOException { HResult: NoSpace or QuotaSpent or WindowsDiskFull or WindowsHandleDiskFull }
        // Creating a file with its size fails without an error number; the text is .NET's own, in English without other cultures.
        || (error is IOException && error.Message.EndsWith("because the disk was full.", StringComparison.Ordinal));
}
