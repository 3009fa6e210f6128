using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace Elastic.Kernels;

/// <summary>What is asked of a whole vector before an update: its norm, and whether all of it is finite.</summary>
internal static unsafe class Norms
{
    /// <summary>
    /// Σ x[i]² in double precision: squares of fp32 numbers are exact there; lane l adds elements l, l + 16, l + 32 ... in order, then the
    /// lanes fold 16 -> 8 -> 4 -> 2 -> 1. The bits belong to the range: callers fold fixed ranges (a parameter's part) in a fixed order.
    /// Not finite if an element is not.
    /// </summary>
    public static double SumOfSquares(float* x, long count)
    {
        double result;
        LaneDispatch.Run(new SquaresKernel(x, count, &result));
        return result;
    }

    /// <summary>
    /// Adds the sums of squares of neighbouring ranges: elements [first, end) of <paramref name="x"/>, which lies in pieces of
    /// <paramref name="length"/> elements. sums[k] = sums[k] + <see cref="SumOfSquares"/> of what is there of piece k.
    /// </summary>
    /// <remarks>
    /// One call for many short pieces in the order of memory: the processor fetches ahead, and adds up several pieces at a time.
    /// </remarks>
    public static void AddSumsOfSquares(float* x, long first, long end, long length, double* sums)
        => LaneDispatch.Run(new PiecesKernel(x, first, end, length, sums));

    /// <summary>True if an element is infinite or not a number.</summary>
    public static bool HasNonFinite(float* x, long count)
    {
        bool result;
        LaneDispatch.Run(new NonFiniteKernel(x, count, &result));
        return result;
    }

    [StructLayout(LayoutKind.Auto)]
    private readonly struct SquaresKernel(float* x, long count, double* result) : ILaneKernel
    {
        [MethodImpl(MethodImplOptions.AggressiveOptimization)]
        public void Run<T, TWide>()
            where T : struct, ILanes<T>
            where TWide : struct, IWideLanes<TWide, T>
        {
            *result = Sum<T, TWide>(x, count);
        }

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static double Sum<T, TWide>(float* x, long count)
            where T : struct, ILanes<T>
            where TWide : struct, IWideLanes<TWide, T>
        {
            var (from, whole, sums) = ((nint)x, count & -16, TWide.Zero);
            for (long i = 0; i < whole; i += 16)
                sums = TWide.AddSquares(sums, T.Load((float*)from + i));
            if (whole < count)
                sums = TWide.AddSquares(sums, T.LoadFirst((float*)from + whole, (int)(count - whole)));
            return TWide.Fold(sums);
        }
    }

    [StructLayout(LayoutKind.Auto)]
    private readonly struct PiecesKernel(float* x, long first, long end, long length, double* sums) : ILaneKernel
    {
        [MethodImpl(MethodImplOptions.AggressiveOptimization)]
        public void Run<T, TWide>()
            where T : struct, ILanes<T>
            where TWide : struct, IWideLanes<TWide, T>
        {
            var (at, piece) = (first, first / length);
            for (; at < end; piece++)
            {
                var next = Math.Min(end, (piece + 1) * length);
                sums[piece] += SquaresKernel.Sum<T, TWide>(x + at, next - at);
                at = next;
            }
        }
    }

    [StructLayout(LayoutKind.Auto)]
    private readonly struct NonFiniteKernel(float* x, long count, bool* result) : ILaneKernel
    {
        [MethodImpl(MethodImplOptions.AggressiveOptimization)]
        public void Run<T, TWide>()
            where T : struct, ILanes<T>
            where TWide : struct, IWideLanes<TWide, T>
        {
            var from = x;
            var whole = count & -16;
            T exponent = T.Bits(0x7f800000), found = T.Bits(0);
            for (long i = 0; i < whole; i += 16)
                found |= T.EqualBits(T.Load(from + i) & exponent, exponent);
            found |= T.EqualBits(T.LoadFirst(from + whole, (int)(count - whole)) & exponent, exponent);
            // All ones is not a number, which no maximum finds: 1 in its place.
            *result = T.FoldMax(T.Select(found, T.Broadcast(1f), T.Bits(0))) > 0;
        }
    }
}
