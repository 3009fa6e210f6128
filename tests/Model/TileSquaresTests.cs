using Elastic.Kernels;
using Elastic.Model.Training;
using Elastic.Model.Vectors;

namespace Elastic.Model.Tests;

/// <summary>The order of the sums of the gradient's norm, a part of every answer, against its definition element by element.</summary>
public unsafe class TileSquaresTests
{
    [Fact]
    public void Each_parameter_is_summed_part_by_part_and_the_parts_fold_along_the_tree()
    {
        // Axes that divide with and without rest, parts shorter than 16 elements, tiles that begin and end within rows.
        var layout = new FlatLayout([
            Matrix("rows", 1009, 96) with { PaddedRows = 1024, Shared = new SharedAxis(0, 8) },
            Matrix("sections", 500, 288) with { Shared = new SharedAxis(1, 8, 3) },
            Matrix("columns", 700, 131) with { Shared = new SharedAxis(1, 4) },
            Matrix("whole", 300, 100),
            Matrix("short", 3000, 6) with { Shared = new SharedAxis(1, 2, 3) },
            Matrix("bias", 1, 0) with { Shape = [1001], Shared = new SharedAxis(0, 2) },
            Matrix("frozen", 10, 10) with { IsTrained = false },
        ]);
        using var gradient = new HostVector(layout.TrainedLength);
        var random = new Random(1);
        foreach (ref var x in gradient.Span(0, (int)layout.TrainedLength))
            x = (float)(random.NextDouble() - 0.5);
        for (var tile = 0; tile < layout.Tiles; tile++)
        {
            var first = (long)tile * FlatLayout.Tile;
            Assert.Equal(Plain(layout, gradient, first), TileSquares.Of(layout, gradient.Data, first));
        }
        Assert.Equal(6, layout.Tiles);                                  // and none of the frozen one
    }

    private static ParameterSpec Matrix(string name, long rows, long columns)
        => new(name, [rows, columns], true, new ParameterInit.Constant(0));

    private static double Plain(FlatLayout layout, HostVector gradient, long first)
    {
        var sum = 0.0;
        foreach (var segment in layout.Segments.Where(s => s.Parameter.IsTrained))
        {
            var (low, high) = (Math.Max(first, segment.Offset), Math.Min(first + FlatLayout.Tile, segment.Offset + segment.Count));
            if (low >= high)
                continue;
            var shared = segment.Parameter.Shared ?? new SharedAxis(0, 1);
            var parts = Enumerable.Range(0, shared.Parts).Select(part => (new TreeNode(part, 1), Part(segment, shared, part, low, high)));
            sum += SumTree.Fold([.. parts], shared.Parts, (a, b) => a + b);
        }
        return sum;

        double Part(Segment segment, SharedAxis shared, int part, long low, long high)
        {
            var (columns, partSum) = (segment.Shape.Count == 1 ? 1 : segment.Shape[1], 0.0);
            var size = shared.Axis == 0 ? segment.Parameter.PaddedRows ?? segment.Shape[0] : columns;
            var (section, length) = (size / shared.Sections, shared.LengthOf(size));
            for (var s = 0; s < shared.Sections; s++)
            {
                long begin = s * section + Math.Min(part * length, section), end = s * section + Math.Min((part + 1) * length, section);
                if (shared.Axis == 0)
                    partSum += Range(begin * columns, end * columns);
                else
                {
                    for (var row = 0L; row < segment.Shape[0]; row++)
                        partSum += Range(row * columns + begin, row * columns + end);
                }
            }
            return partSum;

            double Range(long begin, long end)
            {
                var lanes = new double[16];
                long from = Math.Max(low, segment.Offset + begin), to = Math.Min(high, segment.Offset + end);
                for (var i = from; i < to; i++)
                    lanes[(i - from) % 16] += (double)gradient.Data[i] * gradient.Data[i];
                for (var half = 8; half > 0; half /= 2)
                {
                    for (var lane = 0; lane < half; lane++)
                        lanes[lane] += lanes[lane + half];
                }
                return lanes[0];
            }
        }
    }
}
