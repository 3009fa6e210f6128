using Elastic.Kernels;
using Elastic.Kernels.Optimization;
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
        var fold = new TreeFold([.. roots.Select(r => r.Node)], microBatches);
        var sources = roots.Select(r => (nint)((HostVector)r.Gradient).Data).ToArray();
        var scattered = roots.Select(r => (r.Node, r.Scattered)).ToList();
        using var workspace = new NativeBuffer(team.Threads * fold.WorkspaceFloats * sizeof(float));
        team.Run(
            new Tiles(tile =>
            {
                var first = slice.First + (long)tile * FlatLayout.Tile;
                // One root that is the target already needs no sum.
                if (roots.Count > 1 || sources[0] != (nint)into.Data)
                {
                    fixed (nint* pointers = sources)
                    {
                        fold.Run(
                            (float**)pointers, first, FlatLayout.Tile, into.Data,
                            workspace.Floats + ThreadTeam.ThreadIndex * fold.WorkspaceFloats);
                    }
                }
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
            new Tiles(tile =>
            {
                var into = left.Data + (long)tile * FlatLayout.Tile;
                Ranges.Add(into, into, right.Data + (long)tile * FlatLayout.Tile, FlatLayout.Tile);
            }),
            (int)(left.Length / FlatLayout.Tile));
        GC.KeepAlive(left);
        GC.KeepAlive(right);
    }

    private readonly struct Tiles(Action<int> work) : IParallelWork
    {
        public void Run(int piece) => work(piece);
    }
}
