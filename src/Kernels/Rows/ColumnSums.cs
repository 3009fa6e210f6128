using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace Elastic.Kernels;

/// <summary>
/// Sums over rows, for each column: the gradients of biases and of position tables.
///
/// The rows come in parts (one per micro-batch). Within a part they are added in order from +0; the parts' sums fold along
/// <see cref="SumTree"/>. Threads share the columns, which do not touch one another.
/// </summary>
internal static unsafe class ColumnSums
{
    /// <summary>
    /// target[j] = (target[j] +) Σ over all rows of source[part * partStride + row * rowStride + j], for columns j from [0, columns).
    /// Pointers may be moved to where a thread's columns begin.
    /// </summary>
    /// <param name="rows">Rows of a part.</param>
    /// <param name="accumulate">Adds to what is in the target, as the last step; otherwise overwrites it.</param>
    public static void Add(
        float* target, float* source, long rowStride, int rows, long partStride, int parts, int columns, bool accumulate)
        => LaneDispatch.Run(new Kernel(target, source, rowStride, rows, partStride, parts, columns, accumulate));

    /// <summary>
    /// The gradient of a position table (positions, columns): position t gets the sum of rows t, t + positions, t + 2 positions ... of each
    /// micro-batch, that is, of the same place in all of its sequences.
    /// </summary>
    /// <param name="target">The table's row of position <paramref name="first"/>.</param>
    /// <param name="source">(parts, sequences, positions, columns), whole.</param>
    public static void AddPositions(
        float* target, float* source, int parts, int sequences, int positions, int columns, int first, int count, bool accumulate)
    {
        for (var t = 0; t < count; t++)
        {
            Add(target + (long)t * columns, source + (long)(first + t) * columns, (long)positions * columns, sequences,
                (long)sequences * positions * columns, parts, columns, accumulate);
        }
    }

    [StructLayout(LayoutKind.Auto)]
    private readonly struct Kernel(
        float* target, float* source, long rowStride, int rows, long partStride, int parts, int columns, bool accumulate) : ILaneKernel
    {
        private const int Strip = 64;

        [MethodImpl(MethodImplOptions.AggressiveOptimization)]
        [SkipLocalsInit]
        public void Run<T, TWide>()
            where T : struct, ILanes<T>
            where TWide : struct, IWideLanes<TWide, T>
        {
            var memory = stackalloc float[TreeStrips.Floats(parts, Strip)];
            for (var j = 0; j < columns;)
            {
                var width = columns - j >= Strip ? Strip : Math.Min(16, columns - j);
                var tree = new TreeStrips(memory, width == Strip ? Strip : 16);
                for (var part = 0; part < parts; part++)
                {
                    var from = source + part * partStride + j;
                    var into = tree.Push<T>(part);
                    if (width == Strip)
                        Whole<T>(from, into);
                    else
                        Partial<T>(from, into, width);
                }
                TreeSums.Store<T>(tree.Finish<T>(), target + j, width, accumulate);
                j += width;
            }
        }

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        private void Whole<T>(float* from, float* into)
            where T : struct, ILanes<T>
        {
            T a = T.Bits(0), b = a, c = a, d = a;
            for (var row = 0; row < rows; row++, from += rowStride)
            {
                a += T.Load(from);
                b += T.Load(from + 16);
                c += T.Load(from + 32);
                d += T.Load(from + 48);
            }
            T.Store(a, into);
            T.Store(b, into + 16);
            T.Store(c, into + 32);
            T.Store(d, into + 48);
        }

        [MethodImpl(MethodImplOptions.AggressiveOptimization)]
        private void Partial<T>(float* from, float* into, int width)
            where T : struct, ILanes<T>
        {
            var sum = T.Bits(0);
            for (var row = 0; row < rows; row++, from += rowStride)
                sum += T.LoadFirst(from, width);
            T.Store(sum, into);
        }
    }
}

/// <summary>The last step of sums along the tree: into what they are for.</summary>
internal static unsafe class TreeSums
{
    /// <summary>target[i] = (target[i] +) sum[i], i from [0, count); the sum's memory goes on to a multiple of 16.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Store<T>(float* sum, float* target, int count, bool accumulate)
        where T : struct, ILanes<T>
    {
        for (var i = 0; i < count; i += 16)
        {
            var (value, n) = (T.Load(sum + i), Math.Min(16, count - i));
            T.StoreFirst(accumulate ? T.LoadFirst(target + i, n) + value : value, target + i, n);
        }
    }

    /// <summary>Numbers folded along <see cref="SumTree"/>; at least one.</summary>
    public static double Fold(ReadOnlySpan<double> values)
    {
        if (values.Length == 1)
            return values[0];
        var left = SumTree.Split(values.Length);
        return Fold(values[..left]) + Fold(values[left..]);
    }
}
