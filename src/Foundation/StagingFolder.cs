using System.Runtime.InteropServices;

namespace Elastic.Foundation;

/// <summary>
/// A folder among the system's temporary ones for what goes to a store, which takes whole files. Goes when it is disposed of; one whose
/// process was killed goes when the next of its prefix is made.
/// </summary>
public sealed partial class StagingFolder : IDisposable
{
    private readonly FileStream? _held;

    private StagingFolder(string path)
    {
        Path = path;
        _held = FolderHolder.Hold(path);
    }

    /// <summary>The full path. A hidden file in it is the process's own.</summary>
    public string Path { get; }

    /// <summary>Makes one.</summary>
    /// <param name="prefix">What its name begins with.</param>
    /// <exception cref="ElasticException">There is no place for it.</exception>
    public static StagingFolder Make(string prefix)
    {
        var temporary = System.IO.Path.GetTempPath();
        try
        {
            RemoveLeftovers(temporary, prefix);
            var path = Directory.CreateTempSubdirectory(prefix).FullName;
            try
            {
                return new StagingFolder(path);
            }
            catch
            {
                Directory.Delete(path, true);
                throw;
            }
        }
        catch (Exception e) when (WritePlace.IsRefused(e))
        {
            throw new ElasticException($"what goes to a store is made in a temporary folder first, and {temporary} takes none "
                + $"({(DiskSpace.IsExhausted(e) ? "the disk is full" : e.Message.TrimEnd('.'))}): set TMPDIR to another folder", e);
        }
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        _held?.Dispose();
        Directory.Delete(Path, recursive: true);
    }

    private static void RemoveLeftovers(string temporary, string prefix)
    {
        try
        {
            var options = new EnumerationOptions { AttributesToSkip = FileAttributes.ReparsePoint };
            foreach (var folder in Directory.EnumerateDirectories(temporary, $"{prefix}*", options).Where(IsOwn))
                FolderHolder.RemoveIfLeft(folder);
        }
        catch (Exception e) when (WritePlace.IsRefused(e))
        {
            // Nobody may list it, or it is not there: the making of a folder tells what matters of that.
        }
    }

    // All users share /tmp. What another one has made there under such a name could become a link to a folder of this user while it is
    // being deleted. Where the owner is not known, the folder stays.
    private static bool IsOwn(string folder)
    {
        if (OperatingSystem.IsWindows())
            return true;                                               // each user has temporary folders of his own
        if (!OperatingSystem.IsLinux())
            return false;
        try
        {
            return StatX(ThisFolder, folder, NotThroughLinks, OwnerAlone, out var status) == 0
                && (status.Mask & OwnerAlone) != 0 && status.Owner == EffectiveUser();
        }
        catch (EntryPointNotFoundException)
        {
            return false;                                              // a C library of before 2018
        }
    }

    // AT_FDCWD, AT_SYMLINK_NOFOLLOW and STATX_UID of Linux's fcntl.h and stat.h, the same on all processors, as is the record.
    private const int ThisFolder = -100;
    private const int NotThroughLinks = 0x100;
    private const uint OwnerAlone = 0x8;

    [LibraryImport("libc", EntryPoint = "statx", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    private static partial int StatX(int from, string path, int flags, uint wanted, out Status status);

    [LibraryImport("libc", EntryPoint = "geteuid")]
    private static partial uint EffectiveUser();

    [StructLayout(LayoutKind.Explicit, Size = 256)]
    private struct Status
    {
        [FieldOffset(0)]
        public uint Mask;

        [FieldOffset(20)]
        public uint Owner;
    }
}
