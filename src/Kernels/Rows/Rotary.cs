using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace Elastic.Kernels;

/// <summary>Which two channels of a head make a pair, of P pairs.</summary>
internal enum RotaryLayout
{
    /// <summary>j and j + P (GPT-NeoX, Llama).</summary>
    Halves,

    /// <summary>2 j and 2 j + 1 (GPT-J).</summary>
    Pairs,
}

/// <summary>
/// Rotary positions (Su et al. 2021, 3.2.2): pair j of each head of a token at position t is rotated by the angle t · f[j].
/// The backward pass rotates by the negative angle. Tokens and heads do not touch one another: threads share the tokens.
/// </summary>
internal static unsafe class Rotary
{
    /// <summary>f[j] = base^(-j/P), j from [0, P), in radians per position; the paper's base is 10,000.</summary>
    public static void InverseFrequencies(double* frequencies, int pairs, double @base)
    {
        for (var j = 0; j < pairs; j++)
            frequencies[j] = Elementary.Pow(@base, -(double)j / pairs);
    }

    /// <summary>
    /// cos(t f[j]) and sin(t f[j]) times a magnitude, for positions t from [first, first + count). The angle is rounded to double
    /// precision, its functions are good to 2.3e-16 for angles up to 1,000,000, and the result is rounded to fp32 once.
    /// </summary>
    /// <param name="cosines">(count, P); position <paramref name="first"/>'s row is the first.</param>
    /// <param name="sines">(count, P)</param>
    /// <param name="frequencies">(P), in radians per position; a caller that stretches positions scales them.</param>
    /// <param name="magnitude">1, or what a method of stretching multiplies both by.</param>
    public static void FillTables(
        float* cosines, float* sines, long first, int count, double* frequencies, int pairs, double magnitude = 1)
    {
        for (var t = 0; t < count; t++)
        {
            for (var j = 0; j < pairs; j++)
            {
                var (sin, cos) = Elementary.SinCos((first + t) * frequencies[j]);
                cosines[(long)t * pairs + j] = (float)(magnitude * cos);
                sines[(long)t * pairs + j] = (float)(magnitude * sin);
            }
        }
    }

    /// <summary>
    /// Rotates heads in place: (a, b) -> (a c - b s, b c + a s), the first product fused with the difference or sum. Channels of a head
    /// after its first 2 P stay as they are.
    /// </summary>
    /// <param name="x">The first channel of the first head of the first token.</param>
    /// <param name="positions">(rows): the row of the tables of each token.</param>
    /// <param name="isBackward">Rotates by the negative angle.</param>
    public static void Rotate(
        float* x, long rowStride, int rows, int heads, long headStride, int* positions, float* cosines, float* sines, int pairs,
        RotaryLayout layout, bool isBackward)
        => LaneDispatch.Run(new Kernel(
            x, rowStride, rows, heads, headStride, positions, cosines, sines, pairs, layout, isBackward));

    [StructLayout(LayoutKind.Auto)]
    private readonly struct Kernel(
        float* x, long rowStride, int rows, int heads, long headStride, int* positions, float* cosines, float* sines, int pairs,
        RotaryLayout layout, bool isBackward) : ILaneKernel
    {
        [MethodImpl(MethodImplOptions.AggressiveOptimization)]
        public void Run<T, TWide>()
            where T : struct, ILanes<T>
            where TWide : struct, IWideLanes<TWide, T>
        {
            // The sign of the sine in the first channel of a pair; the second has the other one.
            T first = T.Bits(isBackward ? 0 : int.MinValue), second = first ^ T.Bits(int.MinValue);
            // The even lanes are first channels.
            var alternating = T.Select(EvenLanes<T>(), first, second);
            for (var row = 0; row < rows; row++)
            {
                float* c = cosines + (long)positions[row] * pairs, s = sines + (long)positions[row] * pairs;
                for (var head = 0; head < heads; head++)
                {
                    var at = x + row * rowStride + head * headStride;
                    if (layout == RotaryLayout.Halves)
                        Halves(at, c, s, first, second);
                    else
                        Neighbours(at, c, s, alternating);
                }
            }
        }

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        private void Halves<T>(float* at, float* c, float* s, T first, T second)
            where T : struct, ILanes<T>
        {
            for (var j = 0; j < pairs; j += 16)
            {
                var n = Math.Min(16, pairs - j);
                if (n == 16)
                {
                    T a = T.Load(at + j), b = T.Load(at + pairs + j), cos = T.Load(c + j), sin = T.Load(s + j);
                    T.Store(T.Fma(a, cos, b * (sin ^ first)), at + j);
                    T.Store(T.Fma(b, cos, a * (sin ^ second)), at + pairs + j);
                }
                else
                {
                    T a = T.LoadFirst(at + j, n), b = T.LoadFirst(at + pairs + j, n);
                    T cos = T.LoadFirst(c + j, n), sin = T.LoadFirst(s + j, n);
                    T.StoreFirst(T.Fma(a, cos, b * (sin ^ first)), at + j, n);
                    T.StoreFirst(T.Fma(b, cos, a * (sin ^ second)), at + pairs + j, n);
                }
            }
        }

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        private void Neighbours<T>(float* at, float* c, float* s, T alternating)
            where T : struct, ILanes<T>
        {
            for (var j = 0; j < pairs; j += 16, at += 32)
            {
                var n = Math.Min(16, pairs - j);
                if (n == 16)
                {
                    var (cosLower, cosUpper) = T.Duplicate(T.Load(c + j));
                    var (sinLower, sinUpper) = T.Duplicate(T.Load(s + j));
                    T lower = T.Load(at), upper = T.Load(at + 16);
                    T.Store(T.Fma(lower, cosLower, T.SwapPairs(lower) * (sinLower ^ alternating)), at);
                    T.Store(T.Fma(upper, cosUpper, T.SwapPairs(upper) * (sinUpper ^ alternating)), at + 16);
                }
                else
                {
                    var (cosLower, cosUpper) = T.Duplicate(T.LoadFirst(c + j, n));
                    var (sinLower, sinUpper) = T.Duplicate(T.LoadFirst(s + j, n));
                    int ofLower = Math.Min(16, 2 * n), ofUpper = 2 * n - ofLower;
                    T lower = T.LoadFirst(at, ofLower), upper = T.LoadFirst(at + 16, ofUpper);
                    T.StoreFirst(T.Fma(lower, cosLower, T.SwapPairs(lower) * (sinLower ^ alternating)), at, ofLower);
                    T.StoreFirst(T.Fma(upper, cosUpper, T.SwapPairs(upper) * (sinUpper ^ alternating)), at + 16, ofUpper);
                }
            }
        }

        private static T EvenLanes<T>()
            where T : struct, ILanes<T>
        {
            var ones = stackalloc int[16];
            for (var i = 0; i < 16; i++)
                ones[i] = i % 2 == 0 ? -1 : 0;
            return T.Load((float*)ones);
        }
    }
}
