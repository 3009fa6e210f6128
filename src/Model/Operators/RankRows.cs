using Elastic.Kernels;
using Elastic.Model.Cpu;

namespace Elastic.Model.Operators;

/// <summary>Copies a matrix of which each rank of a tensor group has some rows: all rows, some columns.</summary>
internal static unsafe class RankRows
{
    /// <summary>Columns [column, column + count) of the first input of the operation that runs, (all rows, count).</summary>
    public static void OfInput(CpuPass pass, float* into, int column, int count)
    {
        for (var rank = 0; rank < pass.Ranks.Count; rank++)
        {
            var view = pass.RankAt(rank);
            var x = view.Operation.Inputs[0];
            Copy(pass, into + (long)x.FirstRow * count, view.Input(0), x.Rows, x.Columns, column, count);
        }
    }

    /// <summary>Columns [column, column + count) of the gradient of the operation's output, (all rows, count).</summary>
    public static void OfGradient(CpuPass pass, float* into, int column, int count)
    {
        for (var rank = 0; rank < pass.Ranks.Count; rank++)
        {
            var view = pass.RankAt(rank);
            var y = view.Operation.Output!;
            Copy(pass, into + (long)y.FirstRow * count, view.OutputGradient, y.Rows, y.Columns, column, count);
        }
    }

    private static void Copy(CpuPass pass, float* into, float* from, int rows, int columns, int column, int count)
    {
        if (count == 0)
            return;
        if (count == columns)
        {
            pass.ForElements((long)rows * count, (first, elements) => Ranges.Copy(into + first, from + first, elements));
            return;
        }
        from += column;
        pass.ForRows(rows, count, (first, some) =>
        {
            for (var row = first; row < first + some; row++)
                Ranges.Copy(into + row * count, from + row * columns, count);
        });
    }
}
