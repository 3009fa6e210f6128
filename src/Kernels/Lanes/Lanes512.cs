using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;

namespace Elastic.Kernels;

/// <summary>Sixteen lanes in one register of 512 bits (AVX-512).</summary>
[StructLayout(LayoutKind.Auto)]
internal readonly unsafe struct Lanes512(Vector512<float> value) : ILanes<Lanes512>
{
    public readonly Vector512<float> Value = value;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes512 Load(float* p) => new(Vector512.Load(p));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes512 LoadFirst(float* p, int count)
        => new(Avx512F.MaskLoad(p, First(count).Value, Vector512<float>.Zero));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Store(Lanes512 x, float* p) => Vector512.Store(x.Value, p);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void StoreFirst(Lanes512 x, float* p, int count) => Avx512F.MaskStore(p, First(count).Value, x.Value);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes512 LoadNarrow(ushort* p) => new(Avx512F.ConvertToVector512Int32(Vector256.Load(p)).AsSingle());

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void StoreNarrow(Lanes512 x, ushort* p) => Vector256.Store(Avx512F.ConvertToVector256UInt16(x.Value.AsUInt32()), p);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes512 Broadcast(float x) => new(Vector512.Create(x));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes512 Bits(int x) => new(Vector512.Create(x).AsSingle());

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes512 First(int count)
        => new(Vector512.LessThan(Vector512<int>.Indices, Vector512.Create(count)).AsSingle());

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes512 operator +(Lanes512 a, Lanes512 b) => new(a.Value + b.Value);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes512 operator -(Lanes512 a, Lanes512 b) => new(a.Value - b.Value);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes512 operator *(Lanes512 a, Lanes512 b) => new(a.Value * b.Value);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes512 operator /(Lanes512 a, Lanes512 b) => new(a.Value / b.Value);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes512 Fma(Lanes512 a, Lanes512 b, Lanes512 c) => new(Vector512.FusedMultiplyAdd(a.Value, b.Value, c.Value));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes512 Sqrt(Lanes512 x) => new(Vector512.Sqrt(x.Value));

    // The instructions return the second operand where neither is larger.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes512 Max(Lanes512 a, Lanes512 b) => new(Avx512F.Max(a.Value, b.Value));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes512 Min(Lanes512 a, Lanes512 b) => new(Avx512F.Min(a.Value, b.Value));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes512 GreaterThan(Lanes512 a, Lanes512 b) => new(Vector512.GreaterThan(a.Value, b.Value));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes512 EqualTo(Lanes512 a, Lanes512 b) => new(Vector512.Equals(a.Value, b.Value));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes512 EqualBits(Lanes512 a, Lanes512 b)
        => new(Vector512.Equals(a.Value.AsInt32(), b.Value.AsInt32()).AsSingle());

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes512 GreaterInt(Lanes512 a, Lanes512 b)
        => new(Vector512.GreaterThan(a.Value.AsInt32(), b.Value.AsInt32()).AsSingle());

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes512 Select(Lanes512 mask, Lanes512 a, Lanes512 b)
        => new(Vector512.ConditionalSelect(mask.Value, a.Value, b.Value));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes512 operator &(Lanes512 a, Lanes512 b) => new(a.Value & b.Value);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes512 operator |(Lanes512 a, Lanes512 b) => new(a.Value | b.Value);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes512 operator ^(Lanes512 a, Lanes512 b) => new(a.Value ^ b.Value);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes512 AddInt(Lanes512 a, Lanes512 b) => new((a.Value.AsInt32() + b.Value.AsInt32()).AsSingle());

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes512 SubtractInt(Lanes512 a, Lanes512 b) => new((a.Value.AsInt32() - b.Value.AsInt32()).AsSingle());

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes512 MultiplyInt(Lanes512 a, Lanes512 b) => new((a.Value.AsInt32() * b.Value.AsInt32()).AsSingle());

    // Products of the even lanes, and of the odd lanes moved down; then their upper halves.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes512 MultiplyHigh(Lanes512 a, Lanes512 b)
    {
        Vector512<ulong> x = a.Value.AsUInt64(), y = b.Value.AsUInt64();
        var even = Avx512F.Multiply(x.AsUInt32(), y.AsUInt32()) >> 32;
        var odd = Avx512F.Multiply((x >> 32).AsUInt32(), (y >> 32).AsUInt32()) & Vector512.Create(0xffffffff00000000);
        return new((even | odd).AsSingle());
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes512 ShiftLeft(Lanes512 x, int bits) => new((x.Value.AsInt32() << bits).AsSingle());

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes512 ShiftRight(Lanes512 x, int bits) => new((x.Value.AsUInt32() >> bits).AsSingle());

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes512 ToSingle(Lanes512 integers) => new(Vector512.ConvertToSingle(integers.Value.AsInt32()));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Transpose(ref Lanes512 a, ref Lanes512 b, ref Lanes512 c, ref Lanes512 d)
    {
        Vector512<double> ab0 = Avx512F.UnpackLow(a.Value, b.Value).AsDouble(), ab1 = Avx512F.UnpackHigh(a.Value, b.Value).AsDouble(),
            cd0 = Avx512F.UnpackLow(c.Value, d.Value).AsDouble(), cd1 = Avx512F.UnpackHigh(c.Value, d.Value).AsDouble();
        a = new(Avx512F.UnpackLow(ab0, cd0).AsSingle());
        b = new(Avx512F.UnpackHigh(ab0, cd0).AsSingle());
        c = new(Avx512F.UnpackLow(ab1, cd1).AsSingle());
        d = new(Avx512F.UnpackHigh(ab1, cd1).AsSingle());
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes512 SwapPairs(Lanes512 x) => new(Avx512F.Permute4x32(x.Value, 0b10_11_00_01));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static (Lanes512 Lower, Lanes512 Upper) Duplicate(Lanes512 x)
    {
        var lower = Vector512.Create(0, 0, 1, 1, 2, 2, 3, 3, 4, 4, 5, 5, 6, 6, 7, 7);
        return (new(Avx512F.PermuteVar16x32(x.Value, lower)), new(Avx512F.PermuteVar16x32(x.Value, lower + Vector512.Create(8))));
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static float Fold(Lanes512 x) => Lanes128.FoldFour(Quarter(x.Value.GetLower() + x.Value.GetUpper()));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static float FoldMax(Lanes512 x)
    {
        var half = Avx.Max(x.Value.GetLower(), x.Value.GetUpper());
        return Lanes128.FoldMaxFour(Lanes128.Max(half.GetLower(), half.GetUpper()));
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static float Get(Lanes512 x, int lane) => x.Value.GetElement(lane);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector128<float> Quarter(Vector256<float> half) => half.GetLower() + half.GetUpper();
}

/// <summary>Sixteen lanes of fp64 in two registers of 512 bits.</summary>
[StructLayout(LayoutKind.Auto)]
internal readonly struct WideLanes512(Vector512<double> lower, Vector512<double> upper) : IWideLanes<WideLanes512, Lanes512>
{
    private readonly Vector512<double> _lower = lower, _upper = upper;

    public static WideLanes512 Zero => default;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static WideLanes512 Add(WideLanes512 sums, Lanes512 x)
    {
        var (lower, upper) = Vector512.Widen(x.Value);
        return new(sums._lower + lower, sums._upper + upper);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static WideLanes512 AddSquares(WideLanes512 sums, Lanes512 x)
    {
        var (lower, upper) = Vector512.Widen(x.Value);
        return new(sums._lower + lower * lower, sums._upper + upper * upper);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static WideLanes512 AddProducts(WideLanes512 sums, Lanes512 x, Lanes512 y)
    {
        var (lowerX, upperX) = Vector512.Widen(x.Value);
        var (lowerY, upperY) = Vector512.Widen(y.Value);
        return new(sums._lower + lowerX * lowerY, sums._upper + upperX * upperY);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static double Fold(WideLanes512 x)
    {
        var eight = x._lower + x._upper;
        var four = eight.GetLower() + eight.GetUpper();
        var two = four.GetLower() + four.GetUpper();
        return two.GetElement(0) + two.GetElement(1);
    }
}
