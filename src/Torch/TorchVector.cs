using Elastic.Messages;
using Elastic.Model.Vectors;
using Elastic.Torch.Native;
using TorchSharp;
using static TorchSharp.torch;

namespace Elastic.Torch;

/// <summary>A flat vector as a tensor, on a GPU or on libtorch's CPU.</summary>
/// <param name="first">The elements [first, first + count) of a longer vector: zeros.</param>
/// <param name="device">Where they lie.</param>
/// <param name="gpu">Whose memory that is: the GPU's number; 0 on libtorch's CPU, which has one memory.</param>
internal sealed unsafe class TorchVector(long first, long count, torch.Device device, int gpu) : DeviceVector(first + count, first)
{
    private int _changes;

    /// <summary>Zeros on <paramref name="device"/>.</summary>
    public TorchVector(long length, torch.Device device, int gpu = 0)
        : this(0, length, device, gpu)
    {
    }

    /// <summary>(Length - First).</summary>
    public Tensor Flat { get; } = zeros(count, float32, device).DetachFromDisposeScope();

    /// <summary>Where element 0 is, or would be.</summary>
    public float* Data => Dispatcher.Floats(Flat) - First;

    /// <summary>Whose memory it lies in.</summary>
    public int Gpu { get; } = gpu;

    /// <summary>The device that it was allocated on, where others use it, too: who is lost with this memory.</summary>
    public DeviceId Home { get; init; } = new($"cuda:{gpu}");

    /// <summary>Grows with each change that <see cref="Touch"/> tells of: copies elsewhere are then old.</summary>
    public int Changes => Volatile.Read(ref _changes);

    /// <summary>Tells that elements have changed.</summary>
    public void Touch() => Interlocked.Increment(ref _changes);

    /// <summary>A view of the elements [first, first + count).</summary>
    public Tensor Range(long first, long count) => Flat.narrow(0, first - First, count);

    /// <summary>Views of it by the names of a layout's parameters.</summary>
    public Tensor View(FlatLayout layout, string name)
    {
        var segment = layout[name];
        return Range(segment.Offset, segment.Count).view([.. segment.Shape]);
    }

    /// <inheritdoc/>
    public override void Clear()
    {
        // An in-place operator returns another handle on the same memory, which would keep the memory allocated.
        using var scope = NewDisposeScope();
        Flat.zero_();
        Touch();
        GC.KeepAlive(this);
    }

    /// <inheritdoc/>
    protected override void Read(long first, Span<float> host)
    {
        using var scope = NewDisposeScope();
        var copy = Range(first, host.Length).to(CPU).contiguous();
        new Span<float>(Dispatcher.Floats(copy), host.Length).CopyTo(host);
        // TorchSharp hands libtorch the address of a tensor, and holds the tensor no longer: where this is the last that anybody does with
        // the vector, the finalizer would free the tensor under libtorch's hands. So below and above.
        GC.KeepAlive(this);
    }

    /// <inheritdoc/>
    protected override void Write(long first, ReadOnlySpan<float> host)
    {
        using var scope = NewDisposeScope();
        var copy = empty(host.Length, float32, CPU);
        host.CopyTo(new Span<float>(Dispatcher.Floats(copy), host.Length));
        Range(first, host.Length).copy_(copy);
        Touch();
        GC.KeepAlive(this);
    }

    /// <inheritdoc/>
    protected override void Dispose(bool disposing)
    {
        if (disposing)
            Flat.Dispose();
    }
}
