using System.IO.MemoryMappedFiles;
using System.Runtime.InteropServices;

namespace Elastic.Corpus;

/// <summary>
/// Bytes of a shard: a copy, or a piece of its map that stays mapped while it is read, even if another thread disposes of the shard.
/// </summary>
internal readonly unsafe ref struct ShardBytes
{
    private readonly SafeBuffer? _handle;

    /// <param name="copy">The bytes.</param>
    /// <param name="offset">Where they are in the file.</param>
    public ShardBytes(byte[] copy, long offset)
    {
        Span = copy;
        Offset = offset;
    }

    /// <param name="view">The map of the whole file.</param>
    public ShardBytes(MemoryMappedViewAccessor view, long offset, int length)
    {
        byte* start = null;
        Offset = offset;
        _handle = view.SafeMemoryMappedViewHandle;
        _handle.AcquirePointer(ref start);
        Span = new ReadOnlySpan<byte>(start + view.PointerOffset + offset, length);
    }

    /// <summary>Where they begin in the file.</summary>
    public long Offset { get; }

    /// <summary>The bytes, until <see cref="Dispose"/>.</summary>
    public ReadOnlySpan<byte> Span { get; }

    public void Dispose() => _handle?.ReleasePointer();
}
