namespace Elastic.Kernels;

/// <summary>Memory of a team that products pack into. Grows only in <see cref="Reserve"/>.</summary>
internal sealed unsafe class ProductWorkspace(int threads) : IDisposable
{
    private NativeBuffer? _buffer;

    /// <summary>Threads that pack.</summary>
    public int Threads { get; } = threads;

    /// <summary>What is reserved.</summary>
    public long Bytes => _buffer?.Bytes ?? 0;

    /// <summary>The start; null before anything is reserved.</summary>
    public float* Floats => _buffer is null ? null : _buffer.Floats;

    /// <summary>Makes room for so many bytes. What was there is lost.</summary>
    public void Reserve(long bytes)
    {
        if (bytes <= Bytes)
            return;
        _buffer?.Dispose();
        _buffer = new NativeBuffer(bytes);
    }

    /// <summary>Frees it.</summary>
    public void Dispose() => _buffer?.Dispose();
}
