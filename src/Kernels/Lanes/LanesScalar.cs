using System.Runtime.CompilerServices;

namespace Elastic.Kernels;

/// <summary>Sixteen lanes one by one: what runs without vector registers, and what the others are compared with.</summary>
[InlineArray(16)]
internal unsafe struct LanesScalar : ILanes<LanesScalar>
{
    private float _lane;

    public static LanesScalar Load(float* p) => LoadFirst(p, 16);

    public static LanesScalar LoadFirst(float* p, int count)
    {
        LanesScalar x = default;
        for (var i = 0; i < count; i++)
            x[i] = p[i];
        return x;
    }

    public static void Store(LanesScalar x, float* p) => StoreFirst(x, p, 16);

    public static void StoreFirst(LanesScalar x, float* p, int count)
    {
        for (var i = 0; i < count; i++)
            p[i] = x[i];
    }

    public static LanesScalar LoadNarrow(ushort* p)
    {
        LanesScalar x = default;
        for (var i = 0; i < 16; i++)
            x[i] = Single(p[i]);
        return x;
    }

    public static void StoreNarrow(LanesScalar x, ushort* p)
    {
        for (var i = 0; i < 16; i++)
            p[i] = (ushort)BitConverter.SingleToUInt32Bits(x[i]);
    }

    public static LanesScalar Broadcast(float x)
    {
        LanesScalar all = default;
        for (var i = 0; i < 16; i++)
            all[i] = x;
        return all;
    }

    public static LanesScalar Bits(int x) => Broadcast(Single((uint)x));

    public static LanesScalar First(int count)
    {
        LanesScalar mask = default;
        for (var i = 0; i < 16; i++)
            mask[i] = Mask(i < count);
        return mask;
    }

    public static LanesScalar operator +(LanesScalar a, LanesScalar b)
    {
        for (var i = 0; i < 16; i++)
            a[i] += b[i];
        return a;
    }

    public static LanesScalar operator -(LanesScalar a, LanesScalar b)
    {
        for (var i = 0; i < 16; i++)
            a[i] -= b[i];
        return a;
    }

    public static LanesScalar operator *(LanesScalar a, LanesScalar b)
    {
        for (var i = 0; i < 16; i++)
            a[i] *= b[i];
        return a;
    }

    public static LanesScalar operator /(LanesScalar a, LanesScalar b)
    {
        for (var i = 0; i < 16; i++)
            a[i] /= b[i];
        return a;
    }

    public static LanesScalar Fma(LanesScalar a, LanesScalar b, LanesScalar c)
    {
        for (var i = 0; i < 16; i++)
            a[i] = MathF.FusedMultiplyAdd(a[i], b[i], c[i]);
        return a;
    }

    public static LanesScalar Sqrt(LanesScalar x)
    {
        for (var i = 0; i < 16; i++)
            x[i] = MathF.Sqrt(x[i]);
        return x;
    }

    public static LanesScalar Max(LanesScalar a, LanesScalar b)
    {
        for (var i = 0; i < 16; i++)
            a[i] = Larger(a[i], b[i]);
        return a;
    }

    public static LanesScalar Min(LanesScalar a, LanesScalar b)
    {
        for (var i = 0; i < 16; i++)
            a[i] = a[i] < b[i] ? a[i] : b[i];
        return a;
    }

    public static LanesScalar GreaterThan(LanesScalar a, LanesScalar b)
    {
        for (var i = 0; i < 16; i++)
            a[i] = Mask(a[i] > b[i]);
        return a;
    }

    public static LanesScalar EqualTo(LanesScalar a, LanesScalar b)
    {
        for (var i = 0; i < 16; i++)
            a[i] = Mask(a[i] == b[i]);
        return a;
    }

    public static LanesScalar EqualBits(LanesScalar a, LanesScalar b)
    {
        for (var i = 0; i < 16; i++)
            a[i] = Mask(Word(a[i]) == Word(b[i]));
        return a;
    }

    public static LanesScalar GreaterInt(LanesScalar a, LanesScalar b)
    {
        for (var i = 0; i < 16; i++)
            a[i] = Mask((int)Word(a[i]) > (int)Word(b[i]));
        return a;
    }

    public static LanesScalar Select(LanesScalar mask, LanesScalar a, LanesScalar b)
    {
        for (var i = 0; i < 16; i++)
            a[i] = Single(Word(a[i]) & Word(mask[i]) | Word(b[i]) & ~Word(mask[i]));
        return a;
    }

    public static LanesScalar operator &(LanesScalar a, LanesScalar b)
    {
        for (var i = 0; i < 16; i++)
            a[i] = Single(Word(a[i]) & Word(b[i]));
        return a;
    }

    public static LanesScalar operator |(LanesScalar a, LanesScalar b)
    {
        for (var i = 0; i < 16; i++)
            a[i] = Single(Word(a[i]) | Word(b[i]));
        return a;
    }

