using System.Runtime.InteropServices;
using Elastic.Foundation;
using Elastic.Messages.Settings;
using Elastic.Messages.Vectors;
using Elastic.Model.Networks;
using Elastic.Model.Vectors;

namespace Elastic.Storage;

/// <summary>The parameters of a checkpoint, known to fit a model, and read as they are needed. Not thread-safe.</summary>
internal sealed class CheckpointParameters
{
    // Decayed parameters and the others lie apart: whoever reads in the order of layers has a place in each.
    private const int ChunksHeld = 2;

    private readonly BlobStore _blobs;
    private readonly VectorManifest _trained;
    private readonly Digest? _frozen;
    private readonly List<(Digest Chunk, float[] Elements)> _held = [];
    private VectorManifest? _frozenVector;

    private CheckpointParameters(BlobStore blobs, VectorManifest trained, Digest? frozen, FlatLayout layout) =>
        (_blobs, _trained, _frozen, Layout) = (blobs, trained, frozen, layout);

    /// <summary>Where each parameter lies.</summary>
    public FlatLayout Layout { get; }

    /// <summary>Finds the parameters of a manifest. Reads none of them.</summary>
    /// <exception cref="ElasticException">It is a checkpoint of another model.</exception>
    /// <exception cref="IOException">A blob of its parameters is missing.</exception>
    public static CheckpointParameters Find(string path, CheckpointManifest manifest, ModelSettings model)
    {
        if (manifest.Model != model.Signature)
            throw new ElasticException($"{path} is a checkpoint of another model: it has {manifest.Model}, " +
                                       $"and the settings ask for {model.Signature}; " +
                                       "set the model.* keys to the checkpoint's, or take another checkpoint");
        var folder = Path.GetDirectoryName(Path.GetFullPath(path))!;
        var blobs = new BlobStore(Path.Combine(folder, CheckpointManifest.BlobFolder), readOnly: true);
        var ((parameters, frozen), layout) = (ParametersOf(path, manifest, blobs), Architectures.LayoutOf(model));
        if (frozen is null && layout.FrozenLength > 0)
            throw new ElasticException($"{path} was written by an earlier version of Elastic, which kept frozen weights among the trained "
                + "ones: export its model with that version, and start from the folder");
        VectorStore.Check(parameters, VectorSet.Parameters, layout.TrainedLength);
        return parameters.Chunks.FirstOrDefault(c => !blobs.Has(c)) is { Hex: not null } missing
            ? throw new BlobLostException(missing, $"is missing ({blobs.PathOf(missing)})")
            : new CheckpointParameters(blobs, parameters, frozen, layout);
    }

    /// <summary>Reads all of them, every chunk verified.</summary>
    /// <exception cref="BlobLostException">A chunk is missing or damaged.</exception>
    public void ReadInto(ReplicaVectors vectors)
    {
        _blobs.ReadVector(_trained, vectors, VectorSet.Parameters);
        if (_frozen is { } set)
            _blobs.ReadFrozen(set, vectors);
    }

    /// <summary>Reads elements of a parameter; each chunk is verified as it is read.</summary>
    /// <param name="first">The first of them, counted in the parameter.</param>
    /// <inheritdoc cref="ReadInto" path="/exception"/>
    public void Read(string parameter, long first, Span<float> into)
    {
        var at = Layout[parameter].Offset + first;
        var isFrozen = at >= Layout.TrainedLength;
        var vector = isFrozen ? FrozenVector() : _trained;
        at -= isFrozen ? Layout.TrainedLength : 0;
        while (!into.IsEmpty)
        {
            var chunk = (int)(at / VectorManifest.ChunkElements);
            var from = (int)(at - (long)chunk * VectorManifest.ChunkElements);
            var elements = Chunk(vector, chunk).AsSpan(from);
            var count = Math.Min(elements.Length, into.Length);
            elements[..count].CopyTo(into);
            into = into[count..];
            at += count;
        }
    }

    private VectorManifest FrozenVector()
    {
        if (_frozenVector is { } known)
            return known;
        var vector = _blobs.ReadSet(_frozen!.Value)[VectorSet.FrozenParameters];
        VectorStore.Check(vector, VectorSet.FrozenParameters, Layout.FrozenLength);
        return _frozenVector = vector;
    }

    // The newest chunks are the last ones.
    private float[] Chunk(VectorManifest vector, int index)
    {
        var digest = vector.Chunks[index];
        if (_held.FindIndex(h => h.Chunk == digest) is var at and >= 0)
        {
            var held = _held[at];
            _held.RemoveAt(at);
            _held.Add(held);
            return held.Elements;
        }

        var elements = new float[VectorManifest.ElementsOf(vector.Elements, index)];
        _blobs.Read(digest, MemoryMarshal.AsBytes(elements.AsSpan()));
        if (_held.Count == ChunksHeld)
            _held.RemoveAt(0);
        _held.Add((digest, elements));
        return elements;
    }

    private static (VectorManifest Trained, Digest? Frozen) ParametersOf(string path, CheckpointManifest manifest, BlobStore blobs)
    {
        try
        {
            var set = blobs.ReadSet(new Digest(manifest.Parameters));
            if (CheckpointReader.Difference(path, manifest, set) is { } difference)
                throw new ElasticException(difference);
            return (set[VectorSet.Parameters], set.Frozen);
        }
        catch (InvalidDataException e)
        {
            throw new ElasticException($"{path} names parameters that are none ({e.Message}): take another checkpoint", e);
        }
    }
}
