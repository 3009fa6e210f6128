using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace Elastic.Kernels;

/// <summary>
/// Cross-entropy of a row of logits, which become their own gradient in place: three passes over a row that stays in the cache, no second
/// tensor. Sixteen lanes whatever the registers' width, so the gradient has the same bits on any processor.
/// </summary>
internal static unsafe class SoftmaxGradient
{
    private const int Lanes = 16;

    /// <summary>
    /// Turns logits z into <paramref name="scale"/> (softmax(z) - (1 - ε) 1[target] - ε/V); returns
    /// log Σ exp(z) - (1 - ε) z[target] - ε/V Σ z, not scaled, in nats.
    /// </summary>
    /// <param name="count">V.</param>
    /// <param name="smoothing">ε.</param>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static double Row(float* z, int count, long target, double smoothing, double scale)
    {
        var whole = count / Lanes * Lanes;
        var largest = Largest(z, count, whole);
        double plain = smoothing > 0 ? Sum(z, count) : 0, ofTarget = z[target];
        var sum = Exponentials(z, count, whole, largest);
        var loss = largest + Math.Log(sum) - (1 - smoothing) * ofTarget - smoothing / count * plain;

        var (factor, shift) = ((float)(scale / sum), (float)(scale * smoothing / count));
        var (factors, shifts) = (Vector512.Create(factor), Vector512.Create(shift));
        for (var i = 0; i < whole; i += Lanes)
            Vector512.Store(Vector512.Load(z + i) * factors - shifts, z + i);
        for (var i = whole; i < count; i++)
            z[i] = z[i] * factor - shift;
        z[target] -= (float)(scale * (1 - smoothing));
        return loss;
    }

    private static float Largest(float* z, int count, int whole)
    {
        var largest = Vector512.Create(z[0]);
        for (var i = 0; i < whole; i += Lanes)
            largest = Vector512.Max(largest, Vector512.Load(z + i));
        var result = z[0];
        for (var lane = 0; lane < Lanes; lane++)
            result = Math.Max(result, largest.GetElement(lane));
        for (var i = whole; i < count; i++)
            result = Math.Max(result, z[i]);
        return result;
    }

    private static double Sum(float* z, int count)
    {
        var sum = 0.0;
        for (var i = 0; i < count; i++)
            sum += z[i];
        return sum;
    }

    // Writes exp(z - largest) and returns its sum: in fp32 over at most 1,024 elements, in double precision over these sums.
    private static double Exponentials(float* z, int count, int whole, float largest)
    {
        const int block = 1024;
        var sum = 0.0;
        var shift = Vector512.Create(largest);
        for (var first = 0; first < whole; first += block)
        {
            var part = Vector512<float>.Zero;
            for (var i = first; i < Math.Min(whole, first + block); i += Lanes)
            {
                var e = Exp(Vector512.Load(z + i) - shift);
                Vector512.Store(e, z + i);
                part += e;
            }
            sum += Vector512.Sum(part);
        }
        for (var i = whole; i < count; i++)
            sum += z[i] = Exp(Vector512.Create(z[i] - largest)).GetElement(0);
        return sum;
    }

    // exp(x) = 2^n exp(r), |r| <= ln 2 / 2, by Cephes' polynomial (Moshier): good to two units of the last digit. For x <= 0; below -87,
    // where the result would be denormal, it stays at exp(-87).
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal static Vector512<float> Exp(Vector512<float> x)
    {
        var rounder = Vector512.Create(12_582_912f); // 1.5 2^23: adding it rounds to an integer
        x = Vector512.Max(x, Vector512.Create(-87f));
        var n = x * Vector512.Create(1.44269504f) + rounder - rounder;
        var r = Vector512.FusedMultiplyAdd(n, Vector512.Create(-0.693359375f), x);
        r = Vector512.FusedMultiplyAdd(n, Vector512.Create(2.12194440e-4f), r);
        var p = Vector512.Create(1.9875691500e-4f);
        p = Vector512.FusedMultiplyAdd(p, r, Vector512.Create(1.3981999507e-3f));
        p = Vector512.FusedMultiplyAdd(p, r, Vector512.Create(8.3334519073e-3f));
        p = Vector512.FusedMultiplyAdd(p, r, Vector512.Create(4.1665795894e-2f));
        p = Vector512.FusedMultiplyAdd(p, r, Vector512.Create(1.6666665459e-1f));
        p = Vector512.FusedMultiplyAdd(p, r, Vector512.Create(5.0000001201e-1f));
        p = Vector512.FusedMultiplyAdd(p, r * r, r) + Vector512<float>.One;
        return (p.AsInt32() + (Vector512.ConvertToInt32(n) << 23)).AsSingle();
    }
}
