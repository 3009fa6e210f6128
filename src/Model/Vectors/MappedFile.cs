using System.Runtime.InteropServices;
using Elastic.Foundation;
using Microsoft.Win32.SafeHandles;

namespace Elastic.Model.Vectors;

/// <summary>
/// Zeros in a file that is mapped into memory. Only this process can reach it: its name is removed as soon as it is open, so that the
/// system frees the room when the mapping ends, however the process ends.
///
/// All of the file's room is taken at once, by writing zeros: to write to a page that a full disk has no room for would end the process.
/// </summary>
internal sealed unsafe partial class MappedFile : IDisposable
{
    // Linux's and macOS's numbers.
    private const int ReadAndWrite = 3, Shared = 1, WillNeed = 3, DoNotNeed = 4;

    private const int WrittenAtOnce = 1 << 20;

    private readonly long _bytes;
    private void* _data;

    /// <param name="folder">Is made where it is missing, for this user alone.</param>
    /// <exception cref="ElasticException">There is no room, or no right to write, or the system cannot map files so.</exception>
    public MappedFile(string folder, long bytes)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(bytes, 1);
        if (OperatingSystem.IsWindows())
            throw new ElasticException("node.offload = file works on Linux and macOS: set node.offload = none");
        _bytes = bytes;
        try
        {
            Directory.CreateDirectory(folder, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
            using var file = Create(Path.Combine(folder, Guid.NewGuid().ToString("N")), bytes);
            _data = Mmap(null, (nuint)bytes, ReadAndWrite, Shared, file.SafeFileHandle, 0);
            if ((nint)_data == -1)
            {
                _data = null;
                throw new IOException(Marshal.GetPInvokeErrorMessage(Marshal.GetLastPInvokeError()));
            }
        }
        catch (Exception e) when (DiskSpace.IsExhausted(e))
        {
            throw new ElasticException(
                $"node.offload = file: there is no room for {ByteSize.Text(bytes)} in {folder} ({e.Message}): free some space, choose "
                + "another node.data-dir, or set node.offload = none", e);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new ElasticException(
                $"node.offload = file: no file of {ByteSize.Text(bytes)} can be mapped in {folder} ({e.Message}): choose another "
                + "node.data-dir, or set node.offload = none", e);
        }
    }

    /// <summary>Its first float; null after <see cref="Dispose"/>.</summary>
    public float* Floats => (float*)_data;

    /// <summary>Begins to read these bytes from the disk. Does not wait.</summary>
    public void ReadAhead(long first, long bytes) => Advise(first, bytes, WillNeed);

    /// <summary>
    /// Takes these bytes out of the process's memory; the system writes what has changed, and keeps what it has room for. To be called with
    /// whole pages: others of the process may use the rest of one.
    /// </summary>
    public void Release(long first, long bytes) => Advise(first, bytes, DoNotNeed);

    /// <summary>Ends the mapping, and with it the file.</summary>
    public void Dispose()
    {
        if (_data is null)
            return;
        _ = Munmap(_data, (nuint)_bytes);
        _data = null;
    }

    private static FileStream Create(string path, long bytes)
    {
        // A system that can reserve the room at once says so before any of it is written.
        var options = new FileStreamOptions
        {
            Mode = FileMode.CreateNew,
            Access = FileAccess.ReadWrite,
            BufferSize = 0,
            PreallocationSize = bytes,
        };
        if (!OperatingSystem.IsWindows())
            options.UnixCreateMode = UnixFileMode.UserRead | UnixFileMode.UserWrite;
        var file = new FileStream(path, options);
        try
        {
            File.Delete(path);
            var zeros = new byte[Math.Min(bytes, WrittenAtOnce)];
            for (long at = 0; at < bytes; at += zeros.Length)
                file.Write(zeros, 0, (int)Math.Min(zeros.Length, bytes - at));
            return file;
        }
        catch
        {
            file.Dispose();
            throw;
        }
    }

    private void Advise(long first, long bytes, int advice)
    {
        if (_data is not null && bytes > 0)
            _ = Madvise((byte*)_data + first, (nuint)bytes, advice);     // only advice: without it all is slower, or larger
    }

    [LibraryImport("libc", EntryPoint = "mmap", SetLastError = true)]
    private static partial void* Mmap(void* address, nuint length, int protection, int flags, SafeFileHandle file, long offset);

    [LibraryImport("libc", EntryPoint = "munmap")]
    private static partial int Munmap(void* address, nuint length);

    [LibraryImport("libc", EntryPoint = "madvise")]
    private static partial int Madvise(void* address, nuint length, int advice);
}
