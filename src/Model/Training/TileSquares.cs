using System.Buffers;
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
    /// <summary>The sum of squares of the gradient in the tile that begins at element <paramref name="first"/>.</summary>
    /// <param name="parts">Gets what each trained parameter of the tile adds, in order; null for nothing.</param>
    public static double Of(FlatLayout layout, float* gradient, long first, List<double>? parts = null)
    {
        var sum = 0.0;
        for (var i = layout.FirstSegmentAt(first); i < layout.Segments.Count && layout.Segments[i].Offset < first + FlatLayout.Tile; i++)
        {
            var segment = layout.Segments[i];
            var (low, high) = (Math.Max(first, segment.Offset), Math.Min(first + FlatLayout.Tile, segment.Offset + segment.Count));
            if (low >= high || !segment.Parameter.IsTrained)
                continue;
            var part = Of(segment, gradient, low, high);
            parts?.Add(part);
            sum += part;
        }
        return sum;
    }

    // Elements [low, high) of the vector, all of them the segment's. A part takes its sections one after another, and the rows of a section
    // in order; memory is read as it lies, row by row, because the distance of two rows would defeat the processor's fetching ahead.
    private static double Of(Segment segment, float* gradient, long low, long high)
    {
        if (segment.Parameter.Shared is not { } shared)
            return Norms.SumOfSquares(gradient + low, high - low);
        var (shape, isByRows) = (segment.Shape, shared.Axis == 0);
        var columns = shape.Count == 1 ? 1 : shape[1];
        var size = isByRows ? segment.Parameter.PaddedRows ?? shape[0] : columns;
        // Elements from one index of the axis to the next, and of the whole axis: a row of the matrix, or all of it.
        var (step, row) = isByRows ? (columns, size * columns) : (1, columns);
        var (section, length) = (size / shared.Sections * step, shared.LengthOf(size) * step);
        var (firstRow, parts) = ((low - segment.Offset) / row, shared.Parts);
        var rows = (int)((high - 1 - segment.Offset) / row - firstRow) + 1;
        var kept = ArrayPool<double>.Shared.Rent(shared.Sections * rows * parts);
        var sums = kept.AsSpan(0, shared.Sections * rows * parts);                                  // (sections, rows, parts)
        sums.Clear();
        fixed (double* into = sums)
        {
            for (var r = 0; r < rows; r++)
            {
                for (var s = 0; s < shared.Sections; s++)
                {
                    var start = segment.Offset + (firstRow + r) * row + s * section;
                    Norms.AddSumsOfSquares(
                        gradient + start, Math.Max(0, low - start), Math.Min(section, high - start), length, into + (s * rows + r) * parts);
                }
            }
        }
        for (var i = parts; i < sums.Length; i++)
            sums[i % parts] += sums[i];
        var sum = TreeSums.Fold(sums[..parts]);
        ArrayPool<double>.Shared.Return(kept);
        return sum;
    }
}
