using Elastic.Kernels;
using Elastic.Model.Vectors;

namespace Elastic.Model.Training;

/// <summary>
/// The sum of squares of a tile of the flat gradient, in double precision. Each parameter's part of the tile is summed part by part of the
/// axis that devices may share (<see cref="SharedAxis"/>), the parts fold along the tree, and the parameters are added in their order: so
/// the norm has the same bits however a parameter is shared, and whoever owns which tiles.
/// </summary>
internal static unsafe class TileSquares
{
    /// <summary>Of the tile that begins at element <paramref name="first"/>.</summary>
    public static double Of(FlatLayout layout, float* gradient, long first)
    {
        var sum = 0.0;
        for (var i = layout.FirstSegmentAt(first); i < layout.Segments.Count && layout.Segments[i].Offset < first + FlatLayout.Tile; i++)
        {
            var segment = layout.Segments[i];
            var (low, high) = (Math.Max(first, segment.Offset), Math.Min(first + FlatLayout.Tile, segment.Offset + segment.Count));
            if (low < high && segment.Parameter.IsTrained)
                sum += Of(segment, gradient, low, high);
        }
        return sum;
    }

    // Elements [low, high) of the vector, all of them the segment's.
    private static double Of(Segment segment, float* gradient, long low, long high)
    {
        if (segment.Parameter.Shared is not { } shared)
            return Norms.SumOfSquares(gradient + low, high - low);
        var (shape, offset) = (segment.Shape, segment.Offset);
        var columns = shape.Count == 1 ? 1 : shape[1];
        var parts = new (TreeNode, double)[shared.Parts];
        for (var part = 0; part < shared.Parts; part++)
        {
            var sum = 0.0;
            foreach (var (run, length) in shared.Runs(part, shared.Axis == 0 ? segment.Parameter.PaddedRows ?? shape[0] : columns))
            {
                if (shared.Axis == 0)
                {
                    sum += Clipped(gradient, offset + run * columns, offset + (run + length) * columns, low, high);
                    continue;
                }
                for (var row = (low - offset) / columns; row <= (high - 1 - offset) / columns; row++)
                    sum += Clipped(gradient, offset + row * columns + run, offset + row * columns + run + length, low, high);
            }
            parts[part] = (new TreeNode(part, 1), sum);
        }
        return SumTree.Fold(parts, shared.Parts, (a, b) => a + b);
    }

    private static double Clipped(float* gradient, long first, long end, long low, long high)
    {
        var (from, to) = (Math.Max(first, low), Math.Min(end, high));
        return from < to ? Norms.SumOfSquares(gradient + from, to - from) : 0;
    }
}
