using System.Runtime.InteropServices;
using System.Text;
using Microsoft.Win32.SafeHandles;

namespace Elastic.Foundation;

/// <summary>
/// Reads files whose paths somebody else may have chosen. A device has no end, and the mere opening of a pipe waits for a writer: a path to
/// either would take a thread or the memory of a node, so only regular files are read, small ones of a bounded length as a whole, and not a
/// byte more than they had when they were opened.
/// </summary>
public static partial class RegularFile
{
    // O_RDONLY | O_NONBLOCK | O_CLOEXEC: opens a pipe at once, writer or not. Of Linux; other systems have other numbers.
    private const int WithoutWaiting = 0x800 | 0x80000;

    /// <summary>The bytes of a file.</summary>
    /// <exception cref="IOException">It is missing, no regular file, longer than <paramref name="mostBytes"/>, or not readable.</exception>
    /// <exception cref="UnauthorizedAccessException">It may not be read.</exception>
    public static byte[] Read(string path, int mostBytes)
    {
        using var file = Open(path, out var length);
        if (length > mostBytes)
            throw new IOException($"{path} has {length} bytes, and at most {mostBytes} are read");
        var bytes = new byte[length];
        var read = 0;
        while (read < bytes.Length && RandomAccess.Read(file, bytes.AsSpan(read), read) is var count and > 0)
            read += count;
        return bytes[..read];
    }

    /// <summary>The text of a file, in UTF-8 or by its byte order mark.</summary>
    public static string ReadText(string path, int mostBytes)
    {
        using var reader = new StreamReader(new MemoryStream(Read(path, mostBytes)), Encoding.UTF8);
        return reader.ReadToEnd();
    }

    /// <summary>Opens a file to read pieces of it.</summary>
    /// <param name="length">Its bytes.</param>
    /// <exception cref="IOException">It is missing, no regular file, or not readable.</exception>
    /// <exception cref="UnauthorizedAccessException">It may not be read.</exception>
    public static SafeFileHandle Open(string path, out long length)
    {
        var file = Open(path);
        try
        {
            length = RandomAccess.GetLength(file);
            // A device says that it has no bytes, and gives as many as are asked for.
            return length > 0 || RandomAccess.Read(file, new byte[1], 0) == 0 ? file : throw NotRegular(path, null);
        }
        catch (NotSupportedException e)
        {
            file.Dispose();
            throw NotRegular(path, e);
        }
        catch
        {
            file.Dispose();
            throw;
        }
    }

    private static SafeFileHandle Open(string path)
    {
        if (!File.Exists(path))
            throw new FileNotFoundException($"there is no file {path}", path);
        if (!OperatingSystem.IsLinux())
            return File.OpenHandle(path);
        var descriptor = Open(path, WithoutWaiting);
        if (descriptor >= 0)
            return new SafeFileHandle(descriptor, ownsHandle: true);
        // Fails in the same way, with .NET's exception and words for it.
        return Marshal.GetLastPInvokeError() == NoDevice ? throw NotRegular(path, null) : File.OpenHandle(path);
    }

    // ENXIO: a socket, or a device that is not there.
    private const int NoDevice = 6;

    private static IOException NotRegular(string path, Exception? cause) =>
        new($"{path} is a pipe, a socket or a device: name a regular file", cause);

    [LibraryImport("libc", EntryPoint = "open", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    private static partial int Open(string path, int flags);
}
