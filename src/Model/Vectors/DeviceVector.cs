namespace Elastic.Model.Vectors;

/// <summary>A flat fp32 vector in the memory of a device, zeros at first.</summary>
/// <param name="first">The first element that there is: above 0 for a piece of a longer vector, whose elements keep their numbers.</param>
public abstract class DeviceVector(long length, long first = 0) : IDisposable
{
    /// <summary>Elements; of a piece, the number after its last one.</summary>
    public long Length { get; } = length;

    /// <summary>The first element that there is; 0 but for a piece.</summary>
    public long First { get; } = first;

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
        if (first < First || count < 0 || first + count > Length)
            throw new ArgumentOutOfRangeException(nameof(first), $"[{first}, {first + count}) is not inside [{First}, {Length})");
    }

    /// <inheritdoc cref="CopyTo"/>
    protected abstract void Read(long first, Span<float> host);

    /// <inheritdoc cref="CopyFrom"/>
    protected abstract void Write(long first, ReadOnlySpan<float> host);

    /// <summary>Frees the memory.</summary>
    protected abstract void Dispose(bool disposing);
}
