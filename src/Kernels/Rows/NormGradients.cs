using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace Elastic.Kernels;

/// <summary>
/// The gradients of gain and bias of <see cref="LayerNorm"/> and <see cref="RmsNorm"/>: sums over rows, for each column. The rows come in
/// parts (one per micro-batch). Within a part they are added in order from +0 (for the gain by fused multiply-adds of dy and n); the parts'
/// sums fold along <see cref="SumTree"/>. Threads share the columns.
/// </summary>
internal static unsafe class NormGradients
{
    /// <summary>
    /// With n = (x - mean) · inverse: dGain[j] = (dGain[j] +) Σ dy[r, j] n[r, j] and dBias[j] = (dBias[j] +) Σ dy[r, j], for columns j from
    /// [0, columns). Pointers to columns may be moved to where a thread's columns begin; those to rows may not.
    /// </summary>
    /// <param name="dBias">Null where there is no bias.</param>
    /// <param name="means">One per row; null for <see cref="RmsNorm"/>, which has none.</param>
    /// <param name="inverses">One per row.</param>
    /// <param name="rows">Rows of a part. Part p's are p rows, p rows + 1 ...</param>
    /// <param name="accumulate">Adds to what is in the targets, as the last step; otherwise overwrites them.</param>
    public static void Add(
        float* dGain, float* dBias, float* dy, long dyStride, float* x, long xStride, float* means, float* inverses, int rows, int parts,
        int columns, bool accumulate)
        => LaneDispatch.Run(new Kernel(
            dGain, dBias, dy, dyStride, x, xStride, means, inverses, rows, parts, columns, accumulate));

    [StructLayout(LayoutKind.Auto)]
    private readonly struct Kernel(
        float* dGain, float* dBias, float* dy, long dyStride, float* x, long xStride, float* means, float* inverses, int rows, int parts,
        int columns, bool accumulate) : ILaneKernel
    {
        // Two registers of each sum: with four the lanes of narrow registers spill.
        private const int Strip = 32;

        [MethodImpl(MethodImplOptions.AggressiveOptimization)]
        [SkipLocalsInit]
        public void Run<T, TWide>()
            where T : struct, ILanes<T>
            where TWide : struct, IWideLanes<TWide, T>
        {
            var floats = TreeStrips.Floats(parts, Strip);
            var memory = stackalloc float[2 * floats];
            for (var j = 0; j < columns;)
            {
                var width = columns - j >= Strip ? Strip : Math.Min(16, columns - j);
                TreeStrips gains = new(memory, width == Strip ? Strip : 16), biases = new(memory + floats, width == Strip ? Strip : 16);
                for (var part = 0; part < parts; part++)
                {
                    float* gain = gains.Push<T>(part), bias = biases.Push<T>(part);
                    if (width == Strip)
                        Whole<T>(part * rows, j, gain, bias);
                    else
                        Partial<T>(part * rows, j, width, gain, bias);
                }
                TreeSums.Store<T>(gains.Finish<T>(), dGain + j, width, accumulate);
                if (dBias is not null)
                    TreeSums.Store<T>(biases.Finish<T>(), dBias + j, width, accumulate);
                j += width;
            }
        }

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        private void Whole<T>(int first, int j, float* gain, float* bias)
            where T : struct, ILanes<T>
        {
            T g0 = T.Bits(0), g1 = g0, b0 = g0, b1 = g0;
            float* gradient = dy + first * dyStride + j, from = x + first * xStride + j;
            for (var row = first; row < first + rows; row++, gradient += dyStride, from += xStride)
            {
                T d0 = T.Load(gradient), d1 = T.Load(gradient + 16), r = T.Broadcast(inverses[row]);
                var m = T.Broadcast(means is null ? 0 : means[row]);
                g0 = T.Fma(d0, (T.Load(from) - m) * r, g0);
                g1 = T.Fma(d1, (T.Load(from + 16) - m) * r, g1);
                b0 += d0;
                b1 += d1;
            }
            T.Store(g0, gain);
            T.Store(g1, gain + 16);
            T.Store(b0, bias);
            T.Store(b1, bias + 16);
        }

        [MethodImpl(MethodImplOptions.AggressiveOptimization)]
        private void Partial<T>(int first, int j, int width, float* gain, float* bias)
            where T : struct, ILanes<T>
        {
            T g = T.Bits(0), b = g;
            float* gradient = dy + first * dyStride + j, from = x + first * xStride + j;
            for (var row = first; row < first + rows; row++, gradient += dyStride, from += xStride)
            {
                var d = T.LoadFirst(gradient, width);
                var m = T.Broadcast(means is null ? 0 : means[row]);
                g = T.Fma(d, (T.LoadFirst(from, width) - m) * T.Broadcast(inverses[row]), g);
                b += d;
            }
            T.Store(g, gain);
            T.Store(b, bias);
        }
    }
}