    public static LanesScalar operator ^(LanesScalar a, LanesScalar b)
    {
        for (var i = 0; i < 16; i++)
            a[i] = Single(Word(a[i]) ^ Word(b[i]));
        return a;
    }

    public static LanesScalar AddInt(LanesScalar a, LanesScalar b)
    {
        for (var i = 0; i < 16; i++)
            a[i] = Single(unchecked(Word(a[i]) + Word(b[i])));
        return a;
    }

    public static LanesScalar SubtractInt(LanesScalar a, LanesScalar b)
    {
        for (var i = 0; i < 16; i++)
            a[i] = Single(unchecked(Word(a[i]) - Word(b[i])));
        return a;
    }

    public static LanesScalar MultiplyInt(LanesScalar a, LanesScalar b)
    {
        for (var i = 0; i < 16; i++)
            a[i] = Single(unchecked(Word(a[i]) * Word(b[i])));
        return a;
    }

    public static LanesScalar MultiplyHigh(LanesScalar a, LanesScalar b)
    {
        for (var i = 0; i < 16; i++)
            a[i] = Single((uint)((ulong)Word(a[i]) * Word(b[i]) >> 32));
        return a;
    }

    public static LanesScalar ShiftLeft(LanesScalar x, int bits)
    {
        for (var i = 0; i < 16; i++)
            x[i] = Single(Word(x[i]) << bits);
        return x;
    }

    public static LanesScalar ShiftRight(LanesScalar x, int bits)
    {
        for (var i = 0; i < 16; i++)
            x[i] = Single(Word(x[i]) >> bits);
        return x;
    }

    public static LanesScalar ToSingle(LanesScalar integers)
    {
        for (var i = 0; i < 16; i++)
            integers[i] = (int)Word(integers[i]);
        return integers;
    }

    public static void Transpose(ref LanesScalar a, ref LanesScalar b, ref LanesScalar c, ref LanesScalar d)
    {
        for (var group = 0; group < 16; group += 4)
        {
            (a[group + 1], b[group]) = (b[group], a[group + 1]);
            (a[group + 2], c[group]) = (c[group], a[group + 2]);
            (a[group + 3], d[group]) = (d[group], a[group + 3]);
            (b[group + 2], c[group + 1]) = (c[group + 1], b[group + 2]);
            (b[group + 3], d[group + 1]) = (d[group + 1], b[group + 3]);
            (c[group + 3], d[group + 2]) = (d[group + 2], c[group + 3]);
        }
    }

    public static LanesScalar SwapPairs(LanesScalar x)
    {
        for (var i = 0; i < 16; i += 2)
            (x[i], x[i + 1]) = (x[i + 1], x[i]);
        return x;
    }

    public static (LanesScalar Lower, LanesScalar Upper) Duplicate(LanesScalar x)
    {
        LanesScalar lower = default, upper = default;
        for (var i = 0; i < 16; i++)
            (lower[i], upper[i]) = (x[i / 2], x[8 + i / 2]);
        return (lower, upper);
    }

    public static float Fold(LanesScalar x)
    {
        for (var half = 8; half > 0; half /= 2)
        {
            for (var i = 0; i < half; i++)
                x[i] += x[i + half];
        }
        return x[0];
    }

    public static float FoldMax(LanesScalar x)
    {
        for (var half = 8; half > 0; half /= 2)
        {
            for (var i = 0; i < half; i++)
                x[i] = Larger(x[i], x[i + half]);
        }
        return x[0];
    }

    public static float Get(LanesScalar x, int lane) => x[lane];

    private static float Larger(float a, float b) => a > b ? a : b;

    private static float Mask(bool isTrue) => Single(isTrue ? uint.MaxValue : 0);

    private static uint Word(float x) => BitConverter.SingleToUInt32Bits(x);

    private static float Single(uint x) => BitConverter.UInt32BitsToSingle(x);
}

/// <summary>Sixteen lanes of fp64 one by one.</summary>
[InlineArray(16)]
internal struct WideLanesScalar : IWideLanes<WideLanesScalar, LanesScalar>
{
    private double _lane;

    public static WideLanesScalar Zero => default;

    public static WideLanesScalar Add(WideLanesScalar sums, LanesScalar x)
    {
        for (var i = 0; i < 16; i++)
            sums[i] += x[i];
        return sums;
    }

    public static WideLanesScalar AddSquares(WideLanesScalar sums, LanesScalar x) => AddProducts(sums, x, x);

    public static WideLanesScalar AddProducts(WideLanesScalar sums, LanesScalar x, LanesScalar y)
    {
        for (var i = 0; i < 16; i++)
            sums[i] += (double)x[i] * y[i];
        return sums;
    }

    public static double Fold(WideLanesScalar x)
    {
        for (var half = 8; half > 0; half /= 2)
        {
            for (var i = 0; i < half; i++)
                x[i] += x[i + half];
        }
        return x[0];
    }
}
