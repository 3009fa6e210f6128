using System.Runtime.InteropServices;
using Elastic.Messages.Vectors;

namespace Elastic.Model.Vectors;

/// <summary>
/// A replica's state: flat fp32 vectors of one layout on one device, by name (see <see cref="VectorSet"/>): the parameters, the vectors
/// that the optimizer declares, of the trained ones alone, and the loss scale. Each starts as zeros.
/// </summary>
public sealed class ReplicaVectors : IDisposable
{
    private const string WorkingCopyName = "working-copy";

    private readonly Dictionary<string, DeviceVector> _vectors = [];
    private readonly Func<string, long, DeviceVector> _allocate;
    private readonly FileOffload? _offload;

    // The devices of a replica may ask for the same vector at once.
    private readonly Lock _gate = new();

    /// <summary>
    /// In this machine's memory, or where <paramref name="allocate"/> makes a vector of so many elements. A vector takes memory from its
    /// first use on: inference never allocates the moments.
    /// </summary>
    /// <param name="offload">Which vectors lie in files instead; null for none.</param>
    public ReplicaVectors(FlatLayout layout, Func<long, DeviceVector>? allocate = null, FileOffload? offload = null)
        : this(layout, (_, length) => allocate?.Invoke(length) ?? new HostVector(length)) => _offload = offload;

    /// <summary>Where memory depends on the vector: the vectors of a stage in a process of its own, which has parts of each.</summary>
    /// <param name="allocate">Makes the vector of that name, of so many elements.</param>
    public ReplicaVectors(FlatLayout layout, Func<string, long, DeviceVector> allocate)
    {
        ArgumentNullException.ThrowIfNull(layout);
        ArgumentNullException.ThrowIfNull(allocate);
        (Layout, _allocate) = (layout, allocate);
    }

    /// <summary>Where each parameter lies.</summary>
    public FlatLayout Layout { get; }

    /// <summary>The model, (Length).</summary>
    public DeviceVector Parameters => this[VectorSet.Parameters];

    /// <summary>The parameters once more, in a type of 16 bits: two of them in the room of an element. No part of the state.</summary>
    /// <exception cref="InvalidOperationException">The vectors lie on another device.</exception>
    internal HostVector WorkingCopy => Host(WorkingCopyName);

    /// <summary>The vector called <paramref name="name"/>, see <see cref="FlatLayout.LengthOf"/>.</summary>
    public DeviceVector this[string name]
    {
        get
        {
            lock (_gate)
            {
                if (!_vectors.TryGetValue(name, out var vector))
                    _vectors[name] = vector = _offload is { } files && files.Vectors.Contains(name)
                        ? new HostVector(Layout.LengthOf(name), files.Folder)
                        : _allocate(name, name == WorkingCopyName ? Layout.Length / 2 : Layout.LengthOf(name));
                return vector;
            }
        }
    }

    /// <summary>True when the vectors are in this machine's memory, so that <see cref="Floats"/> works.</summary>
    public bool OnHost => Parameters is HostVector;

    /// <summary>The vector called <paramref name="name"/> in this machine's memory.</summary>
    /// <exception cref="InvalidOperationException">The vectors lie on another device.</exception>
    public HostVector Host(string name) => this[name] as HostVector
        ?? throw new InvalidOperationException("the vectors are not in this machine's memory: use CopyTo and CopyFrom");

    /// <summary>The vectors in use that lie in files.</summary>
    internal IReadOnlyList<HostVector> InFiles
    {
        get
        {
            lock (_gate)
                return [.. _vectors.Values.OfType<HostVector>().Where(v => v.IsInFile)];
        }
    }

    /// <summary>Elements of a vector in this machine's memory, without copying. Do not keep it beyond the life of this object.</summary>
    /// <exception cref="InvalidOperationException">The vectors lie on another device.</exception>
    public Span<float> Floats(string name, long first, int count) => Host(name).Span(first, count);

    /// <summary>The bytes of the same elements (little-endian fp32).</summary>
    public Span<byte> Bytes(string name, long first, int count) => MemoryMarshal.AsBytes(Floats(name, first, count));

    /// <summary>Makes a vector all zeros.</summary>
    public void Clear(string name) => this[name].Clear();

    /// <summary>Copies elements from <paramref name="first"/> on into <paramref name="host"/>, from any device.</summary>
    public void CopyTo(string name, long first, Span<float> host) => this[name].CopyTo(first, host);

    /// <summary>Overwrites elements from <paramref name="first"/> on with <paramref name="host"/>, on any device.</summary>
    public void CopyFrom(string name, long first, ReadOnlySpan<float> host) => this[name].CopyFrom(first, host);

    /// <summary>
    /// Leaves the working copy to the garbage collector, where a device that does not end may still write to it. The next one is another.
    /// </summary>
    public void AbandonWorkingCopy()
    {
        lock (_gate)
            _vectors.Remove(WorkingCopyName);
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        foreach (var vector in _vectors.Values)
            vector.Dispose();
    }
}
