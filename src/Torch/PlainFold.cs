using Elastic.Kernels;
using Elastic.Model.Training;
using Elastic.Model.Vectors;
using Elastic.Torch.Native;
using TorchSharp;
using static TorchSharp.torch;

namespace Elastic.Torch;

/// <summary>What a device does between a backward pass and the update, by libtorch's operators.</summary>
internal static class PlainFold
{
    /// <summary>Sums a slice of the roots into <paramref name="into"/>, which may be a piece of the first of them.</summary>
    /// <param name="roots">Roots of all devices; what lies on other GPUs is copied first.</param>
    /// <returns>Sums of squares of the slice's tiles, in tile order.</returns>
    public static double[] Fold(
        IReadOnlyList<SubtreeRoot> roots, int microBatches, Slice slice, TorchVector into, FlatLayout layout, torch.Device device)
    {
        foreach (var (_, first, count) in ((PiecedVector)roots[0].Gradient).PartsOf(slice.First, slice.Count))
            into.Range(first, count).copy_(Sum(r => r.PieceOf(first, count), first, count));
        foreach (var (first, count) in RowsIn(roots, slice))
            into.Range(first, count).AddInPlace(Sum(r => r.Rows!, first, count));
        var squares = into.Range(slice.First, slice.Count).view(slice.Tiles, FlatLayout.Tile).to(float64).Power(2).sum(1)
            .to(CPU).data<double>().ToArray();
        for (var tile = 0; tile < squares.Length; tile++)
        {
            // In the order that stages in processes of their own can keep, too.
            if (PartsOf(layout, slice.FirstTile + tile).Skip(1).Any())
                squares[tile] = SquaresOf(layout, slice.FirstTile + tile, into).Sum();
        }
        return squares;

        Tensor Sum(Func<PiecedVector, TorchVector> vector, long first, long count) => SumTree.Fold<Tensor>(
            [.. roots.Select(r => (r.Node, vector((PiecedVector)r.Gradient).Range(first, count).to(device)))], microBatches,
            (a, b) => a.Plus(b));
    }

    /// <summary>What of a slice gets rows of a tied embedding on top: where they are, and where the sum itself lies in pieces.</summary>
    public static IEnumerable<(long First, long Count)> RowsIn(IReadOnlyList<SubtreeRoot> roots, Slice slice)
    {
        var gradient = (PiecedVector)roots[0].Gradient;
        if (gradient.Rows is not { } rows)
            return [];
        var first = Math.Max(rows.First, slice.First);
        var count = Math.Min(rows.Length, slice.First + slice.Count) - first;
        return count <= 0 ? [] : gradient.PartsOf(first, count).Select(p => (p.First, p.Count));
    }

    /// <summary>What each trained parameter of a tile adds to its sum of squares, in order; one number where it has one.</summary>
    public static IReadOnlyList<double> SquaresOf(FlatLayout layout, int tile, TorchVector gradient)
    {
        using var scope = NewDisposeScope();
        List<(long First, long Count)> parts = [.. PartsOf(layout, tile)];
        return [.. parts.Select(p => gradient.Range(p.First, p.Count).to(float64).Power(2).sum().item<double>())];
    }

    /// <summary>The parts of a tile that are trained parameters, in their order.</summary>
    public static IEnumerable<(long First, long Count)> PartsOf(FlatLayout layout, int tile) => layout
        .PartsOf((long)tile * FlatLayout.Tile, FlatLayout.Tile).Where(p => p.Segment.Parameter.IsTrained)
        .Select(p => (p.First, (long)p.Count));
}
