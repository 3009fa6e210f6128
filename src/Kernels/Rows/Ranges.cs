using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace Elastic.Kernels;

/// <summary>What is done to ranges of elements, one by one: any cut gives the same bits. Results may lie where an input does.</summary>
internal static unsafe class Ranges
{
    private interface IOperation
    {
        static abstract T Of<T>(T a, T b, T factor)
            where T : struct, ILanes<T>;
    }

    /// <summary>y[i] = a[i] + b[i]</summary>
    public static void Add(float* y, float* a, float* b, long count) => LaneDispatch.Run(new Kernel<Sum>(y, a, b, 0, count));

    /// <summary>y[i] = factor · a[i]</summary>
    public static void Scale(float* y, float* a, float factor, long count) => LaneDispatch.Run(new Kernel<Product>(y, a, a, factor, count));

    /// <summary>y[i] = a[i] + factor · b[i], rounded once.</summary>
    public static void AddScaled(float* y, float* a, float* b, float factor, long count)
        => LaneDispatch.Run(new Kernel<ScaledSum>(y, a, b, factor, count));

    /// <summary>y[i] = a[i]; the ranges do not overlap.</summary>
    public static void Copy(float* y, float* a, long count) => Buffer.MemoryCopy(a, y, count * sizeof(float), count * sizeof(float));

    /// <summary>y[i] = +0</summary>
    public static void Clear(float* y, long count) => NativeMemory.Clear(y, (nuint)(count * sizeof(float)));

    /// <summary>Rows of a matrix to rows of another, each with its own distance of rows. (rows, columns)</summary>
    public static void CopyRows(float* y, long yStride, float* a, long aStride, int rows, int columns)
    {
        for (var row = 0; row < rows; row++)
            Copy(y + row * yStride, a + row * aStride, columns);
    }

    /// <summary>y[r, i] = y[r, i] + a[r, i], each with its own distance of rows. (rows, columns)</summary>
    public static void AddRows(float* y, long yStride, float* a, long aStride, int rows, int columns)
    {
        for (var row = 0; row < rows; row++)
            Add(y + row * yStride, y + row * yStride, a + row * aStride, columns);
    }

    private readonly struct Sum : IOperation
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static T Of<T>(T a, T b, T factor)
            where T : struct, ILanes<T>
            => a + b;
    }

    private readonly struct Product : IOperation
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static T Of<T>(T a, T b, T factor)
            where T : struct, ILanes<T>
            => a * factor;
    }

    private readonly struct ScaledSum : IOperation
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static T Of<T>(T a, T b, T factor)
            where T : struct, ILanes<T>
            => T.Fma(b, factor, a);
    }

    [StructLayout(LayoutKind.Auto)]
    private readonly struct Kernel<TOperation>(float* y, float* a, float* b, float factor, long count) : ILaneKernel
        where TOperation : struct, IOperation
    {
        [MethodImpl(MethodImplOptions.AggressiveOptimization)]
        public void Run<T, TWide>()
            where T : struct, ILanes<T>
            where TWide : struct, IWideLanes<TWide, T>
        {
            float* left = a, right = b, into = y;
            var (whole, f) = (count & -16, T.Broadcast(factor));
            for (long i = 0; i < whole; i += 16)
                T.Store(TOperation.Of(T.Load(left + i), T.Load(right + i), f), into + i);
            var rest = (int)(count - whole);
            if (rest > 0)
                T.StoreFirst(TOperation.Of(T.LoadFirst(left + whole, rest), T.LoadFirst(right + whole, rest), f), into + whole, rest);
        }
    }
}
