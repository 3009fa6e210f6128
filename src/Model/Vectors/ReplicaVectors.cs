using System.Runtime.InteropServices;
using Elastic.Messages.Vectors;
using Elastic.Model.Native;
using TorchSharp;
using static TorchSharp.torch;

namespace Elastic.Model.Vectors;

/// <summary>
/// A replica's state: flat fp32 vectors of one layout on one device, by name (see <see cref="VectorSet"/>): the parameters, and the vectors
/// that the optimizer declares. Each starts as zeros.
/// </summary>
public sealed unsafe class ReplicaVectors : IDisposable
{
    private readonly Dictionary<string, Tensor> _vectors = [];
    private readonly torch.Device _device;

    // The devices of a replica may ask for the same vector at once.
    private readonly Lock _gate = new();

    /// <summary>
    /// On the CPU, or on <paramref name="device"/>. A vector takes memory from its first use on: inference never allocates the moments.
    /// </summary>
    public ReplicaVectors(FlatLayout layout, torch.Device? device = null)
    {
        ArgumentNullException.ThrowIfNull(layout);
        NativeTorch.Load();
        (Layout, _device) = (layout, device ?? CPU);
    }

    /// <summary>Where each parameter lies.</summary>
    public FlatLayout Layout { get; }

    /// <summary>The model, (Length).</summary>
    public Tensor Parameters => this[VectorSet.Parameters];

    /// <summary>The vector called <paramref name="name"/>, (Length).</summary>
    public Tensor this[string name]
    {
        get
        {
            lock (_gate)
            {
                if (!_vectors.TryGetValue(name, out var vector))
                    _vectors[name] = vector = zeros(Layout.Length, float32, _device).DetachFromDisposeScope();
                return vector;
            }
        }
    }

    /// <summary>True when the vectors are in this machine's memory, so that <see cref="Floats"/> works.</summary>
    public bool OnCpu => _device.type == DeviceType.CPU;

    /// <summary>Makes a vector all zeros.</summary>
    public void Clear(string name)
    {
        // An in-place operator returns another handle on the same memory, which would keep the memory allocated.
        using var scope = NewDisposeScope();
        this[name].zero_();
    }

    /// <summary>Elements of a vector on the CPU, without copying. Do not keep it beyond the life of this object.</summary>
    /// <exception cref="InvalidOperationException">The vectors lie on a GPU.</exception>
    public Span<float> Floats(string name, long first, int count)
    {
        Check(first, count);
        if (!OnCpu)
            throw new InvalidOperationException($"the vectors are on {_device}: use CopyTo and CopyFrom");
        return new Span<float>(Dispatcher.Floats(this[name]) + first, count);
    }

    /// <summary>The bytes of the same elements (little-endian fp32).</summary>
    public Span<byte> Bytes(string name, long first, int count) => MemoryMarshal.AsBytes(Floats(name, first, count));

    /// <summary>Copies elements from <paramref name="first"/> on into <paramref name="host"/>, from any device.</summary>
    public void CopyTo(string name, long first, Span<float> host)
    {
        if (OnCpu)
        {
            Floats(name, first, host.Length).CopyTo(host);
            return;
        }
        Check(first, host.Length);
        using var scope = NewDisposeScope();
        var copy = this[name].narrow(0, first, host.Length).to(CPU);
        new Span<float>(Dispatcher.Floats(copy), host.Length).CopyTo(host);
    }

    /// <summary>Overwrites elements from <paramref name="first"/> on with <paramref name="host"/>, on any device.</summary>
    public void CopyFrom(string name, long first, ReadOnlySpan<float> host)
    {
        if (OnCpu)
        {
            host.CopyTo(Floats(name, first, host.Length));
            return;
        }
        Check(first, host.Length);
        using var scope = NewDisposeScope();
        var copy = empty(host.Length, float32, CPU);
        host.CopyTo(new Span<float>(Dispatcher.Floats(copy), host.Length));
        this[name].narrow(0, first, host.Length).copy_(copy);
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        foreach (var vector in _vectors.Values)
            vector.Dispose();
    }

    private void Check(long first, int count)
    {
        if (first < 0 || count < 0 || first + count > Layout.Length)
            throw new ArgumentOutOfRangeException(nameof(first), $"[{first}, {first + count}) is not inside [0, {Layout.Length})");
    }
}
