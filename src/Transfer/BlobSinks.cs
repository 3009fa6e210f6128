using System.Buffers;
using Microsoft.Win32.SafeHandles;

namespace Elastic.Transfer;

/// <summary>Where the bytes of a download go. Used by one thread at a time.</summary>
public abstract class BlobSink
{
    /// <summary>Bytes received, hashed and stored at a time: hashing costs less while they are in the processor's cache.</summary>
    protected const int PieceBytes = 256 << 10;

    /// <summary>Called with the length of the download that a peer names. Returns what is wrong with that length, or null.</summary>
    public abstract string? Expect(long bytes);

    /// <summary>Room for the bytes from <paramref name="offset"/> on.</summary>
    public abstract Memory<byte> Room(long offset);

    /// <summary>Called when <paramref name="count"/> bytes have been received into the room.</summary>
    public virtual void Take(long offset, int count)
    {
    }
}

/// <summary>The caller's memory, which has the blob's length.</summary>
public sealed class MemorySink(Memory<byte> into) : BlobSink
{
    public override string? Expect(long bytes) => bytes == into.Length ? null : $"has {bytes} bytes instead of {into.Length}";

    public override Memory<byte> Room(long offset) => into.Slice((int)offset, (int)Math.Min(PieceBytes, into.Length - offset));
}

/// <summary>A small blob of unknown length.</summary>
public sealed class ArraySink(int mostBytes) : BlobSink
{
    public byte[] Bytes { get; private set; } = [];

    public override string? Expect(long bytes)
    {
        if (bytes > mostBytes)
            return $"has {bytes} bytes, more than {mostBytes}";
        if (bytes != Bytes.Length)
            Bytes = new byte[bytes];
        return null;
    }

    public override Memory<byte> Room(long offset) => Bytes.AsMemory((int)offset, (int)Math.Min(PieceBytes, Bytes.Length - offset));
}

/// <summary>A file, or one range of it.</summary>
/// <param name="at">Where in the file the download begins.</param>
/// <param name="expected">Bytes of the download, or null for any number up to <paramref name="mostBytes"/>.</param>
public sealed class FileSink(SafeFileHandle file, long at = 0, long? expected = null, long mostBytes = long.MaxValue)
    : BlobSink, IDisposable
{
    private readonly byte[] _piece = ArrayPool<byte>.Shared.Rent(PieceBytes);

    /// <summary>Bytes of the download, once a peer has named them.</summary>
    public long Length { get; private set; }

    public override string? Expect(long bytes)
    {
        Length = bytes;
        if (bytes > mostBytes)
            return $"has {bytes} bytes, more than {mostBytes}";
        return expected is null || bytes == expected ? null : $"has {bytes} bytes instead of {expected}";
    }

    public override Memory<byte> Room(long offset) => _piece.AsMemory(0, (int)Math.Min(PieceBytes, Length - offset));

    // Synchronous on purpose: on Linux the asynchronous form is this same call on another thread of the pool.
    public override void Take(long offset, int count) => RandomAccess.Write(file, _piece.AsSpan(0, count), at + offset);

    public void Dispose() => ArrayPool<byte>.Shared.Return(_piece);
}
