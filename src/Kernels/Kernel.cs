using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;

namespace Elastic.Kernels;

/// <summary>
/// The inner loop of <see cref="Gemm"/>: a tile of 8 x 32 of C stays in registers over the whole depth. Written out, because the compiler
/// keeps locals in registers, but not arrays. Both widths do the same operations on each element, so they give the same bits.
/// </summary>
internal static unsafe class Kernel
{
    /// <summary>The tile.</summary>
    public const int Rows = 8, Columns = 32;

    /// <summary>AVX2 and fused multiply-add: Intel since 2013, AMD since 2015.</summary>
    public static bool IsSupported => Avx2.IsSupported && Fma.IsSupported;

    /// <summary>A tile of C = strip panel (+ C) (+ bias).</summary>
    /// <param name="strip">Packed A: 8 elements for each step of depth.</param>
    /// <param name="panel">Packed B: 32 elements for each step of depth.</param>
    public static void Run(int depth, float* strip, float* panel, float* c, long stride, bool accumulate, float* bias)
    {
        if (Avx512F.IsSupported)
        {
            Run512(depth, strip, panel, c, stride, accumulate, bias);
            return;
        }
        for (var x = 0; x < Columns; x += 16)
        {
            for (var y = 0; y < Rows; y += 4)
                Run256(depth, strip + y, panel + x, c + y * stride + x, stride, accumulate, bias is null ? null : bias + x);
        }
    }

    // 8 x 32 in sixteen registers of sixteen floats.
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    internal static void Run512(int depth, float* a, float* b, float* c, long stride, bool accumulate, float* bias)
    {
        Vector512<float> l0 = Vector512<float>.Zero, l1 = Vector512<float>.Zero, l2 = Vector512<float>.Zero, l3 = Vector512<float>.Zero,
            l4 = Vector512<float>.Zero, l5 = Vector512<float>.Zero, l6 = Vector512<float>.Zero, l7 = Vector512<float>.Zero,
            r0 = Vector512<float>.Zero, r1 = Vector512<float>.Zero, r2 = Vector512<float>.Zero, r3 = Vector512<float>.Zero,
            r4 = Vector512<float>.Zero, r5 = Vector512<float>.Zero, r6 = Vector512<float>.Zero, r7 = Vector512<float>.Zero;
        for (var k = 0; k < depth; k++, a += Rows, b += Columns)
        {
            Vector512<float> left = Vector512.Load(b), right = Vector512.Load(b + 16), x;
            x = Vector512.Create(a[0]);
            l0 = Avx512F.FusedMultiplyAdd(x, left, l0);
            r0 = Avx512F.FusedMultiplyAdd(x, right, r0);
            x = Vector512.Create(a[1]);
            l1 = Avx512F.FusedMultiplyAdd(x, left, l1);
            r1 = Avx512F.FusedMultiplyAdd(x, right, r1);
            x = Vector512.Create(a[2]);
            l2 = Avx512F.FusedMultiplyAdd(x, left, l2);
            r2 = Avx512F.FusedMultiplyAdd(x, right, r2);
            x = Vector512.Create(a[3]);
            l3 = Avx512F.FusedMultiplyAdd(x, left, l3);
            r3 = Avx512F.FusedMultiplyAdd(x, right, r3);
            x = Vector512.Create(a[4]);
            l4 = Avx512F.FusedMultiplyAdd(x, left, l4);
            r4 = Avx512F.FusedMultiplyAdd(x, right, r4);
            x = Vector512.Create(a[5]);
            l5 = Avx512F.FusedMultiplyAdd(x, left, l5);
            r5 = Avx512F.FusedMultiplyAdd(x, right, r5);
            x = Vector512.Create(a[6]);
            l6 = Avx512F.FusedMultiplyAdd(x, left, l6);
            r6 = Avx512F.FusedMultiplyAdd(x, right, r6);
            x = Vector512.Create(a[7]);
            l7 = Avx512F.FusedMultiplyAdd(x, left, l7);
            r7 = Avx512F.FusedMultiplyAdd(x, right, r7);
        }
        Finish512(c, l0, r0, accumulate, bias);
        Finish512(c + stride, l1, r1, accumulate, bias);
        Finish512(c + 2 * stride, l2, r2, accumulate, bias);
        Finish512(c + 3 * stride, l3, r3, accumulate, bias);
        Finish512(c + 4 * stride, l4, r4, accumulate, bias);
        Finish512(c + 5 * stride, l5, r5, accumulate, bias);
        Finish512(c + 6 * stride, l6, r6, accumulate, bias);
        Finish512(c + 7 * stride, l7, r7, accumulate, bias);
    }

    // 4 x 16 in eight registers of eight floats: four of these make the tile.
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    internal static void Run256(int depth, float* a, float* b, float* c, long stride, bool accumulate, float* bias)
    {
        Vector256<float> l0 = Vector256<float>.Zero, l1 = Vector256<float>.Zero,
            l2 = Vector256<float>.Zero, l3 = Vector256<float>.Zero,
            r0 = Vector256<float>.Zero, r1 = Vector256<float>.Zero,
            r2 = Vector256<float>.Zero, r3 = Vector256<float>.Zero;
        for (var k = 0; k < depth; k++, a += Rows, b += Columns)
        {
            Vector256<float> left = Vector256.Load(b), right = Vector256.Load(b + 8), x;
            x = Vector256.Create(a[0]);
            l0 = Fma.MultiplyAdd(x, left, l0);
            r0 = Fma.MultiplyAdd(x, right, r0);
            x = Vector256.Create(a[1]);
            l1 = Fma.MultiplyAdd(x, left, l1);
            r1 = Fma.MultiplyAdd(x, right, r1);
            x = Vector256.Create(a[2]);
            l2 = Fma.MultiplyAdd(x, left, l2);
            r2 = Fma.MultiplyAdd(x, right, r2);
            x = Vector256.Create(a[3]);
            l3 = Fma.MultiplyAdd(x, left, l3);
            r3 = Fma.MultiplyAdd(x, right, r3);
        }
        Finish256(c, l0, r0, accumulate, bias);
        Finish256(c + stride, l1, r1, accumulate, bias);
        Finish256(c + 2 * stride, l2, r2, accumulate, bias);
        Finish256(c + 3 * stride, l3, r3, accumulate, bias);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Finish512(float* c, Vector512<float> left, Vector512<float> right, bool accumulate, float* bias)
    {
        if (accumulate)
            (left, right) = (Vector512.Load(c) + left, Vector512.Load(c + 16) + right);
        if (bias is not null)
            (left, right) = (left + Vector512.Load(bias), right + Vector512.Load(bias + 16));
        Vector512.Store(left, c);
        Vector512.Store(right, c + 16);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Finish256(float* c, Vector256<float> left, Vector256<float> right, bool accumulate, float* bias)
    {
        if (accumulate)
            (left, right) = (Vector256.Load(c) + left, Vector256.Load(c + 8) + right);
        if (bias is not null)
            (left, right) = (left + Vector256.Load(bias), right + Vector256.Load(bias + 8));
        Vector256.Store(left, c);
        Vector256.Store(right, c + 8);
    }
}
