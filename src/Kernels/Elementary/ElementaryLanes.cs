using System.Runtime.CompilerServices;

namespace Elastic.Kernels;

/// <summary>
/// Elementary functions of sixteen fp32 numbers, the same bits on every processor. The coefficients are minimax polynomials (Remez's
/// exchange algorithm, 60 digits) that were computed for these forms and intervals. The largest errors, in units in the last place of the
/// exact result, were found by trying all 2^32 inputs against double precision (bench/Elementary).
/// Not a number gives not a number.
/// </summary>
internal static class ElementaryLanes
{
    // Adding and subtracting 1.5 2^23 rounds to an integer n, and n then stands in the lower bits of the sum. The one with 127 more makes
    // the biased exponent of 2^n of them.
    private const float Rounder = 12_582_912f, BiasedRounder = Rounder + 127;
    private const int BiasedRounderBits = 0x4b400000 + 127;

    /// <summary>e^x: at most 1.02 ulp where the result is normal; below, it is denormal, as IEEE 754 has it, and then 0.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static T Exp<T>(T x)
        where T : struct, ILanes<T>
    {
        // Beyond these ends the result is infinite or 0.
        x = T.Min(T.Broadcast(89f), T.Max(T.Broadcast(-104f), x));
        var p = ExpReduced(x, out var rounded);
        // 2^n as two factors, both normal. The first one's biased exponent is (n + 254) / 2.
        var sum = T.SubtractInt(rounded, T.Bits(BiasedRounderBits - 254));
        var first = T.ShiftRight(sum, 1);
        return p * T.ShiftLeft(first, 23) * T.ShiftLeft(T.SubtractInt(sum, first), 23);
    }

    /// <summary>e^x for x &lt;= 88: the same bits as <see cref="Exp"/> where x &gt;= -87, and +0 below. What a softmax takes.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static T ExpOrZero<T>(T x)
        where T : struct, ILanes<T>
    {
        var isTiny = T.GreaterThan(T.Broadcast(-87f), x);
        var p = ExpReduced(x, out var rounded);
        return T.Select(isTiny, T.Bits(0), p * T.ShiftLeft(rounded, 23));
    }

    /// <summary>1 / (1 + e^-x): at most 2.5 ulp for x &gt;= -87; below, it stays at e^-87.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static T Sigmoid<T>(T x)
        where T : struct, ILanes<T>
        => Sigmoid(x, out _);

    /// <summary>The sigmoid, 1 / (1 + e^-x), and 1 - sigmoid without cancellation.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static T Sigmoid<T>(T x, out T complement)
        where T : struct, ILanes<T>
    {
        var e = ExpOrZero(T.Min(T.Broadcast(87f), x ^ T.Bits(int.MinValue)));
        var sigmoid = T.Broadcast(1f) / (T.Broadcast(1f) + e);
        complement = e * sigmoid;
        return sigmoid;
    }

