using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;

namespace Elastic.Kernels;

/// <summary>Square blocks turned in registers: line i of the source becomes column i.</summary>
internal static unsafe class Transposition
{
    /// <summary>8 x 8: pairs, then fours, then halves change places.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Transpose8(float* source, nint stride, float* into, nint intoStride)
    {
        Quarter256(source, stride, out var p0, out var p1, out var p2, out var p3);
        Quarter256(source + 4 * stride, stride, out var q0, out var q1, out var q2, out var q3);
        Vector256.Store(Avx.Permute2x128(p0, q0, 0x20), into);
        Vector256.Store(Avx.Permute2x128(p1, q1, 0x20), into + intoStride);
        Vector256.Store(Avx.Permute2x128(p2, q2, 0x20), into + 2 * intoStride);
        Vector256.Store(Avx.Permute2x128(p3, q3, 0x20), into + 3 * intoStride);
        Vector256.Store(Avx.Permute2x128(p0, q0, 0x31), into + 4 * intoStride);
        Vector256.Store(Avx.Permute2x128(p1, q1, 0x31), into + 5 * intoStride);
        Vector256.Store(Avx.Permute2x128(p2, q2, 0x31), into + 6 * intoStride);
        Vector256.Store(Avx.Permute2x128(p3, q3, 0x31), into + 7 * intoStride);
    }

    /// <summary>16 x 16: pairs, fours, then blocks of four twice.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Transpose16(float* source, nint stride, float* into, nint intoStride)
    {
        // Of four lines each: column j of every block of four columns, side by side.
        Quarter512(source, stride, out var a0, out var a1, out var a2, out var a3);
        Quarter512(source + 4 * stride, stride, out var b0, out var b1, out var b2, out var b3);
        Quarter512(source + 8 * stride, stride, out var c0, out var c1, out var c2, out var c3);
        Quarter512(source + 12 * stride, stride, out var d0, out var d1, out var d2, out var d3);
        Columns(a0, b0, c0, d0, into, intoStride);
        Columns(a1, b1, c1, d1, into + intoStride, intoStride);
        Columns(a2, b2, c2, d2, into + 2 * intoStride, intoStride);
        Columns(a3, b3, c3, d3, into + 3 * intoStride, intoStride);
    }

    // Column j, j + 4, j + 8 and j + 12 of sixteen lines from their quarters.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Columns(Vector512<float> a, Vector512<float> b, Vector512<float> c, Vector512<float> d, float* into, nint stride)
    {
        const byte even = 0x88, odd = 0xdd;
        Vector512<float> ab0 = Avx512F.Shuffle4x128(a, b, even), ab1 = Avx512F.Shuffle4x128(a, b, odd),
            cd0 = Avx512F.Shuffle4x128(c, d, even), cd1 = Avx512F.Shuffle4x128(c, d, odd);
        Vector512.Store(Avx512F.Shuffle4x128(ab0, cd0, even), into);
        Vector512.Store(Avx512F.Shuffle4x128(ab1, cd1, even), into + 4 * stride);
        Vector512.Store(Avx512F.Shuffle4x128(ab0, cd0, odd), into + 8 * stride);
        Vector512.Store(Avx512F.Shuffle4x128(ab1, cd1, odd), into + 12 * stride);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Quarter512(float* source, nint stride, out Vector512<float> p0, out Vector512<float> p1, out Vector512<float> p2,
        out Vector512<float> p3)
    {
        Vector512<float> a = Vector512.Load(source), b = Vector512.Load(source + stride),
            c = Vector512.Load(source + 2 * stride), d = Vector512.Load(source + 3 * stride);
        Vector512<float> ab0 = Avx512F.UnpackLow(a, b), ab1 = Avx512F.UnpackHigh(a, b),
            cd0 = Avx512F.UnpackLow(c, d), cd1 = Avx512F.UnpackHigh(c, d);
        const byte low = 0x44, high = 0xee;
        (p0, p1) = (Avx512F.Shuffle(ab0, cd0, low), Avx512F.Shuffle(ab0, cd0, high));
        (p2, p3) = (Avx512F.Shuffle(ab1, cd1, low), Avx512F.Shuffle(ab1, cd1, high));
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Quarter256(float* source, nint stride, out Vector256<float> p0, out Vector256<float> p1, out Vector256<float> p2,
        out Vector256<float> p3)
    {
        Vector256<float> a = Vector256.Load(source), b = Vector256.Load(source + stride),
            c = Vector256.Load(source + 2 * stride), d = Vector256.Load(source + 3 * stride);
        Vector256<float> ab0 = Avx.UnpackLow(a, b), ab1 = Avx.UnpackHigh(a, b), cd0 = Avx.UnpackLow(c, d), cd1 = Avx.UnpackHigh(c, d);
        const byte low = 0x44, high = 0xee;
        (p0, p1) = (Avx.Shuffle(ab0, cd0, low), Avx.Shuffle(ab0, cd0, high));
        (p2, p3) = (Avx.Shuffle(ab1, cd1, low), Avx.Shuffle(ab1, cd1, high));
    }
}
