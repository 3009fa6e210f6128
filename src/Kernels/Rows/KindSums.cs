using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace Elastic.Kernels;

/// <summary>
/// Sums over the rows of one kind, for each column: the gradient of a table with a row for each kind. As <see cref="ColumnSums"/>, with the
/// rows of other kinds left out: within a part rows are added in order from +0, and the parts' sums fold along <see cref="SumTree"/>.
/// </summary>
internal static unsafe class KindSums
{
    /// <summary>
    /// target[j] = (target[j] +) Σ of source[row * rowStride + j] over the rows with kinds[row] = kind, for columns j from [0, columns).
    /// Pointers may be moved to where a thread's columns begin.
    /// </summary>
    /// <param name="kinds">Kinds of all rows, part after part.</param>
    /// <param name="rows">Rows of a part.</param>
    /// <param name="accumulate">Adds to what is in the target, as the last step; otherwise overwrites it.</param>
    public static void Add(
        float* target, float* source, long rowStride, int* kinds, int kind, int rows, int parts, int columns, bool accumulate)
        => LaneDispatch.Run(new Kernel(target, source, rowStride, kinds, kind, rows, parts, columns, accumulate));

    [StructLayout(LayoutKind.Auto)]
    private readonly struct Kernel(
        float* target, float* source, long rowStride, int* kinds, int kind, int rows, int parts, int columns, bool accumulate) : ILaneKernel
    {
        [MethodImpl(MethodImplOptions.AggressiveOptimization)]
        [SkipLocalsInit]
        public void Run<T, TWide>()
            where T : struct, ILanes<T>
            where TWide : struct, IWideLanes<TWide, T>
        {
            const int lanes = 16;
            var memory = stackalloc float[TreeStrips.Floats(parts, lanes)];
            for (var j = 0; j < columns; j += lanes)
            {
                var width = Math.Min(lanes, columns - j);
                var tree = new TreeStrips(memory, lanes);
                for (var part = 0; part < parts; part++)
                {
                    var sum = T.Bits(0);
                    for (long row = (long)part * rows, end = row + rows; row < end; row++)
                        if (kinds[row] == kind)
                            sum += T.LoadFirst(source + row * rowStride + j, width);
                    T.Store(sum, tree.Push<T>(part));
                }
                TreeSums.Store<T>(tree.Finish<T>(), target + j, width, accumulate);
            }
        }
    }
}