    /// <summary>The natural logarithm: at most 0.9 ulp, also of denormal numbers. Of 0 it is -∞, below not a number.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static T Log<T>(T x)
        where T : struct, ILanes<T>
    {
        // x = 2^e m with m from [sqrt(1/2), sqrt(2)); f = m - 1 is exact.
        var isDenormal = T.GreaterThan(T.Broadcast(1.17549435e-38f), x);
        var bits = T.Select(isDenormal, x * T.Broadcast(8_388_608f), x);
        const int sqrtHalf = 0x3f3504f3, bias = 128;
        var e = T.SubtractInt(T.ShiftRight(T.AddInt(bits, T.Bits((bias << 23) - sqrtHalf)), 23), T.Bits(bias));
        var f = T.SubtractInt(bits, T.ShiftLeft(e, 23)) - T.Broadcast(1f);
        var exponent = T.ToSingle(T.SubtractInt(e, isDenormal & T.Bits(23)));

        // ln(1 + f) = f - f²/2 + f³ p(f).
        var p = T.Broadcast(-0.0763454735f);
        p = T.Fma(p, f, T.Broadcast(0.127616212f));
        p = T.Fma(p, f, T.Broadcast(-0.13160184f));
        p = T.Fma(p, f, T.Broadcast(0.142017514f));
        p = T.Fma(p, f, T.Broadcast(-0.166233569f));
        p = T.Fma(p, f, T.Broadcast(0.200012267f));
        p = T.Fma(p, f, T.Broadcast(-0.250008225f));
        p = T.Fma(p, f, T.Broadcast(0.333333313f));
        var square = f * f;
        var rest = T.Fma(square * f, p, exponent * T.Broadcast(-1.90465421e-9f));
        rest = T.Fma(square, T.Broadcast(-0.5f), rest);
        var result = T.Fma(exponent, T.Broadcast(0.693147182f), f + rest);

        result = T.Select(T.GreaterThan(x, T.Broadcast(float.MaxValue)), T.Broadcast(float.PositiveInfinity), result);
        result = T.Select(T.EqualTo(x, T.Bits(0)), T.Broadcast(float.NegativeInfinity), result);
        var isOrdered = T.GreaterThan(x, T.Bits(0)) | T.EqualTo(x, T.Bits(0));
        return T.Select(isOrdered, result, T.Bits(0x7fc00000));
    }

    /// <summary>The hyperbolic tangent: at most 2.5 ulp.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static T Tanh<T>(T x)
        where T : struct, ILanes<T>
    {
        // tanh |x| = m / (m + 2), m = e^2|x| - 1. From 9.02 on it rounds to 1.
        var sign = x & T.Bits(int.MinValue);
        var twice = T.Min(T.Broadcast(20f), x ^ sign);
        twice = T.Min(T.Broadcast(20f), twice + twice);
        var r = Reduce(twice, out var rounded);
        // e^r - 1 = r + r² p(r).
        var p = T.Broadcast(0.000198458773f);
        p = T.Fma(p, r, T.Broadcast(0.00139408233f));
        p = T.Fma(p, r, T.Broadcast(0.00833338965f));
        p = T.Fma(p, r, T.Broadcast(0.0416663587f));
        p = T.Fma(p, r, T.Broadcast(0.166666657f));
        p = T.Fma(p, r, T.Broadcast(0.5f));
        p = T.Fma(p, r * r, r);
        var scale = T.ShiftLeft(rounded, 23);
        var m = T.Fma(p, scale, scale - T.Broadcast(1f));
        return m / (m + T.Broadcast(2f)) | sign;
    }

    /// <summary>The error function, 2/√π ∫ e^-t² dt from 0 to x: at most 1.2 ulp.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static T Erf<T>(T x)
        where T : struct, ILanes<T>
    {
        var sign = x & T.Bits(int.MinValue);
        var a = x ^ sign;
        // Up to 1: x + x p(x²).
        var square = a * a;
        var p = T.Broadcast(7.85387747e-5f);
        p = T.Fma(p, square, T.Broadcast(-0.000801019836f));
        p = T.Fma(p, square, T.Broadcast(0.00518832821f));
        p = T.Fma(p, square, T.Broadcast(-0.0268538129f));
        p = T.Fma(p, square, T.Broadcast(0.112835854f));
        p = T.Fma(p, square, T.Broadcast(-0.37612626f));
        p = T.Fma(p, square, T.Broadcast(0.128379166f));
        var small = T.Fma(a, p, a);
        // Above: 1 - e^-q(x), q the negative logarithm of 1 - erf. From 3.92 on it rounds to 1.
        a = T.Min(T.Broadcast(3.95f), a);
        var q = T.Broadcast(-0.000187603961f);
        q = T.Fma(q, a, T.Broadcast(0.00296010682f));
        q = T.Fma(q, a, T.Broadcast(-0.0218896177f));
        q = T.Fma(q, a, T.Broadcast(0.103218161f));
        q = T.Fma(q, a, T.Broadcast(0.63801223f));
        q = T.Fma(q, a, T.Broadcast(1.12717164f));
        q = T.Fma(q, a, T.Broadcast(0.000320577878f));
        var large = T.Broadcast(1f) - ExpOrZero(q ^ T.Bits(int.MinValue));
        return T.Select(T.GreaterThan(a, T.Broadcast(1f)), large, small) | sign;
    }

