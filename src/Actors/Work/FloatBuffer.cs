using System.Buffers;
using System.Runtime.InteropServices;

namespace Elastic.Actors.Work;

/// <summary>Pooled floats that can be filled as bytes, and asynchronously, which a span cannot.</summary>
internal sealed class FloatBuffer(int count) : MemoryManager<byte>
{
    private readonly float[] _array = ArrayPool<float>.Shared.Rent(count);

    public Memory<float> Floats => _array.AsMemory(0, count);

    /// <inheritdoc/>
    public override Span<byte> GetSpan() => MemoryMarshal.AsBytes(_array.AsSpan(0, count));

    /// <inheritdoc/>
    public override unsafe MemoryHandle Pin(int elementIndex = 0)
    {
        var handle = GCHandle.Alloc(_array, GCHandleType.Pinned);
        return new MemoryHandle((byte*)handle.AddrOfPinnedObject() + elementIndex, handle);
    }

    /// <inheritdoc/>
    public override void Unpin()
    {
        // The handle that Pin gave out frees itself.
    }

    /// <inheritdoc/>
    protected override void Dispose(bool disposing)
    {
        if (disposing)
            ArrayPool<float>.Shared.Return(_array);
    }
}
