using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace Elastic.Kernels;

/// <summary>
/// Numbers between fp32 and types of 16 bits (<see cref="INarrowFormat"/>), element by element: any cut of a range gives the same bits.
/// </summary>
internal static unsafe class NarrowRows
{
    private interface IStep
    {
        static abstract void Of<T, TFormat>(void* y, void* x, long i)
            where T : struct, ILanes<T>
            where TFormat : struct, INarrowFormat;
    }

    /// <summary>x[i] = the nearest number of the type, as fp32.</summary>
    public static void Round(NarrowType type, float* x, long count)
        => Run<Rounding>(type, new Rows(x, 0, sizeof(float), x, 0, sizeof(float), 1, count));

    /// <summary>y[i] = x[i], rounded.</summary>
    public static void Narrow(NarrowType type, ushort* y, float* x, long count)
        => Run<Narrowing>(type, new Rows(y, 0, sizeof(ushort), x, 0, sizeof(float), 1, count));

    /// <summary>y[i] = x[i]</summary>
    public static void Widen(NarrowType type, float* y, ushort* x, long count) => Widen(type, y, 0, x, 0, 1, count);

    /// <summary>y[r, i] = x[r, i], each with its own distance of rows. (rows, columns)</summary>
    public static void Widen(NarrowType type, float* y, long yStride, ushort* x, long xStride, int rows, long columns)
        => Run<Widening>(type, new Rows(y, yStride, sizeof(float), x, xStride, sizeof(ushort), rows, columns));

    private static void Run<TStep>(NarrowType type, in Rows rows)
        where TStep : struct, IStep
    {
        if (type == NarrowType.BFloat16)
            LaneDispatch.Run(new Kernel<TStep, BFloat16Format>(rows));
        else
            LaneDispatch.Run(new Kernel<TStep, Float16Format>(rows));
    }

    // Strides in elements, sizes of elements in bytes.
    [StructLayout(LayoutKind.Auto)]
    private readonly struct Rows(
        void* into, long intoStride, int intoSize, void* from, long fromStride, int fromSize, int count, long columns)
    {
        public readonly byte* Into = (byte*)into, From = (byte*)from;
        public readonly long IntoStride = intoStride * intoSize, FromStride = fromStride * fromSize, Columns = columns;
        public readonly int IntoSize = intoSize, FromSize = fromSize, Count = count;
    }

    private readonly struct Rounding : IStep
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static void Of<T, TFormat>(void* y, void* x, long i)
            where T : struct, ILanes<T>
            where TFormat : struct, INarrowFormat
            => T.Store(TFormat.Widen(TFormat.Round(T.Load((float*)x + i))), (float*)y + i);
    }

    private readonly struct Narrowing : IStep
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static void Of<T, TFormat>(void* y, void* x, long i)
            where T : struct, ILanes<T>
            where TFormat : struct, INarrowFormat
            => T.StoreNarrow(TFormat.Round(T.Load((float*)x + i)), (ushort*)y + i);
    }

    private readonly struct Widening : IStep
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static void Of<T, TFormat>(void* y, void* x, long i)
            where T : struct, ILanes<T>
            where TFormat : struct, INarrowFormat
            => T.Store(TFormat.Widen(T.LoadNarrow((ushort*)x + i)), (float*)y + i);
    }

    [StructLayout(LayoutKind.Auto)]
    private readonly struct Kernel<TStep, TFormat>(Rows rows) : ILaneKernel
        where TStep : struct, IStep
        where TFormat : struct, INarrowFormat
    {
        [MethodImpl(MethodImplOptions.AggressiveOptimization)]
        public void Run<T, TWide>()
            where T : struct, ILanes<T>
            where TWide : struct, IWideLanes<TWide, T>
        {
            var (whole, rest) = (rows.Columns & -16, (int)(rows.Columns & 15));
            for (var row = 0; row < rows.Count; row++)
            {
                byte* into = rows.Into + row * rows.IntoStride, from = rows.From + row * rows.FromStride;
                for (long i = 0; i < whole; i += 16)
                    TStep.Of<T, TFormat>(into, from, i);
                if (rest > 0)
                    End<T>(into + whole * rows.IntoSize, from + whole * rows.FromSize, rest);
            }
        }

        // The last elements, by a copy of a whole number of lanes.
        private void End<T>(byte* into, byte* from, int count)
            where T : struct, ILanes<T>
        {
            float* x = stackalloc float[16], y = stackalloc float[16];
            new Span<byte>(x, 16 * sizeof(float)).Clear();
            Buffer.MemoryCopy(from, x, 16 * sizeof(float), count * rows.FromSize);
            TStep.Of<T, TFormat>(y, x, 0);
            Buffer.MemoryCopy(y, into, count * rows.IntoSize, count * rows.IntoSize);
        }
    }
}
