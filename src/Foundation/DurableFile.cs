using System.Runtime.InteropServices;
using System.Text.RegularExpressions;
using Microsoft.Win32.SafeHandles;

namespace Elastic.Foundation;

/// <summary>Files that are either complete or absent, and that survive a power cut once they are made durable.</summary>
public static partial class DurableFile
{
    private const string Suffix = ".tmp";
    private const int DrawnLength = 1 + 32 + 4;                        // a dot, a Guid's digits, and the suffix

    // For more at once Linux looks for larger pages to cache the file in: where there is none it takes ten times as long.
    private const int PieceBytes = 1 << 20;

    // By no link: what lies behind one is not this folder's.
    private static readonly EnumerationOptions Below = new()
    {
        RecurseSubdirectories = true,
        AttributesToSkip = FileAttributes.ReparsePoint,
    };

    /// <summary>A name for a file that is to become <paramref name="path"/>: on the same disk, and different each time.</summary>
    public static string TemporaryPath(string path) => $"{path}.{Guid.NewGuid():N}{Suffix}";

    /// <summary>A message with the names of files and folders as they were to become, in place of those of their temporary ones.</summary>
    public static string WithoutTemporary(string message) => DrawnSuffix().Replace(message, "");

    /// <summary>
    /// Removes the temporary files that a process left which died while it wrote, from a folder and those in it. To be called while no
    /// other process writes there.
    /// </summary>
    public static void RemoveTemporaries(string folder)
    {
        foreach (var file in Directory.EnumerateFiles(folder, $"*{Suffix}", Below).Where(IsTemporary))
            File.Delete(file);
    }

    /// <summary>Writes through a temporary file and a rename. Survives the death of the process, not yet that of the machine.</summary>
    public static void Write(string path, ReadOnlySpan<byte> bytes) => Write(path, bytes, flushes: false);

    /// <summary>
    /// Writes as <see cref="Write(string, ReadOnlySpan{byte})"/> does, and returns only when file and folder are on the disk.
    /// </summary>
    public static void WriteDurably(string path, ReadOnlySpan<byte> bytes)
    {
        Write(path, bytes, flushes: true);
        FlushFolder(Path.GetDirectoryName(path)!);
    }

    // Flushed before it takes the place of what was there: a disk may write a name before the bytes that it stands for.
    private static void Write(string path, ReadOnlySpan<byte> bytes, bool flushes)
    {
        var temporary = TemporaryPath(path);
        try
        {
            using (var file = File.OpenHandle(temporary, FileMode.CreateNew, FileAccess.Write))
            {
                for (var at = 0; at < bytes.Length; at += PieceBytes)
                    RandomAccess.Write(file, bytes.Slice(at, Math.Min(PieceBytes, bytes.Length - at)), at);
                if (flushes)
                    RandomAccess.FlushToDisk(file);
            }
            File.Move(temporary, path, overwrite: true);
        }
        catch
        {
            File.Delete(temporary);
            throw;
        }
    }

    /// <summary>Forces what was written to <paramref name="path"/> onto the disk.</summary>
    public static void Flush(string path)
    {
        using var file = File.OpenHandle(path, FileMode.Open, FileAccess.ReadWrite, FileShare.ReadWrite | FileShare.Delete);
        RandomAccess.FlushToDisk(file);
    }

    /// <summary>
    /// Opens a complete file for reading. Others may flush or delete it meanwhile, on Windows, too, which else lets nobody flush what is
    /// open: a flush needs the right to write.
    /// </summary>
    public static SafeFileHandle OpenShared(string path) => File.OpenHandle(path, share: FileShare.ReadWrite | FileShare.Delete);

    /// <summary>Forces the names of files onto the disk, and those of the folders that lead to them from a folder on.</summary>
    /// <param name="root">The folder, whose own name is there.</param>
    /// <param name="files">Paths that begin with it.</param>
    public static void FlushFolders(string root, IEnumerable<string> files)
    {
        ArgumentNullException.ThrowIfNull(files);
        var folders = new HashSet<string>(StringComparer.Ordinal) { Path.TrimEndingDirectorySeparator(root) };
        foreach (var file in files)
            for (var at = Path.GetDirectoryName(file); at is { Length: > 0 } && folders.Add(at); at = Path.GetDirectoryName(at))
            {
            }

        foreach (var folder in folders)
            FlushFolder(folder);
    }

    /// <summary>Forces the names in a folder onto the disk. Windows journals them by itself.</summary>
    public static void FlushFolder(string folder)
    {
        if (OperatingSystem.IsWindows())
            return;
        var descriptor = Open(folder, 0);
        if (descriptor < 0)
            throw new IOException($"cannot open the folder {folder} to flush it (error {Marshal.GetLastPInvokeError()})");
        try
        {
            if (FSync(descriptor) != 0)
                throw new IOException($"cannot flush the folder {folder} (error {Marshal.GetLastPInvokeError()})");
        }
        finally
        {
            _ = Close(descriptor);
        }
    }

    [GeneratedRegex(@"\.[0-9a-f]{32}\.tmp", RegexOptions.CultureInvariant | RegexOptions.NonBacktracking)]
    private static partial Regex DrawnSuffix();

    /// <summary>Whether a file or a folder has a name that <see cref="TemporaryPath"/> gives for what it is to become.</summary>
    public static bool IsTemporaryOf(string path, string name) => name.Length == path.Length + DrawnLength
        && name.StartsWith(path, StringComparison.Ordinal) && name.EndsWith(Suffix, StringComparison.Ordinal) && IsTemporary(name);

    // A file of somebody else that ends in the same way stays.
    private static bool IsTemporary(string path) =>
        Path.GetExtension(Path.GetFileNameWithoutExtension(path)) is ['.', .. var drawn] && Guid.TryParseExact(drawn, "N", out _);

    [LibraryImport("libc", EntryPoint = "open", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    private static partial int Open(string path, int flags);

    [LibraryImport("libc", EntryPoint = "fsync", SetLastError = true)]
    private static partial int FSync(int descriptor);

    [LibraryImport("libc", EntryPoint = "close", SetLastError = true)]
    private static partial int Close(int descriptor);
}
