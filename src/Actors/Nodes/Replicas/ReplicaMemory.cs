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
/// <param name="moments">The vectors of the inner state, by name: the optimizer's, and the loss scale where there is one.</param>
/// <param name="offload">Which vectors lie in files; null for none.</param>
internal sealed class ReplicaMemory(FlatLayout layout, IReadOnlyList<string> moments, DeviceId device, FileOffload? offload = null)
    : IDisposable
{
    private readonly Dictionary<string, Digest> _held = [];
    private ReplicaVectors? _mirror;

    public ReplicaVectors Vectors { get; private set; } = New(layout, device, offload);

    /// <summary>Room for the replica's state of before an update.</summary>
    public ReplicaVectors Mirror => _mirror ??= New(layout, device, offload);

    /// <summary>True when a replica was trained here, so that all that training allocates is there.</summary>
    public bool HasRoomToTrain { get; set; }

    /// <summary>True where the memory is this device's own, and is lost with it: that of a GPU.</summary>
    public bool IsOf(DeviceId other) => !device.IsCpu && device.Whole() == other.Whole();

    /// <summary>True when the memory holds these moments, so that this memory suits that replica best.</summary>
    public bool HoldsMoments(Digest innerState) => InnerState == innerState;

    /// <summary>The frozen parameters that the memory holds; null where there are none, or none were loaded yet.</summary>
    public Digest? Frozen { get; private set; }

    private Digest? InnerState { get; set; }

    /// <summary>Loads the parameters of a version, or of a hand-over. Frozen ones are read once: no step changes them.</summary>
    public void LoadParameters(BlobStore blobs, Digest set)
    {
        var stored = blobs.ReadSet(set);
        if (stored.Frozen is { } frozen && Frozen != frozen)
        {
            Frozen = null;
            blobs.ReadFrozen(frozen, Vectors);
            Frozen = frozen;
        }
        Load(blobs, VectorSet.Parameters, stored);
    }

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

    /// <summary>Stores the trained parameters as a set of their own, and the moments.</summary>
    public (Digest Contribution, Digest InnerState) StoreResult(BlobStore blobs)
    {
        var stored = blobs.PutVectors(Vectors, [VectorSet.Parameters, .. moments]);
        return (Put(blobs, stored, [VectorSet.Parameters], null), (InnerState = Put(blobs, stored, moments, null)).Value);
    }

    /// <summary>Stores parameters and moments together: a hand-over.</summary>
    public Digest StoreAll(BlobStore blobs)
    {
        string[] all = [.. moments, VectorSet.Parameters];
        return Put(blobs, blobs.PutVectors(Vectors, all), all, Frozen);
    }

    /// <summary>Forgets which stored vectors the memory holds: the vectors are about to change.</summary>
    public void Changing()
    {
        _held.Clear();
        InnerState = null;
    }

    /// <summary>
    /// A device was lost in a step: the vectors are what they were before it. What that device may still write to is left to the garbage
    /// collector.
    /// </summary>
    /// <param name="isUpdating">The vectors may be half updated, and the mirror is whole; otherwise it is the other way round.</param>
    public void GoBack(bool isUpdating)
    {
        if (isUpdating)
            Vectors = Mirror;
        else
            Vectors.AbandonWorkingCopy();
        _mirror = null;
    }

    public void Dispose()
    {
        Vectors.Dispose();
        _mirror?.Dispose();
    }

    private static ReplicaVectors New(FlatLayout layout, DeviceId device, FileOffload? offload) =>
        new(layout, length => DeviceBackends.Of(device).Allocate(device, length), offload);

    private void Load(BlobStore blobs, string name, VectorSet set)
    {
        var vector = set[name];
        if (_held.TryGetValue(name, out var held) && held == vector.Fingerprint)
            return;
        _held.Remove(name);
        blobs.ReadVector(vector, Vectors, name);
        _held[name] = vector.Fingerprint;
    }

    private Digest Put(
        BlobStore blobs, IReadOnlyDictionary<string, VectorManifest> stored, IReadOnlyList<string> names, Digest? frozen)
    {
        foreach (var name in names)
            _held[name] = stored[name].Fingerprint;
        return blobs.PutSet(new VectorSet(names.ToDictionary(name => name, name => stored[name]), frozen));
    }

    private void Clear(string name)
    {
        _held.Remove(name);
        Vectors.Clear(name);
    }
}