    /// <summary>sin x, at most 1.6 ulp for |x| &lt;= 100,000.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static T Sin<T>(T x)
        where T : struct, ILanes<T>
        => SineOfQuadrant(x, 0);

    /// <summary>cos x, at most 1.6 ulp for |x| &lt;= 100,000.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static T Cos<T>(T x)
        where T : struct, ILanes<T>
        => SineOfQuadrant(x, 1);

    // sin(x + quadrant π/2) from r = x - n π/2, |r| <= π/4: π/2 in three parts of 24 bits, whose products fused operations take exactly.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static T SineOfQuadrant<T>(T x, int quadrant)
        where T : struct, ILanes<T>
    {
        var rounded = T.Fma(x, T.Broadcast(0.636619747f), T.Broadcast(Rounder));
        var n = rounded - T.Broadcast(Rounder);
        var r = T.Fma(n, T.Broadcast(-1.57079637f), x);
        r = T.Fma(n, T.Broadcast(4.37113883e-8f), r);
        r = T.Fma(n, T.Broadcast(1.71512451e-15f), r);
        var square = r * r;

        var sine = T.Broadcast(-0.000195133267f);
        sine = T.Fma(sine, square, T.Broadcast(0.00833214633f));
        sine = T.Fma(sine, square, T.Broadcast(-0.166666538f));
        sine = T.Fma(sine, square * r, r);
        var cosine = T.Broadcast(2.44309231e-5f);
        cosine = T.Fma(cosine, square, T.Broadcast(-0.00138872967f));
        cosine = T.Fma(cosine, square, T.Broadcast(0.0416666456f));
        cosine = T.Fma(cosine, square, T.Broadcast(-0.5f));
        cosine = T.Fma(cosine, square, T.Broadcast(1f));

        // The rounder's lower bits are n: odd quadrants take the cosine, the upper two the other sign.
        var quarter = T.AddInt(rounded, T.Bits(quadrant));
        var takesSine = T.EqualBits(quarter & T.Bits(1), T.Bits(0));
        var sign = T.ShiftLeft(quarter & T.Bits(2), 30);
        return T.Select(takesSine, sine, cosine) ^ sign;
    }

    // e^x = 2^n e^r, r = x - n ln 2, |r| <= ln(2) / 2; returns e^r = 1 + r + r² p(r).
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static T ExpReduced<T>(T x, out T rounded)
        where T : struct, ILanes<T>
    {
        var r = Reduce(x, out rounded);
        var p = T.Broadcast(0.00138143345f);
        p = T.Fma(p, r, T.Broadcast(0.00836885069f));
        p = T.Fma(p, r, T.Broadcast(0.0416684002f));
        p = T.Fma(p, r, T.Broadcast(0.166665196f));
        p = T.Fma(p, r, T.Broadcast(0.49999994f));
        return T.Fma(p, r * r, r) + T.Broadcast(1f);
    }

    // ln 2 in two parts of 24 bits.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static T Reduce<T>(T x, out T rounded)
        where T : struct, ILanes<T>
    {
        rounded = T.Fma(x, T.Broadcast(1.44269502f), T.Broadcast(BiasedRounder));
        var n = rounded - T.Broadcast(BiasedRounder);
        var r = T.Fma(n, T.Broadcast(-0.693147182f), x);
        return T.Fma(n, T.Broadcast(1.90465421e-9f), r);
    }
}
