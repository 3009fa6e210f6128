using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.Arm;
using System.Runtime.Intrinsics.X86;

namespace Elastic.Kernels;

/// <summary>Sixteen lanes in four registers of 128 bits (NEON; SSE).</summary>
[StructLayout(LayoutKind.Auto)]
internal readonly unsafe struct Lanes128(Vector128<float> a, Vector128<float> b, Vector128<float> c, Vector128<float> d) : ILanes<Lanes128>
{
    public readonly Vector128<float> A = a, B = b, C = c, D = d;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes128 Load(float* p) => new(Vector128.Load(p), Vector128.Load(p + 4), Vector128.Load(p + 8), Vector128.Load(p + 12));

    public static Lanes128 LoadFirst(float* p, int count)
    {
        if (count is 0 or 16)
            return count == 0 ? default : Load(p);
        var copy = stackalloc float[16];
        for (var i = 0; i < 16; i++)
            copy[i] = i < count ? p[i] : 0;
        return Load(copy);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Store(Lanes128 x, float* p)
    {
        Vector128.Store(x.A, p);
        Vector128.Store(x.B, p + 4);
        Vector128.Store(x.C, p + 8);
        Vector128.Store(x.D, p + 12);
    }

    public static void StoreFirst(Lanes128 x, float* p, int count)
    {
        if (count == 16)
        {
            Store(x, p);
            return;
        }
        var copy = stackalloc float[16];
        Store(x, copy);
        for (var i = 0; i < count; i++)
            p[i] = copy[i];
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes128 LoadNarrow(ushort* p)
    {
        var (a, b) = Vector128.Widen(Vector128.Load(p));
        var (c, d) = Vector128.Widen(Vector128.Load(p + 8));
        return new(a.AsSingle(), b.AsSingle(), c.AsSingle(), d.AsSingle());
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void StoreNarrow(Lanes128 x, ushort* p)
    {
        Vector128.Store(Vector128.Narrow(x.A.AsUInt32(), x.B.AsUInt32()), p);
        Vector128.Store(Vector128.Narrow(x.C.AsUInt32(), x.D.AsUInt32()), p + 8);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes128 Broadcast(float x)
    {
        var all = Vector128.Create(x);
        return new(all, all, all, all);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes128 Bits(int x)
    {
        var all = Vector128.Create(x).AsSingle();
        return new(all, all, all, all);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes128 First(int count)
        => new(FirstFour(count), FirstFour(count - 4), FirstFour(count - 8), FirstFour(count - 12));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes128 operator +(Lanes128 a, Lanes128 b) => new(a.A + b.A, a.B + b.B, a.C + b.C, a.D + b.D);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes128 operator -(Lanes128 a, Lanes128 b) => new(a.A - b.A, a.B - b.B, a.C - b.C, a.D - b.D);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes128 operator *(Lanes128 a, Lanes128 b) => new(a.A * b.A, a.B * b.B, a.C * b.C, a.D * b.D);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes128 operator /(Lanes128 a, Lanes128 b) => new(a.A / b.A, a.B / b.B, a.C / b.C, a.D / b.D);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes128 Fma(Lanes128 a, Lanes128 b, Lanes128 c)
        => new(
            Vector128.FusedMultiplyAdd(a.A, b.A, c.A), Vector128.FusedMultiplyAdd(a.B, b.B, c.B),
            Vector128.FusedMultiplyAdd(a.C, b.C, c.C), Vector128.FusedMultiplyAdd(a.D, b.D, c.D));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes128 Sqrt(Lanes128 x) => new(Vector128.Sqrt(x.A), Vector128.Sqrt(x.B), Vector128.Sqrt(x.C), Vector128.Sqrt(x.D));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes128 Max(Lanes128 a, Lanes128 b) => new(Max(a.A, b.A), Max(a.B, b.B), Max(a.C, b.C), Max(a.D, b.D));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes128 Min(Lanes128 a, Lanes128 b) => new(Min(a.A, b.A), Min(a.B, b.B), Min(a.C, b.C), Min(a.D, b.D));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes128 GreaterThan(Lanes128 a, Lanes128 b)
        => new(
            Vector128.GreaterThan(a.A, b.A), Vector128.GreaterThan(a.B, b.B), Vector128.GreaterThan(a.C, b.C),
            Vector128.GreaterThan(a.D, b.D));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes128 EqualTo(Lanes128 a, Lanes128 b)
        => new(Vector128.Equals(a.A, b.A), Vector128.Equals(a.B, b.B), Vector128.Equals(a.C, b.C), Vector128.Equals(a.D, b.D));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes128 EqualBits(Lanes128 a, Lanes128 b)
        => new(
            Vector128.Equals(a.A.AsInt32(), b.A.AsInt32()).AsSingle(), Vector128.Equals(a.B.AsInt32(), b.B.AsInt32()).AsSingle(),
            Vector128.Equals(a.C.AsInt32(), b.C.AsInt32()).AsSingle(), Vector128.Equals(a.D.AsInt32(), b.D.AsInt32()).AsSingle());

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes128 GreaterInt(Lanes128 a, Lanes128 b)
        => new(
            Vector128.GreaterThan(a.A.AsInt32(), b.A.AsInt32()).AsSingle(),
            Vector128.GreaterThan(a.B.AsInt32(), b.B.AsInt32()).AsSingle(),
            Vector128.GreaterThan(a.C.AsInt32(), b.C.AsInt32()).AsSingle(),
            Vector128.GreaterThan(a.D.AsInt32(), b.D.AsInt32()).AsSingle());

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes128 Select(Lanes128 mask, Lanes128 a, Lanes128 b)
        => new(
            Vector128.ConditionalSelect(mask.A, a.A, b.A), Vector128.ConditionalSelect(mask.B, a.B, b.B),
            Vector128.ConditionalSelect(mask.C, a.C, b.C), Vector128.ConditionalSelect(mask.D, a.D, b.D));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes128 operator &(Lanes128 a, Lanes128 b) => new(a.A & b.A, a.B & b.B, a.C & b.C, a.D & b.D);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes128 operator |(Lanes128 a, Lanes128 b) => new(a.A | b.A, a.B | b.B, a.C | b.C, a.D | b.D);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes128 operator ^(Lanes128 a, Lanes128 b) => new(a.A ^ b.A, a.B ^ b.B, a.C ^ b.C, a.D ^ b.D);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes128 AddInt(Lanes128 a, Lanes128 b)
        => new(
            (a.A.AsInt32() + b.A.AsInt32()).AsSingle(), (a.B.AsInt32() + b.B.AsInt32()).AsSingle(),
            (a.C.AsInt32() + b.C.AsInt32()).AsSingle(), (a.D.AsInt32() + b.D.AsInt32()).AsSingle());

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes128 SubtractInt(Lanes128 a, Lanes128 b)
        => new(
            (a.A.AsInt32() - b.A.AsInt32()).AsSingle(), (a.B.AsInt32() - b.B.AsInt32()).AsSingle(),
            (a.C.AsInt32() - b.C.AsInt32()).AsSingle(), (a.D.AsInt32() - b.D.AsInt32()).AsSingle());

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes128 MultiplyInt(Lanes128 a, Lanes128 b)
        => new(
            (a.A.AsInt32() * b.A.AsInt32()).AsSingle(), (a.B.AsInt32() * b.B.AsInt32()).AsSingle(),
            (a.C.AsInt32() * b.C.AsInt32()).AsSingle(), (a.D.AsInt32() * b.D.AsInt32()).AsSingle());

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes128 MultiplyHigh(Lanes128 a, Lanes128 b) => new(High(a.A, b.A), High(a.B, b.B), High(a.C, b.C), High(a.D, b.D));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes128 ShiftLeft(Lanes128 x, int bits)
        => new(

            (x.A.AsInt32() << bits).AsSingle(), (x.B.AsInt32() << bits).AsSingle(), (x.C.AsInt32() << bits).AsSingle(),
            (x.D.AsInt32() << bits).AsSingle());

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes128 ShiftRight(Lanes128 x, int bits)
        => new(

            (x.A.AsUInt32() >> bits).AsSingle(), (x.B.AsUInt32() >> bits).AsSingle(), (x.C.AsUInt32() >> bits).AsSingle(),
            (x.D.AsUInt32() >> bits).AsSingle());

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes128 ToSingle(Lanes128 integers)
        => new(
            Vector128.ConvertToSingle(integers.A.AsInt32()), Vector128.ConvertToSingle(integers.B.AsInt32()),
            Vector128.ConvertToSingle(integers.C.AsInt32()), Vector128.ConvertToSingle(integers.D.AsInt32()));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Transpose(ref Lanes128 a, ref Lanes128 b, ref Lanes128 c, ref Lanes128 d)
    {
        var (a0, a1, a2, a3) = Transpose(a.A, b.A, c.A, d.A);
        var (b0, b1, b2, b3) = Transpose(a.B, b.B, c.B, d.B);
        var (c0, c1, c2, c3) = Transpose(a.C, b.C, c.C, d.C);
        var (d0, d1, d2, d3) = Transpose(a.D, b.D, c.D, d.D);
        a = new(a0, b0, c0, d0);
        b = new(a1, b1, c1, d1);
        c = new(a2, b2, c2, d2);
        d = new(a3, b3, c3, d3);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes128 SwapPairs(Lanes128 x) => new(Swap(x.A), Swap(x.B), Swap(x.C), Swap(x.D));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static (Lanes128 Lower, Lanes128 Upper) Duplicate(Lanes128 x)
    {
        var (a, b) = Interleave(x.A, x.A);
        var (c, d) = Interleave(x.B, x.B);
        var (e, f) = Interleave(x.C, x.C);
        var (g, h) = Interleave(x.D, x.D);
        return (new(a, b, c, d), new(e, f, g, h));
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static float Fold(Lanes128 x) => FoldFour(x.A + x.C + (x.B + x.D));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static float FoldMax(Lanes128 x) => FoldMaxFour(Max(Max(x.A, x.C), Max(x.B, x.D)));

    public static float Get(Lanes128 x, int lane) => (lane >> 2) switch
    {
        0 => x.A.GetElement(lane & 3),
        1 => x.B.GetElement(lane & 3),
        2 => x.C.GetElement(lane & 3),
        _ => x.D.GetElement(lane & 3),
    };

    /// <summary>(x0 + x2) + (x1 + x3)</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static float FoldFour(Vector128<float> x) => x.GetElement(0) + x.GetElement(2) + (x.GetElement(1) + x.GetElement(3));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static float FoldMaxFour(Vector128<float> x)
    {
        var (even, odd) = (Max(x.GetElement(0), x.GetElement(2)), Max(x.GetElement(1), x.GetElement(3)));
        return Max(even, odd);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<float> Max(Vector128<float> a, Vector128<float> b)
        => Sse.IsSupported ? Sse.Max(a, b) : Vector128.ConditionalSelect(Vector128.GreaterThan(a, b), a, b);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<float> Min(Vector128<float> a, Vector128<float> b)
        => Sse.IsSupported ? Sse.Min(a, b) : Vector128.ConditionalSelect(Vector128.LessThan(a, b), a, b);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static float Max(float a, float b) => a > b ? a : b;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector128<float> High(Vector128<float> a, Vector128<float> b)
    {
        Vector128<uint> x = a.AsUInt32(), y = b.AsUInt32();
        if (Sse2.IsSupported)
        {
            // Products of the even lanes, and of the odd lanes moved down; then their upper halves.
            var even = Sse2.Multiply(x, y) >> 32;
            var odd = Sse2.Multiply((x.AsUInt64() >> 32).AsUInt32(), (y.AsUInt64() >> 32).AsUInt32());
            return (even | odd & Vector128.Create(0xffffffff00000000)).AsSingle();
        }
        if (AdvSimd.Arm64.IsSupported)
        {
            var lower = AdvSimd.MultiplyWideningLower(x.GetLower(), y.GetLower());
            var upper = AdvSimd.MultiplyWideningUpper(x, y);
            return AdvSimd.Arm64.UnzipOdd(lower.AsSingle(), upper.AsSingle());
        }
        var high = Vector128<uint>.Zero;
        for (var i = 0; i < 4; i++)
            high = high.WithElement(i, (uint)((ulong)x.GetElement(i) * y.GetElement(i) >> 32));
        return high.AsSingle();
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static (Vector128<float> A, Vector128<float> B, Vector128<float> C, Vector128<float> D) Transpose(
        Vector128<float> a, Vector128<float> b, Vector128<float> c, Vector128<float> d)
    {
        var (ab0, ab1) = Interleave(a, b);
        var (cd0, cd1) = Interleave(c, d);
        return (Vector128.Create(ab0.GetLower(), cd0.GetLower()), Vector128.Create(ab0.GetUpper(), cd0.GetUpper()),
            Vector128.Create(ab1.GetLower(), cd1.GetLower()), Vector128.Create(ab1.GetUpper(), cd1.GetUpper()));
    }

    // (a0, b0, a1, b1) and (a2, b2, a3, b3).
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static (Vector128<float> Lower, Vector128<float> Upper) Interleave(Vector128<float> a, Vector128<float> b)
    {
        if (Sse.IsSupported)
            return (Sse.UnpackLow(a, b), Sse.UnpackHigh(a, b));
        if (AdvSimd.Arm64.IsSupported)
            return (AdvSimd.Arm64.ZipLow(a, b), AdvSimd.Arm64.ZipHigh(a, b));
        return (Vector128.Create(a.GetElement(0), b.GetElement(0), a.GetElement(1), b.GetElement(1)),
            Vector128.Create(a.GetElement(2), b.GetElement(2), a.GetElement(3), b.GetElement(3)));
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector128<float> FirstFour(int count)
        => Vector128.LessThan(Vector128.Create(0, 1, 2, 3), Vector128.Create(count)).AsSingle();

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector128<float> Swap(Vector128<float> x) => Vector128.Shuffle(x, Vector128.Create(1, 0, 3, 2));
}
