using Elastic.Messages.Vectors;

namespace Elastic.Model.Vectors;

/// <summary>One parameter inside the flat vector.</summary>
/// <param name="Offset">First element; a multiple of <see cref="FlatLayout.Alignment"/>.</param>
public sealed record Segment(ParameterSpec Parameter, long Offset)
{
    /// <inheritdoc cref="ParameterSpec.Name"/>
    public string Name => Parameter.Name;

    /// <inheritdoc cref="ParameterSpec.Shape"/>
    public IReadOnlyList<long> Shape => Parameter.Shape;

    /// <summary>Elements of the tensor; those of padded rows follow.</summary>
    public long Count { get; } = Parameter.Count;

    /// <summary>The element after the last one, padded rows included.</summary>
    public long End { get; } = Offset + Parameter.Room;
}

/// <summary>A run of whole tiles whose parameters the optimizer treats alike.</summary>
/// <param name="First">The first element.</param>
/// <param name="Decays">True when weight decay applies.</param>
/// <param name="IsTrained">False for frozen parameters.</param>
public sealed record ParameterGroup(long First, long Length, bool Decays, bool IsTrained);

/// <summary>
/// Where each parameter of a model lies in its one flat vector. Gradients and the optimizer's vectors have the trained ones alone, which
/// come first, at the same places.
///
///   [ decayed segments, each aligned | zeros to a whole tile | the other trained ones | zeros to a tile | frozen ones | zeros to a tile ]
///
/// So the optimizer treats ranges of whole tiles alike. A group without parameters takes no room.
/// </summary>
public sealed class FlatLayout
{
    /// <summary>Every segment starts at a multiple of this many elements: 64 bytes, a cache line and the widest vector register.</summary>
    public const int Alignment = 16;

    /// <summary>Elements of the smallest piece that one device updates, and of one partial sum of the gradient's norm.</summary>
    public const int Tile = 65_536;

    private readonly Dictionary<string, Segment> _byName;

    /// <summary>Lays out the parameters of an architecture, in the order in which it declares them within each group.</summary>
    public FlatLayout(IReadOnlyList<ParameterSpec> parameters)
    {
        ArgumentNullException.ThrowIfNull(parameters);
        var (segments, groups) = (new List<Segment>(), new List<ParameterGroup>());
        var own = parameters.Where(p => p.TiedTo is null).ToList();
        Place(own.Where(p => p.IsTrained && p.Decays), segments, groups);
        Place(own.Where(p => p.IsTrained && !p.Decays), segments, groups);
        Place(own.Where(p => !p.IsTrained), segments, groups);
        (Segments, Groups) = (segments, groups);
        Length = groups.Sum(g => g.Length);
        TrainedLength = groups.Where(g => g.IsTrained).Sum(g => g.Length);
        _byName = segments.ToDictionary(s => s.Name);
        foreach (var tied in parameters.Where(p => p.TiedTo is not null))
            _byName.Add(tied.Name, _byName[tied.TiedTo!]);
    }

    /// <summary>All segments, by offset.</summary>
    public IReadOnlyList<Segment> Segments { get; }

    /// <summary>The ranges that the optimizer treats alike, by offset; together they are the vector.</summary>
    public IReadOnlyList<ParameterGroup> Groups { get; }

    /// <summary>Elements of the vector, a multiple of <see cref="Tile"/>.</summary>
    public long Length { get; }

    /// <summary>
    /// Elements of the trained part, a multiple of <see cref="Tile"/>: what gradients and the optimizer's vectors have, and what is
    /// averaged and stored anew in each round. The frozen part follows it.
    /// </summary>
    public long TrainedLength { get; }

    /// <summary>Elements of the frozen part: the same in all versions of a run, and stored once.</summary>
    public long FrozenLength => Length - TrainedLength;

    /// <summary>Tiles of the trained part.</summary>
    public int Tiles => (int)(TrainedLength / Tile);

    /// <summary>Chunks of the trained part; the last may be shorter.</summary>
    public int Chunks => VectorManifest.ChunkCount(TrainedLength);

