using Elastic.Kernels;
using Elastic.Model.Vectors;

namespace Elastic.Model.Training;

/// <summary>
/// Folds one slice of all devices' subtree roots in tree order, adds the rows of embeddings, and sums the squares: tile by tile, while the
/// tile is in the cache.
/// </summary>
internal static unsafe class SliceFold
{
    /// <summary>
    /// Writes the sum of <paramref name="roots"/> over [0, <paramref name="microBatches"/>) into the same slice of <paramref name="into"/>,
    /// which may be one of the roots: only the slice's owner reads or writes that slice.
    /// </summary>
    /// <returns>Sum of squares of each tile, in tile order, in double precision; see <see cref="TileSquares"/>.</returns>
    public static double[] Fold(
        IReadOnlyList<SubtreeRoot> roots, int microBatches, Slice slice, FlatLayout layout, HostVector into, ThreadTeam team)
    {
        var sums = new double[slice.Tiles];
        var nodes = roots.Select(r => r.Node).ToArray();
        var sources = roots.Select(r => (nint)((HostVector)r.Gradient).Data).ToArray();
        var scattered = roots.Select(r => (r.Node, r.Scattered)).ToList();
        team.Run(
            new Tiles(tile =>
            {
                var first = slice.First + (long)tile * FlatLayout.Tile;
                RootFold.Sum(nodes, sources, microBatches, into.Data, first, FlatLayout.Tile);
                ScatteredFold.AddTo(into.Data, first, FlatLayout.Tile, scattered, microBatches);
                sums[tile] = TileSquares.Of(layout, into.Data, first);
            }),
            slice.Tiles);
        GC.KeepAlive(roots);
        GC.KeepAlive(into);
        return sums;
    }

    /// <summary>left += right</summary>
    public static void Add(HostVector left, HostVector right, ThreadTeam team)
    {
        team.Run(
            new Tiles(tile => Elements.Add(left.Data + (long)tile * FlatLayout.Tile, right.Data + (long)tile * FlatLayout.Tile, FlatLayout.Tile)),
            (int)(left.Length / FlatLayout.Tile));
        GC.KeepAlive(left);
        GC.KeepAlive(right);
    }

    private readonly struct Tiles(Action<int> work) : IParallelWork
    {
        public void Run(int piece) => work(piece);
    }
}
