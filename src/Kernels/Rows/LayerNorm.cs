using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace Elastic.Kernels;

/// <summary>
/// Layer normalisation (Ba, Kiros and Hinton 2016, 3): y = (x - mean) / deviation · gain + bias over the C channels of each row.
///
/// All fp32. A row's sums take 16 lanes (lane l adds channels l, l + 16 ... in order) and the fold 16 -> 8 -> 4 -> 2 -> 1. The variance is
/// a second pass, Σ (x - mean)² / C, so that a large mean costs no digits. Rows do not touch one another: threads share them.
/// </summary>
internal static unsafe class LayerNorm
{
    /// <summary>(rows, C) -> (rows, C). Also writes each row's mean and 1 / sqrt(variance + ε), which the backward pass needs.</summary>
    /// <param name="gain">(C)</param>
    /// <param name="bias">(C), or null for none.</param>
    public static void Forward(
        float* y, long yStride, float* x, long xStride, float* gain, float* bias, float* means, float* inverses, int rows, int columns,
        float epsilon)
        => LaneDispatch.Run(new ForwardKernel(y, yStride, x, xStride, gain, bias, means, inverses, rows, columns, epsilon));

    /// <summary>
    /// With n = (x - mean) · inverse and g = dy · gain: dx = (dx +) inverse · (g - Σ g / C - n Σ g n / C).
    /// </summary>
    /// <param name="accumulate">Adds to what is in dx (a residual's gradient); otherwise overwrites it.</param>
    public static void Backward(
        float* dx, long dxStride, float* dy, long dyStride, float* x, long xStride, float* gain, float* means, float* inverses, int rows,
        int columns, bool accumulate)
        => LaneDispatch.Run(new BackwardKernel(
            dx, dxStride, dy, dyStride, x, xStride, gain, means, inverses, rows, columns, accumulate));

    [StructLayout(LayoutKind.Auto)]
    private readonly struct ForwardKernel(
        float* y, long yStride, float* x, long xStride, float* gain, float* bias, float* means, float* inverses, int rows, int columns,
        float epsilon) : ILaneKernel
    {
        [MethodImpl(MethodImplOptions.AggressiveOptimization)]
        public void Run<T, TWide>()
            where T : struct, ILanes<T>
            where TWide : struct, IWideLanes<TWide, T>
        {
            int count = columns, whole = columns & -16, rest = columns - whole;
            float* scale = gain, shift = bias;
            for (var row = 0; row < rows; row++)
            {
                float* from = x + row * xStride, into = y + row * yStride;
                var sum = T.Bits(0);
                for (var i = 0; i < whole; i += 16)
                    sum += T.Load(from + i);
                sum += T.LoadFirst(from + whole, rest);
                var mean = T.Fold(sum) / count;

                T squares = T.Bits(0), m = T.Broadcast(mean);
                for (var i = 0; i < whole; i += 16)
                {
                    var d = T.Load(from + i) - m;
                    squares = T.Fma(d, d, squares);
                }
                var last = T.LoadFirst(from + whole, rest) - m & T.First(rest);
                squares = T.Fma(last, last, squares);
                var inverse = 1 / MathF.Sqrt(T.Fold(squares) / count + epsilon);
                (means[row], inverses[row]) = (mean, inverse);

                var r = T.Broadcast(inverse);
                for (var i = 0; i < whole; i += 16)
                {
                    var n = (T.Load(from + i) - m) * r;
                    T.Store(shift is null ? n * T.Load(scale + i) : T.Fma(n, T.Load(scale + i), T.Load(shift + i)), into + i);
                }
                if (rest > 0)
                {
                    T n = last * r, g = T.LoadFirst(scale + whole, rest);
                    T.StoreFirst(shift is null ? n * g : T.Fma(n, g, T.LoadFirst(shift + whole, rest)), into + whole, rest);
                }
            }
        }
    }

    [StructLayout(LayoutKind.Auto)]
    private readonly struct BackwardKernel(
        float* dx, long dxStride, float* dy, long dyStride, float* x, long xStride, float* gain, float* means, float* inverses, int rows,
        int columns, bool accumulate) : ILaneKernel
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
                T m = T.Broadcast(means[row]), r = T.Broadcast(inverses[row]), sum = T.Bits(0), products = T.Bits(0);
                for (var i = 0; i < whole; i += 16)
                {
                    var g = T.Load(gradient + i) * T.Load(gain + i);
                    sum += g;
                    products = T.Fma(g, (T.Load(from + i) - m) * r, products);
                }
                // Here g is zero beyond the row's end.
                var lastG = T.LoadFirst(gradient + whole, rest) * T.LoadFirst(gain + whole, rest);
                var lastN = (T.LoadFirst(from + whole, rest) - m) * r;
                T a = T.Broadcast(T.Fold(sum + lastG) / columns), b = T.Broadcast(-(T.Fold(T.Fma(lastG, lastN, products)) / columns));

                for (var i = 0; i < whole; i += 16)
                {
                    var d = r * T.Fma((T.Load(from + i) - m) * r, b, T.Load(gradient + i) * T.Load(gain + i) - a);
                    T.Store(accumulate ? T.Load(into + i) + d : d, into + i);
                }
                if (rest > 0)
                {
                    var d = r * T.Fma(lastN, b, lastG - a);
                    T.StoreFirst(accumulate ? T.LoadFirst(into + whole, rest) + d : d, into + whole, rest);
                }
            }
        }
    }
}
