namespace Elastic.Host;

/// <summary>Says in plain words what a failed file operation means, and what to do.</summary>
internal static class DiskProblem
{
    // Linux errno, and Windows' two codes for the same thing.
    private const int NoSpace = 28, QuotaExceeded = 122, WindowsDiskFull = unchecked((int)0x80070070), WindowsHandleDiskFull = unchecked((int)0x80070027);

    /// <summary>A sentence for the person, or null where <paramref name="error"/> is not about the disk.</summary>
    public static string? Describe(Exception error) => error switch
    {
        UnauthorizedAccessException => $"{error.Message} Allow it, or choose another folder with --data-dir",
        IOException io when IsFull(io) => $"the disk is full ({io.Message.TrimEnd('.')}): free space or choose another folder with --data-dir; " +
                                          "the same command then goes on from the newest checkpoint",
        IOException => error.Message,
        _ => null,
    };

    /// <summary>True where the disk, or this person's share of it, has no room left.</summary>
    public static bool IsFull(IOException error) =>
        error.HResult is NoSpace or QuotaExceeded or WindowsDiskFull or WindowsHandleDiskFull
        // A file that is created with its size is refused without a number; the words are .NET's own, in English without other cultures.
        || error.Message.EndsWith("because the disk was full.", StringComparison.Ordinal);
}
