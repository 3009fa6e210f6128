using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace Elastic.Kernels;

/// <summary>
/// Root mean square normalisation (Zhang and Sennrich 2019, 4): y = x / sqrt(Σ x² / C + ε) · gain over the C channels of each row.
///
/// All fp32. A row's sums take 16 lanes (lane l adds channels l, l + 16 ... in order) and the fold 16 -> 8 -> 4 -> 2 -> 1.
/// Rows do not touch one another: threads share them.
/// </summary>
internal static unsafe class RmsNorm
{
    /// <summary>(rows, C) -> (rows, C). Also writes each row's 1 / sqrt(mean square + ε), which the backward pass needs.</summary>
    /// <param name="gain">(C)</param>
    public static void Forward(
        float* y, long yStride, float* x, long xStride, float* gain, float* inverses, int rows, int columns, float epsilon)
        => LaneDispatch.Run(new ForwardKernel(y, yStride, x, xStride, gain, inverses, rows, columns, epsilon));

    /// <summary>With n = x · inverse and g = dy · gain: dx = (dx +) inverse · (g - n Σ g n / C).</summary>
    /// <param name="accumulate">Adds to what is in dx (a residual's gradient); otherwise overwrites it.</param>
    public static void Backward(
        float* dx, long dxStride, float* dy, long dyStride, float* x, long xStride, float* gain, float* inverses, int rows, int columns,
        bool accumulate)
        => LaneDispatch.Run(new BackwardKernel(dx, dxStride, dy, dyStride, x, xStride, gain, inverses, rows, columns, accumulate));

    [StructLayout(LayoutKind.Auto)]
    private readonly struct ForwardKernel(
        float* y, long yStride, float* x, long xStride, float* gain, float* inverses, int rows, int columns, float epsilon) : ILaneKernel
    {
        [MethodImpl(MethodImplOptions.AggressiveOptimization)]
        public void Run<T, TWide>()
            where T : struct, ILanes<T>
            where TWide : struct, IWideLanes<TWide, T>
        {
            int whole = columns & -16, rest = columns - whole;
            for (var row = 0; row < rows; row++)
            {
                float* from = x + row * xStride, into = y + row * yStride;
                T squares = T.Bits(0), last = T.LoadFirst(from + whole, rest);
                for (var i = 0; i < whole; i += 16)
                {
                    var v = T.Load(from + i);
                    squares = T.Fma(v, v, squares);
                }
                squares = T.Fma(last, last, squares);
                var inverse = 1 / MathF.Sqrt(T.Fold(squares) / columns + epsilon);
                inverses[row] = inverse;

                var r = T.Broadcast(inverse);
                for (var i = 0; i < whole; i += 16)
                    T.Store(T.Load(from + i) * r * T.Load(gain + i), into + i);
                if (rest > 0)
                    T.StoreFirst(last * r * T.LoadFirst(gain + whole, rest), into + whole, rest);
            }
        }
    }

    [StructLayout(LayoutKind.Auto)]
    private readonly struct BackwardKernel(
        float* dx, long dxStride, float* dy, long dyStride, float* x, long xStride, float* gain, float* inverses, int rows, int columns,
        bool accumulate) : ILaneKernel
    {
        [MethodImpl(MethodImplOptions.AggressiveOptimization)]
        public void Run<T, TWide>()
            where T : struct, ILanes<T>
            where TWide : struct, IWideLanes<TWide, T>
        {
            int whole = columns & -16, rest = columns - whole;
            for (var row = 0; row < rows; row++)
            {
                float* from = x + row * xStride, gradient = dy + row * dyStride, into = dx + row * dxStride;
                T r = T.Broadcast(inverses[row]), products = T.Bits(0);
                for (var i = 0; i < whole; i += 16)
                    products = T.Fma(T.Load(gradient + i) * T.Load(gain + i), T.Load(from + i) * r, products);
                var lastG = T.LoadFirst(gradient + whole, rest) * T.LoadFirst(gain + whole, rest);
                var lastN = T.LoadFirst(from + whole, rest) * r;
                var b = T.Broadcast(-(T.Fold(T.Fma(lastG, lastN, products)) / columns));

                for (var i = 0; i < whole; i += 16)
                {
                    var d = r * T.Fma(T.Load(from + i) * r, b, T.Load(gradient + i) * T.Load(gain + i));
                    T.Store(accumulate ? T.Load(into + i) + d : d, into + i);
                }
                if (rest > 0)
                {
                    var d = r * T.Fma(lastN, b, lastG);
                    T.StoreFirst(accumulate ? T.LoadFirst(into + whole, rest) + d : d, into + whole, rest);
                }
            }
        }
    }
}
