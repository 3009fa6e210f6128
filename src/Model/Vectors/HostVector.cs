using Elastic.Kernels;

namespace Elastic.Model.Vectors;

/// <summary>
/// A vector in this machine's memory. The garbage collector frees it in the end, if nobody disposes of it: when a device ends, another may
/// still read its gradients. Whoever uses <see cref="Data"/> keeps the object alive meanwhile.
/// </summary>
public sealed unsafe class HostVector : DeviceVector
{
    private readonly NativeBuffer? _buffer;
    private readonly MappedFile? _file;
    private readonly bool _isCounted;

    /// <summary>Zeros.</summary>
    /// <exception cref="OutOfMemoryException">The system does not give the memory.</exception>
    public HostVector(long length)
        : this(0, length)
    {
    }

    /// <summary>Zeros: the elements [first, first + count) of a longer vector.</summary>
    /// <exception cref="OutOfMemoryException">The system does not give the memory.</exception>
    public HostVector(long first, long count)
        : base(first + count, first)
    {
        _buffer = new NativeBuffer(checked(count * sizeof(float)));
        // So that vectors that nobody disposes of are collected before memory is short.
        GC.AddMemoryPressure(_buffer.Bytes);
        _isCounted = true;
        Clear();
    }

    private HostVector(long length, NativeBuffer buffer)
        : base(length) => _buffer = buffer;

    /// <summary>
    /// Zeros, of which only what is written takes memory: for a stage in a process of its own, which has its parameters' places in vectors
    /// of the whole network.
    /// </summary>
    public static HostVector Untouched(long length) => new(length, NativeBuffer.Untouched(checked(length * sizeof(float))));

    /// <summary>Zeros in a file of this folder.</summary>
    /// <exception cref="Foundation.ElasticException">The file cannot be made: the disk is full, for instance.</exception>
    internal HostVector(long length, string folder)
        : base(length) => _file = new MappedFile(folder, checked(length * sizeof(float)));

    /// <inheritdoc cref="HostVector"/>
#pragma warning disable MA0055 // native memory, which a reader on another thread may outlive every other owner of
    ~HostVector() => Dispose(false);
#pragma warning restore MA0055

    /// <summary>Where element 0 is, or would be; null after <see cref="DeviceVector.Dispose()"/>.</summary>
    public float* Data => Floats is var data && data is not null ? data - First : null;

    /// <summary>True where it lies in a file: see <see cref="ReadAhead"/> and <see cref="Release"/>.</summary>
    internal bool IsInFile => _file is not null;

    private float* Floats => _file is null ? _buffer!.Floats : _file.Floats;

    /// <summary>Begins to read whole tiles that are soon needed, where they lie in a file. Does not wait.</summary>
    internal void ReadAhead(long first, long count) => _file?.ReadAhead(first * sizeof(float), count * sizeof(float));

    /// <summary>Takes whole tiles out of this process's memory, where they lie in a file. Their values stay.</summary>
    internal void Release(long first, long count) => _file?.Release(first * sizeof(float), count * sizeof(float));

    /// <summary>Elements without copying. Not to be kept beyond the life of this object.</summary>
    public Span<float> Span(long first, int count)
    {
        Check(first, count);
        return new Span<float>(Data + first, count);
    }

    /// <inheritdoc/>
    public override void Clear()
    {
        const int piece = 1 << 28;
        for (var first = First; first < Length; first += piece)
            Span(first, (int)Math.Min(piece, Length - first)).Clear();
    }

    /// <inheritdoc/>
    protected override void Read(long first, Span<float> host) => Span(first, host.Length).CopyTo(host);

    /// <inheritdoc/>
    protected override void Write(long first, ReadOnlySpan<float> host) => host.CopyTo(Span(first, host.Length));

    /// <inheritdoc/>
    // The buffer has no finalizer of its own, so that it is still whole when this one's runs.
    protected override void Dispose(bool disposing)
    {
        _file?.Dispose();
        if (_buffer is null || _buffer.Floats is null)
            return;
        _buffer.Dispose();
        if (_isCounted)
            GC.RemoveMemoryPressure(_buffer.Bytes);
    }
}
