using Elastic.Foundation;
using Elastic.Messages;
using Elastic.Messages.Vectors;
using Elastic.Model.Vectors;
using Elastic.Storage;

namespace Elastic.Actors.Nodes.Replicas;

/// <summary>
/// The flat vectors of one replica in a device's memory, and which stored vectors they hold, so that what is there
/// already is not read again. One user at a time.
/// </summary>
internal sealed class ReplicaMemory(FlatLayout layout, DeviceId device) : IDisposable
{
    private static readonly (string Name, VectorKind Kind)[] Moments =
        [(VectorSet.FirstMoment, VectorKind.FirstMoment), (VectorSet.SecondMoment, VectorKind.SecondMoment)];

    private readonly Dictionary<VectorKind, Digest> _held = [];

    public ReplicaVectors Vectors { get; } = new(layout, Model.Training.Devices.Open(device));

    /// <summary>True when these are the moments in memory, so that this memory is the one to take for that replica.</summary>
    public bool HoldsMoments(Digest innerState) => InnerState == innerState;

    private Digest? InnerState { get; set; }

    /// <summary>Makes the parameters those of a version, or of a hand-over.</summary>
    public void LoadParameters(BlobStore blobs, Digest set) =>
        Load(blobs, VectorKind.Parameters, blobs.ReadSet(set)[VectorSet.Parameters]);

    /// <summary>Makes the moments those of a set; null for a replica that has taken no step yet: zeros.</summary>
    public void LoadMoments(BlobStore blobs, Digest? set)
    {
        if (set is { } held && HoldsMoments(held))
            return;
        InnerState = set;
        var stored = set is { } digest ? blobs.ReadSet(digest) : null;
        foreach (var (name, kind) in Moments)
            if (stored is not null)
                Load(blobs, kind, stored[name]);
            else
                Clear(kind);
    }

    /// <summary>Stores the parameters as a set of their own: a contribution.</summary>
    public Digest StoreParameters(BlobStore blobs) =>
        blobs.PutSet(new VectorSet(new Dictionary<string, VectorManifest> { [VectorSet.Parameters] = Store(blobs, VectorKind.Parameters) }));

    /// <summary>Stores the moments: the inner state.</summary>
    public Digest StoreMoments(BlobStore blobs) =>
        (InnerState = blobs.PutSet(new VectorSet(Moments.ToDictionary(m => m.Name, m => Store(blobs, m.Kind))))).Value;

    /// <summary>Stores parameters and moments together: a hand-over.</summary>
    public Digest StoreAll(BlobStore blobs) => blobs.PutSet(new VectorSet(
        Moments.Append((Name: VectorSet.Parameters, Kind: VectorKind.Parameters)).ToDictionary(m => m.Name, m => Store(blobs, m.Kind))));

    /// <summary>The vectors are about to change: what was known of them no longer holds.</summary>
    public void Changing()
    {
        _held.Clear();
        InnerState = null;
    }

    public void Dispose() => Vectors.Dispose();

    private void Load(BlobStore blobs, VectorKind kind, VectorManifest vector)
    {
        if (_held.TryGetValue(kind, out var held) && held == vector.Fingerprint)
            return;
        _held.Remove(kind);
        blobs.ReadVector(vector, Vectors, kind);
        _held[kind] = vector.Fingerprint;
    }

    private VectorManifest Store(BlobStore blobs, VectorKind kind)
    {
        var vector = blobs.PutVector(Vectors, kind);
        _held[kind] = vector.Fingerprint;
        return vector;
    }

    private void Clear(VectorKind kind)
    {
        _held.Remove(kind);
        Vectors.Clear(kind);
    }
}
