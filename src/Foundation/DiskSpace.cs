using System.ComponentModel;
using System.Runtime.InteropServices;

namespace Elastic.Foundation;

/// <summary>How much room a disk has, and whether it is full, which it says among the failures of file operations.</summary>
public static partial class DiskSpace
{
    // Linux's errno for a full disk and for a spent quota, and Windows' two codes for a full disk.
    private const int NoSpace = 28, QuotaSpent = 122,
        WindowsDiskFull = unchecked((int)0x80070070), WindowsHandleDiskFull = unchecked((int)0x80070027);

    /// <summary>True where the disk, or the user's quota of it, has no room left.</summary>
    public static bool IsExhausted(Exception error) =>
        error is IOException { HResult: NoSpace or QuotaSpent or WindowsDiskFull or WindowsHandleDiskFull }
        // Creating a file with its size fails without an error number; the text is .NET's own, in English without other cultures.
        || (error is IOException && error.Message.EndsWith("because the disk was full.", StringComparison.Ordinal));

    /// <summary>Bytes that this user may still write to the disk that a folder is on.</summary>
    /// <exception cref="IOException">The folder is not there, or its disk does not say that.</exception>
    /// <exception cref="UnauthorizedAccessException">This user may not look at it.</exception>
    public static long FreeBytes(string folder)
    {
        if (!OperatingSystem.IsWindows())
            return new DriveInfo(folder).AvailableFreeSpace;
        // There .NET knows the letters of drives alone, and a folder may lie on another machine (\\server\share), or on a disk that is
        // mounted in a folder.
        if (!GetDiskFreeSpaceEx(folder.EndsWith('\\') ? folder : $"{folder}\\", out var free, out _, out _))
            throw new IOException($"the disk of {folder} does not say how much of it is free: {new Win32Exception().Message}");
        return (long)Math.Min(free, long.MaxValue);
    }

    [LibraryImport("kernel32.dll", EntryPoint = "GetDiskFreeSpaceExW", SetLastError = true, StringMarshalling = StringMarshalling.Utf16)]
    [return: MarshalAs(UnmanagedType.Bool)]
    private static partial bool GetDiskFreeSpaceEx(string folder, out ulong free, out ulong total, out ulong freeOfAll);
}
