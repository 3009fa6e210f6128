using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace Elastic.Kernels;

/// <summary>
/// Rows of a token table, and the gradient of that table. The position table's gradient is <see cref="ColumnSums.AddPositions"/>.
///
/// The gradient of a token is the sum of dy over the rows where it stands: those of one micro-batch in increasing order from +0, the
/// micro-batches along <see cref="SumTree"/>. A micro-batch without the token is zero and is skipped. Threads share the distinct tokens.
/// </summary>
internal static unsafe class Embedding
{
    /// <summary>y[r] = table[tokens[r]] (+ positionTable[positions[r]]). Tables (V, C) and (positions, C) -> (rows, C).</summary>
    /// <param name="positionTable">Null for none; then so may be the positions.</param>
    public static void Gather(
        float* y, float* table, int* tokens, float* positionTable, int* positions, int rows, int columns)
    {
        for (var row = 0; row < rows; row++, y += columns)
        {
            var token = table + (long)tokens[row] * columns;
            if (positionTable is null)
                Ranges.Copy(y, token, columns);
            else
                Ranges.Add(y, token, positionTable + (long)positions[row] * columns, columns);
        }
    }

    /// <summary>Adds the finished sums of distinct tokens [first, first + count) to the table's gradient: gradient[token] += sum.</summary>
    /// <param name="gradient">(V, C)</param>
    /// <param name="dy">(rows, C), all rows of the plan.</param>
    /// <param name="partRows">Rows of a micro-batch; part p's are [p partRows, (p + 1) partRows).</param>
    /// <param name="parts">Micro-batches.</param>
    public static void AddGradients(
        float* gradient, EmbeddingPlan plan, int first, int count, float* dy, int partRows, int parts, int columns)
        => LaneDispatch.Run(new Kernel(gradient, plan, first, count, dy, partRows, parts, columns, true));

    /// <summary>Writes them into rows of their own: sums[k] is that of distinct token first + k. What devices exchange.</summary>
    /// <param name="sums">(count, C)</param>
    public static void WriteGradients(
        float* sums, EmbeddingPlan plan, int first, int count, float* dy, int partRows, int parts, int columns)
        => LaneDispatch.Run(new Kernel(sums, plan, first, count, dy, partRows, parts, columns, false));

    [StructLayout(LayoutKind.Auto)]
    private readonly struct Kernel(
        float* target, EmbeddingPlan plan, int firstToken, int count, float* dy, int partRows, int parts, int columns, bool intoTable)
        : ILaneKernel
    {
        private const int Strip = 64;

        [MethodImpl(MethodImplOptions.AggressiveOptimization)]
        [SkipLocalsInit]
        public void Run<T, TWide>()
            where T : struct, ILanes<T>
            where TWide : struct, IWideLanes<TWide, T>
        {
            var memory = stackalloc float[TreeStrips.Floats(parts, Strip)];
            var tree = new TreeStrips(memory, Strip);
            for (var k = firstToken; k < firstToken + count; k++)
            {
                var into = target + (intoTable ? plan.Tokens[k] : k - firstToken) * (long)columns;
                for (var j = 0; j < columns; j += Strip)
                {
                    tree.Clear();
                    var width = Math.Min(Strip, columns - j);
                    for (int i = plan.Starts[k], end = plan.Starts[k + 1]; i < end;)
                    {
                        var part = plan.Rows[i] / partRows;
                        var next = i + 1;
                        while (next < end && plan.Rows[next] / partRows == part)
                            next++;
                        var sum = tree.Push<T>(part);
                        if (width == Strip)
                            Whole<T>(i, next, j, sum);
                        else
                            Partial<T>(i, next, j, width, sum);
                        i = next;
                    }
                    TreeSums.Store<T>(tree.Finish<T>(), into + j, width, intoTable);
                }
            }
        }

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        private void Whole<T>(int first, int end, int j, float* sum)
            where T : struct, ILanes<T>
        {
            T a = T.Bits(0), b = a, c = a, d = a;
            for (var i = first; i < end; i++)
            {
                var from = dy + (long)plan.Rows[i] * columns + j;
                a += T.Load(from);
                b += T.Load(from + 16);
                c += T.Load(from + 32);
                d += T.Load(from + 48);
            }
            T.Store(a, sum);
            T.Store(b, sum + 16);
            T.Store(c, sum + 32);
            T.Store(d, sum + 48);
        }

        // The strip's end beyond the row's is zero.
        [MethodImpl(MethodImplOptions.AggressiveOptimization)]
        private void Partial<T>(int first, int end, int j, int width, float* sum)
            where T : struct, ILanes<T>
        {
            for (var x = 0; x < Strip; x += 16)
            {
                var a = T.Bits(0);
                var n = Math.Clamp(width - x, 0, 16);
                for (var i = first; i < end && n > 0; i++)
                    a += T.LoadFirst(dy + (long)plan.Rows[i] * columns + j + x, n);
                T.Store(a, sum + x);
            }
        }

    }
}
