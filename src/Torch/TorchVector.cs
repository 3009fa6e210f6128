using Elastic.Model.Vectors;
using Elastic.Torch.Native;
using TorchSharp;
using static TorchSharp.torch;

namespace Elastic.Torch;

/// <summary>A flat vector as a tensor, on a GPU or on libtorch's CPU.</summary>
internal sealed unsafe class TorchVector : DeviceVector
{
    /// <summary>Zeros on <paramref name="device"/>.</summary>
    public TorchVector(long length, torch.Device device)
        : base(length)
        => Flat = zeros(length, float32, device).DetachFromDisposeScope();

    /// <summary>(Length).</summary>
    public Tensor Flat { get; }

    /// <summary>Views of it by the names of a layout's parameters.</summary>
    public Tensor View(FlatLayout layout, string name)
    {
        var segment = layout[name];
        return Flat.narrow(0, segment.Offset, segment.Count).view([.. segment.Shape]);
    }

    /// <inheritdoc/>
    public override void Clear()
    {
        // An in-place operator returns another handle on the same memory, which would keep the memory allocated.
        using var scope = NewDisposeScope();
        Flat.zero_();
    }

    /// <inheritdoc/>
    protected override void Read(long first, Span<float> host)
    {
        using var scope = NewDisposeScope();
        var copy = Flat.narrow(0, first, host.Length).to(CPU).contiguous();
        new Span<float>(Dispatcher.Floats(copy), host.Length).CopyTo(host);
    }

    /// <inheritdoc/>
    protected override void Write(long first, ReadOnlySpan<float> host)
    {
        using var scope = NewDisposeScope();
        var copy = empty(host.Length, float32, CPU);
        host.CopyTo(new Span<float>(Dispatcher.Floats(copy), host.Length));
        Flat.narrow(0, first, host.Length).copy_(copy);
    }

    /// <inheritdoc/>
    protected override void Dispose(bool disposing)
    {
        if (disposing)
            Flat.Dispose();
    }
}
