using System.Runtime.InteropServices;
using Elastic.Actors.Nodes.Devices;
using Elastic.Foundation;
using Elastic.Messages;
using Elastic.Messages.Settings;
using Elastic.Messages.Vectors;
using Elastic.Model.Splits;
using Elastic.Model.Training;
using Elastic.Model.Vectors;
using Elastic.Storage;

namespace Elastic.Actors.Nodes.Replicas;

/// <summary>With which settings a replica was trained, and on how many devices.</summary>
internal sealed record Trained(TrainingSettings Settings, int Devices);

/// <summary>
/// The flat vectors of one replica in a device's memory, and the digests of the stored vectors that they hold, so that a vector that is
/// already there is not read again. One user at a time.
/// </summary>
/// <param name="moments">The vectors of the inner state, by name: the optimizer's, and the loss scale where there is one.</param>
/// <param name="offload">Which vectors lie in files; null for none.</param>
/// <param name="share">The part that is here, and takes memory, of a replica whose stages are on several nodes; null for all of it.</param>
internal sealed class ReplicaMemory(
    FlatLayout layout, IReadOnlyList<string> moments, DeviceId device, FileOffload? offload = null, StageShare? share = null) : IDisposable
{
    private readonly Dictionary<string, Digest> _held = [];
    private ReplicaVectors? _mirror;
    private bool _isReadByOthers;

    public ReplicaVectors Vectors { get; private set; } = share is { } part
        ? new(layout, (name, length) => DeviceBackends.Of(device).Allocate(device, length, part.PlacesIn(name)))
        : New(layout, device, offload);

    /// <summary>What is here; null for all of it.</summary>
    public StageShare? Share => share;

    /// <summary>Room for the replica's state of before an update.</summary>
    public ReplicaVectors Mirror => _mirror ??= New(layout, device, offload);

    /// <summary>
    /// With which settings a replica was trained here last, and on how many devices, so that what training with them allocates is there;
    /// null where none was.
    /// </summary>
    public Trained? TrainedWith { get; set; }

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
            if (share is null)
                blobs.ReadFrozen(frozen, Vectors);
            else
                blobs.ReadFrozenRanges(frozen, Vectors, share.Frozen);
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

    /// <summary>
    /// Stores the trained parameters and the moments of stages on several nodes, which all call it at once: the first one stores
    /// everything, and tells the others so.
    /// </summary>
    /// <exception cref="StageLostException">Another stage is gone.</exception>
    public async Task<(Digest Contribution, Digest InnerState)> StoreResultAsync(BlobStore blobs, ApartStage stage)
    {
        var stored = await GatherAsync(blobs, stage, [VectorSet.Parameters, .. moments]);
        var sets = await TellAsync(
            stage, stored is null ? [] :
            [
                blobs.PutSet(SetOf(stored, [VectorSet.Parameters], null)), blobs.PutSet(SetOf(stored, moments, null)),
            ], 2);
        return (sets[0], (InnerState = sets[1]).Value);
    }

    /// <summary>
    /// Stores a hand-over of stages on several nodes, which all call it at once, as <see cref="StoreResultAsync"/> stores a result.
    /// </summary>
    /// <inheritdoc cref="StoreResultAsync" path="/exception"/>
    public async Task<Digest> StoreAllAsync(BlobStore blobs, ApartStage stage)
    {
        string[] all = [.. moments, VectorSet.Parameters];
        var stored = await GatherAsync(blobs, stage, all);
        return (await TellAsync(stage, stored is null ? [] : [blobs.PutSet(SetOf(stored, all, Frozen))], 1))[0];
    }

    /// <summary>Attaches devices that train the replica from now on, and notes how many they are.</summary>
    public async Task TrainOnAsync(DeviceGroup devices, TrainingSettings settings)
    {
        await devices.AttachAsync(settings, Vectors);
        TrainedWith = new(settings, devices.Given);
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
        _isReadByOthers = true;
    }

    /// <summary>Frees the memory, unless a device that was lost may still read it: the garbage collector frees it then.</summary>
    public void Dispose()
    {
        if (!_isReadByOthers)
        {
            Vectors.Dispose();
            _mirror?.Dispose();
        }

        share?.Dispose();
    }

    private static ReplicaVectors New(FlatLayout layout, DeviceId device, FileOffload? offload) =>
        new(layout, length => DeviceBackends.Of(device).Allocate(device, length), offload);

    private void Load(BlobStore blobs, string name, VectorSet set)
    {
        var vector = set[name];
        if (_held.TryGetValue(name, out var held) && held == vector.Fingerprint)
            return;
        _held.Remove(name);
        if (share is null)
            blobs.ReadVector(vector, Vectors, name);
        else
            blobs.ReadRanges(vector, Vectors, name, share.RangesOf(name));
        _held[name] = vector.Fingerprint;
    }

    private Digest Put(
        BlobStore blobs, IReadOnlyDictionary<string, VectorManifest> stored, IReadOnlyList<string> names, Digest? frozen)
    {
        foreach (var name in names)
            _held[name] = stored[name].Fingerprint;
        return blobs.PutSet(new VectorSet(names.ToDictionary(name => name, name => stored[name]), frozen));
    }

    // Null where another stage stores. Each of these vectors lies as the parameters do, but for the loss scale, which all stages have.
    private async Task<Dictionary<string, VectorManifest>?> GatherAsync(BlobStore blobs, ApartStage stage, IEnumerable<string> names)
    {
        var (stored, isFirst) = (new Dictionary<string, VectorManifest>(), share!.Number == 0);
        foreach (var name in names)
        {
            if (name == VectorSet.LossScale)
            {
                if (isFirst)
                    stored[name] = blobs.PutVector(Vectors, name);
                continue;
            }
            var chunks = new Digest[layout.Chunks];
            await stage.GatherAsync(name, (chunk, elements) => chunks[chunk] = blobs.Put(MemoryMarshal.AsBytes(elements.Span)));
            stored[name] = new VectorManifest(layout.TrainedLength, chunks);
        }
        return isFirst ? stored : null;
    }

    // The first stage tells the others which sets it has stored.
    private static async Task<Digest[]> TellAsync(ApartStage stage, IReadOnlyList<Digest> own, int count)
    {
        var bytes = own.Count > 0 ? own.SelectMany(set => Convert.FromHexString(set.Hex)).ToArray() : new byte[count * Digest.Length];
        return [.. (await stage.TellStoredAsync(bytes)).Chunk(Digest.Length).Select(set => new Digest(Convert.ToHexStringLower(set)))];
    }

    private static VectorSet SetOf(Dictionary<string, VectorManifest> stored, IEnumerable<string> names, Digest? frozen) =>
        new(names.ToDictionary(name => name, name => stored[name]), frozen);

    // Of a stage only what is here: the rest is zeros, and has no memory.
    private void Clear(string name)
    {
        _held.Remove(name);
        if (share is null || !Vectors.OnHost)
        {
            Vectors.Clear(name);
            return;
        }
        foreach (var (first, count) in share.RangesOf(name))
        {
            const int piece = 1 << 28;
            for (var at = first; at < first + count; at += piece)
                Vectors.Floats(name, at, (int)Math.Min(piece, first + count - at)).Clear();
        }
    }
}