    /// <summary>The segment called <paramref name="name"/>; for a tied parameter, that of the one it is tied to.</summary>
    public Segment this[string name] => _byName[name];

    /// <summary>The index of the first segment that ends after <paramref name="element"/>.</summary>
    public int FirstSegmentAt(long element)
    {
        var (low, high) = (0, Segments.Count);
        while (low < high)
        {
            var middle = (low + high) / 2;
            (low, high) = Segments[middle].End <= element ? (middle + 1, high) : (low, middle);
        }
        return low;
    }

    /// <summary>Elements of parameters among so many from one on: of which parameter, from where in the vector, and how many.</summary>
    public IEnumerable<(Segment Segment, long First, int Count)> PartsOf(long first, int count)
    {
        for (var index = FirstSegmentAt(first); index < Segments.Count && Segments[index].Offset < first + count; index++)
        {
            var segment = Segments[index];
            var (from, to) = (Math.Max(first, segment.Offset), Math.Min(first + count, segment.Offset + segment.Count));
            if (from < to)
                yield return (segment, from, (int)(to - from));
        }
    }

    /// <summary>The scale of a linear layer's adapter; null where it has none.</summary>
    /// <param name="layer">Its name, without ".weight".</param>
    public double? AdapterOf(string layer) => _byName.GetValueOrDefault(Adapter.A(layer) + ".weight")?.Parameter.Adapter?.Scale;

    /// <summary>True where the parameter has another name as well: other operators read it, too.</summary>
    public bool IsTied(string name) => _byName.Count(p => p.Value == _byName[name]) > 1;

    /// <summary>Elements of the vector of that name, see <see cref="VectorSet"/>.</summary>
    public long LengthOf(string vector) => vector == VectorSet.Parameters ? Length : TrainedLengthOf(vector);

    /// <summary>Elements of its trained part, which are what is stored anew in each round.</summary>
    public long TrainedLengthOf(string vector) => VectorSet.ElementsOf(vector, TrainedLength);

    /// <summary>First element and number of elements of chunk <paramref name="index"/> of the trained part.</summary>
    public (long First, int Count) Chunk(int index)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(index);
        ArgumentOutOfRangeException.ThrowIfGreaterThanOrEqual(index, Chunks);
        return ((long)index * VectorManifest.ChunkElements, VectorManifest.ElementsOf(TrainedLength, index));
    }

    /// <summary>The trained elements of a slice, group by group.</summary>
    public IEnumerable<(ParameterGroup Group, long First, long Count)> TrainedPartsOf(Slice slice)
    {
        foreach (var group in Groups.Where(g => g.IsTrained))
        {
            var first = Math.Max(slice.First, group.First);
            var end = Math.Min(slice.First + slice.Count, group.First + group.Length);
            if (first < end)
                yield return (group, first, end - first);
        }
    }

    /// <summary>True when the same parameters lie at the same places.</summary>
    public bool IsSameAs(FlatLayout other)
    {
        ArgumentNullException.ThrowIfNull(other);
        return Length == other.Length && Segments.Count == other.Segments.Count
            && Segments.Zip(other.Segments).All(s => s.First.Name == s.Second.Name && s.First.Offset == s.Second.Offset
                                                  && s.First.Shape.SequenceEqual(s.Second.Shape));
    }

    private static void Place(IEnumerable<ParameterSpec> parameters, List<Segment> segments, List<ParameterGroup> groups)
    {
        var first = groups.Count == 0 ? 0 : groups[^1].First + groups[^1].Length;
        ParameterSpec? last = null;
        var at = first;
        foreach (var parameter in parameters)
        {
            last = parameter;
            segments.Add(new Segment(parameter, at));
            at = RoundUp(segments[^1].End, Alignment);
        }
        if (last is not null)
            groups.Add(new ParameterGroup(first, RoundUp(at, Tile) - first, last.Decays, last.IsTrained));
    }

    private static long RoundUp(long n, long multiple) => (n + multiple - 1) / multiple * multiple;
}
