using Elastic.Foundation;
using Elastic.Model.Vectors;
using Elastic.Torch.Native;

namespace Elastic.Torch;

/// <summary>
/// A flat vector in pieces, each in some device's memory; what lies in no piece is zero, and takes no memory. A sum of gradients of a
/// device is one piece; that of a pipeline has a piece for each run of parameters of a stage, on the stage's device. And the vectors of a
/// stage that is alone in its process are the pieces that it reads or updates.
/// </summary>
/// <param name="pieces">By first element; they do not overlap.</param>
/// <param name="rows">
/// The gradient of a tied embedding's rows, which is summed apart and added when all micro-batches are summed: so the sum has one order,
/// whether the embedding and the head are on one device or on two. Null where there is none.
/// </param>
internal sealed class PiecedVector(long length, IReadOnlyList<TorchVector> pieces, TorchVector? rows = null) : DeviceVector(length)
{
    private readonly Lock _gate = new();
    private TorchVector? _rows = rows;

    /// <summary>By first element.</summary>
    public IReadOnlyList<TorchVector> Pieces { get; private set; } = pieces;

    /// <summary>What is added to the elements from its first on, in the end.</summary>
    public TorchVector? Rows => _rows;

    /// <summary>
    /// Makes another vector's pieces and rows a part of this one, too: a stage's of the sum of all. They take the place of those of the
    /// same elements, which another device had that was the stage's before.
    /// </summary>
    public void Include(PiecedVector other)
    {
        lock (_gate)
        {
            var others = Pieces.Where(p => other.Pieces.All(o => o.First != p.First));
            (Pieces, _rows) = ([.. others.Concat(other.Pieces).OrderBy(p => p.First)], other.Rows ?? _rows);
        }
    }

    /// <summary>Ranges that begin and end with tiles, and do not touch each other: an update takes whole tiles.</summary>
    /// <param name="ranges">By first element.</param>
    public static IReadOnlyList<(long First, long Count)> WholeTiles(IEnumerable<(long First, long Count)> ranges, long length)
    {
        var whole = new List<(long First, long Count)>();
        foreach (var (start, count) in ranges)
        {
            var first = start / FlatLayout.Tile * FlatLayout.Tile;
            var end = Math.Min(length, (start + count + FlatLayout.Tile - 1) / FlatLayout.Tile * FlatLayout.Tile);
            if (whole.Count > 0 && first <= whole[^1].First + whole[^1].Count)
                whole[^1] = (whole[^1].First, Math.Max(end, whole[^1].First + whole[^1].Count) - whole[^1].First);
            else
                whole.Add((first, end - first));
        }
        return whole;
    }

    /// <summary>A vector of the same pieces, with other rows on top, in no memory of its own.</summary>
    public PiecedVector With(TorchVector added) => new(Length, Pieces, added);

    /// <summary>What of a range lies in pieces.</summary>
    public IEnumerable<(TorchVector Piece, long First, long Count)> PartsOf(long first, long count) => Pieces
        .Select(p => (p, Math.Max(p.First, first), Math.Min(p.Length, first + count) - Math.Max(p.First, first)))
        .Where(p => p.Item3 > 0);

    /// <summary>The piece in which a whole range lies.</summary>
    public TorchVector PieceOf(long first, long count)
    {
        var piece = Pieces.FirstOrDefault(p => p.First <= first && first + count <= p.Length);
        Invariant.Holds(piece is not null, "the vectors of a step lie in pieces of the same elements");
        return piece!;
    }

    /// <summary>Adds a vector of the same pieces, and its rows.</summary>
    public void Add(PiecedVector other)
    {
        using var scope = TorchSharp.torch.NewDisposeScope();
        foreach (var (into, from) in Pieces.Zip(other.Pieces))
            into.Flat.AddInPlace(from.Flat);
        _rows?.Flat.AddInPlace(other.Rows!.Flat);
    }

    /// <inheritdoc/>
    public override void Clear()
    {
        foreach (var piece in Pieces)
            piece.Clear();
        _rows?.Clear();
    }

    /// <inheritdoc/>
    /// <remarks>Without the rows, which come on top.</remarks>
    protected override void Read(long first, Span<float> host)
    {
        host.Clear();
        foreach (var (piece, from, count) in PartsOf(first, host.Length))
            piece.CopyTo(from, host.Slice((int)(from - first), (int)count));
    }

    /// <inheritdoc/>
    protected override void Write(long first, ReadOnlySpan<float> host)
    {
        var written = 0L;
        foreach (var (piece, from, count) in PartsOf(first, host.Length))
        {
            piece.CopyFrom(from, host.Slice((int)(from - first), (int)count));
            written += count;
        }
        Invariant.Holds(written == host.Length, "nothing is written where a vector has no memory");
    }

    /// <inheritdoc/>
    protected override void Dispose(bool disposing)
    {
        if (!disposing)
            return;
        foreach (var piece in Pieces)
            piece.Dispose();
        _rows?.Dispose();
    }
}
