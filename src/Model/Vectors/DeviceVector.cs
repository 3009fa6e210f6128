using Elastic.Kernels;

namespace Elastic.Model.Vectors;

/// <summary>A flat fp32 vector in the memory of a device, zeros at first.</summary>
public abstract class DeviceVector(long length) : IDisposable
{
    /// <summary>Elements.</summary>
    public long Length { get; } = length;

    /// <summary>Copies elements from <paramref name="first"/> on into <paramref name="host"/>.</summary>
    public void CopyTo(long first, Span<float> host)
    {
        Check(first, host.Length);
        Read(first, host);
    }

    /// <summary>Overwrites elements from <paramref name="first"/> on with <paramref name="host"/>.</summary>
    public void CopyFrom(long first, ReadOnlySpan<float> host)
    {
        Check(first, host.Length);
        Write(first, host);
    }

    /// <summary>Makes all elements zero.</summary>
    public abstract void Clear();

    /// <inheritdoc/>
    public void Dispose()
    {
        Dispose(true);
        GC.SuppressFinalize(this);
    }

    /// <summary>Refuses a range that is not inside of the vector.</summary>
    protected void Check(long first, long count)
    {
        if (first < 0 || count < 0 || first + count > Length)
            throw new ArgumentOutOfRangeException(nameof(first), $"[{first}, {first + count}) is not inside [0, {Length})");
    }

    /// <inheritdoc cref="CopyTo"/>
    protected abstract void Read(long first, Span<float> host);

    /// <inheritdoc cref="CopyFrom"/>
    protected abstract void Write(long first, ReadOnlySpan<float> host);

    /// <summary>Frees the memory.</summary>
    protected abstract void Dispose(bool disposing);
}

/// <summary>
/// A vector in this machine's memory. The garbage collector frees it in the end, if nobody disposes of it: when a device ends, another may
/// still read its gradients. Whoever uses <see cref="Data"/> keeps the object alive meanwhile.
/// </summary>
public sealed unsafe class HostVector : DeviceVector
{
    private readonly NativeBuffer _buffer;

    /// <summary>Zeros.</summary>
    /// <exception cref="OutOfMemoryException">The system does not give the memory.</exception>
    public HostVector(long length)
        : base(length)
    {
        _buffer = new NativeBuffer(checked(length * sizeof(float)));
        // So that vectors that nobody disposes of are collected before memory is short.
        GC.AddMemoryPressure(_buffer.Bytes);
        Clear();
    }

    /// <inheritdoc cref="HostVector"/>
#pragma warning disable MA0055 // native memory, which a reader on another thread may outlive every other owner of
    ~HostVector() => Dispose(false);
#pragma warning restore MA0055

    /// <summary>The first element; null after <see cref="DeviceVector.Dispose()"/>.</summary>
    public float* Data => _buffer.Floats;

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
        for (long first = 0; first < Length; first += piece)
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
        if (_buffer is null || _buffer.Floats is null)
            return;
        _buffer.Dispose();
        GC.RemoveMemoryPressure(_buffer.Bytes);
    }
}
