using Elastic.Foundation;
using Elastic.Messages;
using Elastic.Messages.Vectors;
using Elastic.Model.Training;
using Elastic.Model.Vectors;
using Elastic.Storage;

namespace Elastic.Actors.Nodes.Replicas;

/// <summary>
/// The flat vectors of one replica in a device's memory, and the digests of the stored vectors that they hold, so that a vector that is
/// already there is not read again. One user at a time.
/// </summary>
/// <param name="moments">The vectors that the optimizer needs, by name.</param>
internal sealed class ReplicaMemory(FlatLayout layout, IReadOnlyList<string> moments, DeviceId device) : IDisposable
{
    private readonly Dictionary<string, Digest> _held = [];

    public ReplicaVectors Vectors { get; } = new(layout, length => DeviceBackends.Of(device).Allocate(device, length));

    /// <summary>True when a replica was trained here, so that all that training allocates is there.</summary>
    public bool HasRoomToTrain { get; set; }

    /// <summary>True when the memory holds these moments, so that this memory suits that replica best.</summary>
    public bool HoldsMoments(Digest innerState) => InnerState == innerState;

    private Digest? InnerState { get; set; }

    /// <summary>Loads the parameters of a version, or of a hand-over.</summary>
    public void LoadParameters(BlobStore blobs, Digest set) =>
        Load(blobs, VectorSet.Parameters, blobs.ReadSet(set));

    /// <summary>Loads the moments of a set; null for a replica that has taken no step yet: zeros.</summary>
    public void LoadMoments(BlobStore blobs, Digest? set)
    {
        if (set is { } held && HoldsMoments(held))
            return;
        InnerState = set;
        var stored = set is { } digest ? blobs.ReadSet(digest) : null;
        foreach (var name in moments)
            if (stored is not null)
                Load(blobs, name, stored);
            else
                Clear(name);
    }

    /// <summary>Stores the parameters as a set of their own: a contribution.</summary>
    public Digest StoreParameters(BlobStore blobs) => Store(blobs, [VectorSet.Parameters]);

    /// <summary>Stores the moments: the inner state.</summary>
    public Digest StoreMoments(BlobStore blobs) => (InnerState = Store(blobs, moments)).Value;

    /// <summary>Stores parameters and moments together: a hand-over.</summary>
    public Digest StoreAll(BlobStore blobs) => Store(blobs, [.. moments, VectorSet.Parameters]);

    /// <summary>Forgets which stored vectors the memory holds: the vectors are about to change.</summary>
    public void Changing()
    {
        _held.Clear();
        InnerState = null;
    }

    public void Dispose() => Vectors.Dispose();

    private void Load(BlobStore blobs, string name, VectorSet set)
    {
        var vector = set[name];
        if (_held.TryGetValue(name, out var held) && held == vector.Fingerprint)
            return;
        _held.Remove(name);
        blobs.ReadVector(vector, Vectors, name);
        _held[name] = vector.Fingerprint;
    }

    private Digest Store(BlobStore blobs, IReadOnlyList<string> names)
    {
        var vectors = names.ToDictionary(name => name, name => blobs.PutVector(Vectors, name));
        foreach (var (name, vector) in vectors)
            _held[name] = vector.Fingerprint;
        return blobs.PutSet(new VectorSet(vectors));
    }

    private void Clear(string name)
    {
        _held.Remove(name);
        Vectors.Clear(name);
    }
}
