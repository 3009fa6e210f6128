using Elastic.Model.Vectors;
using static TorchSharp.torch;

namespace Elastic.Torch.Cuda.Passes;

/// <summary>
/// A device's copies of parameters in 16 bits, from which products read them. Where the device alone updates a vector, AdamW writes the
/// copies, too (<see cref="Into"/>): they lie side by side then, as the parameters do. Any other copy is made anew when the vector that
/// it lies in has changed: once in a step.
/// </summary>
internal sealed class NarrowCopies : IDisposable
{
    // Of a copy that is not what it is a copy of.
    private const int Old = -1;

    private readonly Dictionary<(TorchVector Vector, long Offset), (Tensor Elements, int Changes)> _copies = [];
    private readonly Dictionary<(TorchVector Vector, long Offset), (Tensor Elements, int Changes)> _padded = [];
    private readonly Dictionary<TorchVector, (Tensor Elements, long First)> _rooms = [];
    private readonly List<(TorchVector Vector, long First, long End, int Changes)> _written = [];

    /// <summary>A parameter of a vector of this device's memory, rounded: (elements).</summary>
    public Tensor Of(TorchVector vector, Segment segment, ScalarType type)
    {
        ArgumentNullException.ThrowIfNull(vector);
        ArgumentNullException.ThrowIfNull(segment);
        var (key, changes) = ((vector, segment.Offset), vector.Changes);
        if (_copies.TryGetValue(key, out var copy) && copy.Elements.dtype == type && copy.Changes == changes)
            return copy.Elements;
        using var scope = NewDisposeScope();
        if (_rooms.TryGetValue(vector, out var room) && room.Elements.dtype != type)
        {
            _rooms.Remove(vector);
            room.Elements.Dispose();
        }
        if (copy.Elements is { } other && other.dtype != type)
        {
            _copies.Remove(key);
            other.Dispose();
            copy = default;
        }
        var elements = copy.Elements ?? New(vector, segment, type);
        elements.copy_(vector.Range(segment.Offset, segment.Count));
        _copies[key] = (elements.DetachFromDisposeScope(), changes);
        return elements;
    }

    /// <summary><see cref="Of"/>, and zeros behind it, so many elements together: memory of its own where there are any.</summary>
    public Tensor Padded(TorchVector vector, Segment segment, ScalarType type, long count)
    {
        ArgumentNullException.ThrowIfNull(segment);
        var elements = Of(vector, segment, type);
        if (count == segment.Count)
            return elements;
        var (key, changes) = ((vector, segment.Offset), vector.Changes);
        if (!_padded.TryGetValue(key, out var kept) || kept.Elements.dtype != type || kept.Elements.numel() != count)
        {
            _padded.Remove(key);
            kept.Elements?.Dispose();
            kept = _padded[key] = (zeros(count, type, vector.Flat.device).DetachFromDisposeScope(), Old);
        }
        if (kept.Changes != changes)
        {
            using var scope = NewDisposeScope();
            kept.Elements.narrow(0, 0, segment.Count).copy_(elements);
            _padded[key] = kept with { Changes = changes };
        }
        return kept.Elements;
    }

    /// <summary>
    /// Memory for the elements [first, first + count) of a vector in 16 bits, into which an update writes them besides; none where no
    /// product has read a parameter that begins among them in 16 bits.
    /// </summary>
    /// <param name="end">Behind the trained elements of the vector, all of which this device updates.</param>
    public DeviceMemory Into(TorchVector vector, long end, long first, long count)
    {
        ArgumentNullException.ThrowIfNull(vector);
        // Of matrices that something else updates, no copy is written; nor of tables that only lookups read, which lie before all that
        // products read.
        if (!_copies.Keys.Any(c => c.Vector == vector && c.Offset >= first && c.Offset < first + count)
            || RoomOf(vector, end) is not { } room || first < room.First)
            return DeviceMemory.None;
        _written.Add((vector, first, first + count, vector.Changes));
        return DeviceMemory.Of(room.Elements).From(first - room.First);
    }

    /// <summary>After the one change of a vector that its update tells of: what that has written is what the vector has.</summary>
    public void Renew(TorchVector vector)
    {
        ArgumentNullException.ThrowIfNull(vector);
        // What an update wrote that failed before it told of its change is not.
        var written = _written.Where(w => w.Vector == vector && w.Changes + 1 == vector.Changes).ToList();
        foreach (var (key, copy) in _copies.Where(c => c.Key.Vector == vector).ToList())
        {
            if (written.Exists(w => w.First <= key.Offset && key.Offset + copy.Elements.numel() <= w.End))
                _copies[key] = copy with { Changes = vector.Changes };
        }
        _written.Clear();
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        foreach (var tensor in _copies.Values.Concat(_padded.Values).Select(c => c.Elements).Concat(_rooms.Values.Select(r => r.Elements)))
            tensor.Dispose();
        _copies.Clear();
        _padded.Clear();
        _rooms.Clear();
        _written.Clear();
    }

    private Tensor New(TorchVector vector, Segment segment, ScalarType type) =>
        _rooms.TryGetValue(vector, out var room) && segment.Offset >= room.First
            && segment.Offset - room.First + segment.Count <= room.Elements.numel()
            ? room.Elements.narrow(0, segment.Offset - room.First, segment.Count)
            : empty(segment.Count, type, vector.Flat.device);

    // From the first parameter that a product has read to the end. The copies that there are move into it.
    private (Tensor Elements, long First)? RoomOf(TorchVector vector, long end)
    {
        if (_rooms.TryGetValue(vector, out var made))
            return made;
        var copies = _copies.Where(c => c.Key.Vector == vector && c.Key.Offset < end)
            .Select(c => (c.Key, c.Value.Elements, c.Value.Changes, Count: c.Value.Elements.numel())).ToList();
        if (copies.Count == 0)
            return null;
        using var scope = NewDisposeScope();
        // One that nobody reads any more may be of another type.
        var (type, from) = (copies.MaxBy(c => c.Changes).Elements.dtype, copies.Min(c => c.Key.Offset));
        foreach (var (key, elements, _, _) in copies)
        {
            _copies.Remove(key);
            elements.Dispose();
        }
        var room = _rooms[vector] = (empty(end - from, type, vector.Flat.device).DetachFromDisposeScope(), from);
        foreach (var (key, _, _, count) in copies)
            _copies[key] = (room.Elements.narrow(0, key.Offset - from, count).DetachFromDisposeScope(), Old);
        return room;
    }
}
