using Elastic.Model.Vectors;
using static TorchSharp.torch;

namespace Elastic.Torch;

/// <summary>
/// A GPU's copies of a replica's vectors, which lie in the memory of another one, or of ranges of them. A copy is made anew when the vector
/// has changed (<see cref="TorchVector.Changes"/>).
/// </summary>
/// <param name="gpu">The GPU's number; 0 on libtorch's CPU.</param>
/// <param name="across">Does what moves numbers from a vector in another GPU's memory, or to it.</param>
internal sealed class VectorCopies(Device device, int gpu, Action<TorchVector, Action> across) : IDisposable
{
    // One copy of all, one of a slice, and one of each range: a device that has several stages keeps the ranges of all of them.
    private enum Kind
    {
        All,
        Slice,
        Range,
    }

    private readonly Dictionary<(string Name, Kind Kind, long First, long Count), Copy> _copies = [];

    /// <summary>The vector, where it lies on this GPU; else a copy of all of it.</summary>
    public TorchVector Whole(ReplicaVectors vectors, string name)
    {
        var vector = (TorchVector)vectors[name];
        return Of(vector, name, Kind.All, 0, vector.Length);
    }

    /// <summary>The vector, where it lies on this GPU; else a copy of that range of it.</summary>
    public TorchVector Part(ReplicaVectors vectors, string name, Slice slice) =>
        Of((TorchVector)vectors[name], name, Kind.Slice, slice.First, slice.Count);

    /// <summary>The vector, where it lies on this GPU, or its pieces; else copies of these ranges of it.</summary>
    public IReadOnlyList<TorchVector> Ranges(ReplicaVectors vectors, string name, IReadOnlyList<(long First, long Count)> ranges) =>
        vectors[name] switch
        {
            PiecedVector pieces => pieces.Pieces,
            TorchVector whole when whole.Gpu == gpu => [whole],
            var other => [.. ranges.Select(r => Of((TorchVector)other, name, Kind.Range, r.First, r.Count))],
        };

    /// <summary>
    /// Tells that this copy of the vector is now what that is, though it has changed; others of its copies are not. Where the vector lies
    /// here it has none.
    /// </summary>
    public void Renew(ReplicaVectors vectors, string name, TorchVector current)
    {
        var from = (TorchVector)vectors[name];
        foreach (var (key, copy) in _copies.Where(c => c.Value.Vector == current && c.Value.From == from).ToList())
        {
            _copies[key] = copy with { Changes = from.Changes };
            copy.Vector.Touch();
        }
    }

    /// <summary>Frees copies of whole vectors: a stage of a pipeline reads ranges, and all parameters in evaluations alone.</summary>
    public void FreeWhole() => Free(k => k.Kind == Kind.All);

    /// <inheritdoc/>
    public void Dispose() => Free(_ => true);

    private void Free(Func<(string Name, Kind Kind, long First, long Count), bool> which)
    {
        foreach (var key in _copies.Keys.Where(which).ToList())
        {
            _copies.Remove(key, out var copy);
            copy!.Vector.Dispose();
        }
    }

    private TorchVector Of(TorchVector from, string name, Kind kind, long first, long count)
    {
        if (from.Gpu == gpu)
            return from;
        var (key, changes) = (kind == Kind.Range ? (name, kind, first, count) : (name, kind, 0, 0), from.Changes);
        var vector = _copies.TryGetValue(key, out var copy) && copy.Vector.First == first && copy.Vector.Length == first + count
            ? copy.Vector
            : null;
        if (vector is not null && copy!.From == from && copy.Changes == changes)
            return vector;
        var isNew = vector is null;
        if (vector is null)
        {
            _copies.Remove(key);
            copy?.Vector.Dispose();
            vector = new TorchVector(first, count, device, gpu);
        }
        try
        {
            across(from, () =>
            {
                using var scope = NewDisposeScope();
                vector.Range(first, count).copy_(from.Range(first, count));
            });
        }
        catch
        {
            // This GPU may go on without the other one, and nobody has what was made for the copy.
            if (isNew)
                vector.Dispose();
            throw;
        }
        vector.Touch();
        _copies[key] = new Copy(vector, from, changes);
        return vector;
    }

    private sealed record Copy(TorchVector Vector, TorchVector From, int Changes);
}
