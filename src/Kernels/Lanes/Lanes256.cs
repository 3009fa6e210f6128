using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;

namespace Elastic.Kernels;

/// <summary>Sixteen lanes in two registers of 256 bits (AVX2).</summary>
[StructLayout(LayoutKind.Auto)]
internal readonly unsafe struct Lanes256(Vector256<float> lower, Vector256<float> upper) : ILanes<Lanes256>
{
    public readonly Vector256<float> Lower = lower, Upper = upper;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes256 Load(float* p) => new(Vector256.Load(p), Vector256.Load(p + 8));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes256 LoadFirst(float* p, int count)
        => new(Avx.MaskLoad(p, FirstEight(count)), Avx.MaskLoad(p + 8, FirstEight(count - 8)));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Store(Lanes256 x, float* p)
    {
        Vector256.Store(x.Lower, p);
        Vector256.Store(x.Upper, p + 8);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void StoreFirst(Lanes256 x, float* p, int count)
    {
        Avx.MaskStore(p, FirstEight(count), x.Lower);
        Avx.MaskStore(p + 8, FirstEight(count - 8), x.Upper);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes256 LoadNarrow(ushort* p)
    {
        var (lower, upper) = Vector256.Widen(Vector256.Load(p));
        return new(lower.AsSingle(), upper.AsSingle());
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void StoreNarrow(Lanes256 x, ushort* p)
        => Vector256.Store(Vector256.Narrow(x.Lower.AsUInt32(), x.Upper.AsUInt32()), p);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes256 Broadcast(float x) => new(Vector256.Create(x), Vector256.Create(x));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes256 Bits(int x) => new(Vector256.Create(x).AsSingle(), Vector256.Create(x).AsSingle());

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes256 First(int count) => new(FirstEight(count), FirstEight(count - 8));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes256 operator +(Lanes256 a, Lanes256 b) => new(a.Lower + b.Lower, a.Upper + b.Upper);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes256 operator -(Lanes256 a, Lanes256 b) => new(a.Lower - b.Lower, a.Upper - b.Upper);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes256 operator *(Lanes256 a, Lanes256 b) => new(a.Lower * b.Lower, a.Upper * b.Upper);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes256 operator /(Lanes256 a, Lanes256 b) => new(a.Lower / b.Lower, a.Upper / b.Upper);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes256 Fma(Lanes256 a, Lanes256 b, Lanes256 c)
        => new(Vector256.FusedMultiplyAdd(a.Lower, b.Lower, c.Lower), Vector256.FusedMultiplyAdd(a.Upper, b.Upper, c.Upper));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes256 Sqrt(Lanes256 x) => new(Vector256.Sqrt(x.Lower), Vector256.Sqrt(x.Upper));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes256 Max(Lanes256 a, Lanes256 b) => new(Avx.Max(a.Lower, b.Lower), Avx.Max(a.Upper, b.Upper));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes256 Min(Lanes256 a, Lanes256 b) => new(Avx.Min(a.Lower, b.Lower), Avx.Min(a.Upper, b.Upper));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes256 GreaterThan(Lanes256 a, Lanes256 b)
        => new(Vector256.GreaterThan(a.Lower, b.Lower), Vector256.GreaterThan(a.Upper, b.Upper));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes256 EqualTo(Lanes256 a, Lanes256 b) => new(Vector256.Equals(a.Lower, b.Lower), Vector256.Equals(a.Upper, b.Upper));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes256 EqualBits(Lanes256 a, Lanes256 b)
        => new(
            Vector256.Equals(a.Lower.AsInt32(), b.Lower.AsInt32()).AsSingle(),
            Vector256.Equals(a.Upper.AsInt32(), b.Upper.AsInt32()).AsSingle());

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes256 GreaterInt(Lanes256 a, Lanes256 b)
        => new(
            Vector256.GreaterThan(a.Lower.AsInt32(), b.Lower.AsInt32()).AsSingle(),
            Vector256.GreaterThan(a.Upper.AsInt32(), b.Upper.AsInt32()).AsSingle());

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes256 Select(Lanes256 mask, Lanes256 a, Lanes256 b)
        => new(Vector256.ConditionalSelect(mask.Lower, a.Lower, b.Lower), Vector256.ConditionalSelect(mask.Upper, a.Upper, b.Upper));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes256 operator &(Lanes256 a, Lanes256 b) => new(a.Lower & b.Lower, a.Upper & b.Upper);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes256 operator |(Lanes256 a, Lanes256 b) => new(a.Lower | b.Lower, a.Upper | b.Upper);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes256 operator ^(Lanes256 a, Lanes256 b) => new(a.Lower ^ b.Lower, a.Upper ^ b.Upper);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes256 AddInt(Lanes256 a, Lanes256 b)
        => new((a.Lower.AsInt32() + b.Lower.AsInt32()).AsSingle(), (a.Upper.AsInt32() + b.Upper.AsInt32()).AsSingle());

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes256 SubtractInt(Lanes256 a, Lanes256 b)
        => new((a.Lower.AsInt32() - b.Lower.AsInt32()).AsSingle(), (a.Upper.AsInt32() - b.Upper.AsInt32()).AsSingle());

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes256 MultiplyInt(Lanes256 a, Lanes256 b)
        => new((a.Lower.AsInt32() * b.Lower.AsInt32()).AsSingle(), (a.Upper.AsInt32() * b.Upper.AsInt32()).AsSingle());

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes256 MultiplyHigh(Lanes256 a, Lanes256 b) => new(High(a.Lower, b.Lower), High(a.Upper, b.Upper));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes256 ShiftLeft(Lanes256 x, int bits)
        => new((x.Lower.AsInt32() << bits).AsSingle(), (x.Upper.AsInt32() << bits).AsSingle());

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes256 ShiftRight(Lanes256 x, int bits)
        => new((x.Lower.AsUInt32() >> bits).AsSingle(), (x.Upper.AsUInt32() >> bits).AsSingle());

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes256 ToSingle(Lanes256 integers)
        => new(Vector256.ConvertToSingle(integers.Lower.AsInt32()), Vector256.ConvertToSingle(integers.Upper.AsInt32()));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Transpose(ref Lanes256 a, ref Lanes256 b, ref Lanes256 c, ref Lanes256 d)
    {
        var (lower0, lower1, lower2, lower3) = Transpose(a.Lower, b.Lower, c.Lower, d.Lower);
        var (upper0, upper1, upper2, upper3) = Transpose(a.Upper, b.Upper, c.Upper, d.Upper);
        a = new(lower0, upper0);
        b = new(lower1, upper1);
        c = new(lower2, upper2);
        d = new(lower3, upper3);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes256 SwapPairs(Lanes256 x)
        => new(Avx.Permute(x.Lower, 0b10_11_00_01), Avx.Permute(x.Upper, 0b10_11_00_01));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static (Lanes256 Lower, Lanes256 Upper) Duplicate(Lanes256 x)
    {
        Vector256<float> low0 = Avx.UnpackLow(x.Lower, x.Lower), low1 = Avx.UnpackHigh(x.Lower, x.Lower),
            high0 = Avx.UnpackLow(x.Upper, x.Upper), high1 = Avx.UnpackHigh(x.Upper, x.Upper);
        return (new(Avx.Permute2x128(low0, low1, 0x20), Avx.Permute2x128(low0, low1, 0x31)),
            new(Avx.Permute2x128(high0, high1, 0x20), Avx.Permute2x128(high0, high1, 0x31)));
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static float Fold(Lanes256 x)
    {
        var eight = x.Lower + x.Upper;
        return Lanes128.FoldFour(eight.GetLower() + eight.GetUpper());
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static float FoldMax(Lanes256 x)
    {
        var eight = Avx.Max(x.Lower, x.Upper);
        return Lanes128.FoldMaxFour(Lanes128.Max(eight.GetLower(), eight.GetUpper()));
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static float Get(Lanes256 x, int lane) => lane < 8 ? x.Lower.GetElement(lane) : x.Upper.GetElement(lane - 8);

    // Products of the even lanes, and of the odd lanes moved down; then their upper halves.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector256<float> High(Vector256<float> a, Vector256<float> b)
    {
        Vector256<ulong> x = a.AsUInt64(), y = b.AsUInt64();
        var even = Avx2.Multiply(x.AsUInt32(), y.AsUInt32()) >> 32;
        var odd = Avx2.Multiply((x >> 32).AsUInt32(), (y >> 32).AsUInt32()) & Vector256.Create(0xffffffff00000000);
        return (even | odd).AsSingle();
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static (Vector256<float> A, Vector256<float> B, Vector256<float> C, Vector256<float> D) Transpose(
        Vector256<float> a, Vector256<float> b, Vector256<float> c, Vector256<float> d)
    {
        Vector256<double> ab0 = Avx.UnpackLow(a, b).AsDouble(), ab1 = Avx.UnpackHigh(a, b).AsDouble(),
            cd0 = Avx.UnpackLow(c, d).AsDouble(), cd1 = Avx.UnpackHigh(c, d).AsDouble();
        return (Avx.UnpackLow(ab0, cd0).AsSingle(), Avx.UnpackHigh(ab0, cd0).AsSingle(),
            Avx.UnpackLow(ab1, cd1).AsSingle(), Avx.UnpackHigh(ab1, cd1).AsSingle());
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector256<float> FirstEight(int count)
        => Vector256.LessThan(Vector256<int>.Indices, Vector256.Create(count)).AsSingle();
}

/// <summary>Sixteen lanes of fp64 in four registers of 256 bits.</summary>
[StructLayout(LayoutKind.Auto)]
internal readonly struct WideLanes256(Vector256<double> a, Vector256<double> b, Vector256<double> c, Vector256<double> d)
    : IWideLanes<WideLanes256, Lanes256>
{
    private readonly Vector256<double> _a = a, _b = b, _c = c, _d = d;

    public static WideLanes256 Zero => default;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static WideLanes256 Add(WideLanes256 sums, Lanes256 x)
    {
        var (a, b) = Vector256.Widen(x.Lower);
        var (c, d) = Vector256.Widen(x.Upper);
        return new(sums._a + a, sums._b + b, sums._c + c, sums._d + d);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static WideLanes256 AddSquares(WideLanes256 sums, Lanes256 x) => AddProducts(sums, x, x);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static WideLanes256 AddProducts(WideLanes256 sums, Lanes256 x, Lanes256 y)
    {
        var (a, b) = Vector256.Widen(x.Lower);
        var (c, d) = Vector256.Widen(x.Upper);
        var (e, f) = Vector256.Widen(y.Lower);
        var (g, h) = Vector256.Widen(y.Upper);
        return new(sums._a + a * e, sums._b + b * f, sums._c + c * g, sums._d + d * h);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static double Fold(WideLanes256 x)
    {
        var four = x._a + x._c + (x._b + x._d);
        var two = four.GetLower() + four.GetUpper();
        return two.GetElement(0) + two.GetElement(1);
    }
}
