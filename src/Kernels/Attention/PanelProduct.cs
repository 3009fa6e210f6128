using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;

namespace Elastic.Kernels.Attention;

/// <summary>How the left factor of a product lies in its panel.</summary>
internal interface ILeftLayout
{
    /// <summary>From one row of the result to the next.</summary>
    static abstract int Row { get; }

    /// <summary>From one term of the sum to the next.</summary>
    static abstract int Depth { get; }
}

/// <summary>The panel's rows are the result's rows.</summary>
internal readonly struct ByRows : ILeftLayout
{
    public static int Row => Panel.Stride;

    public static int Depth => 1;
}

/// <summary>The panel's columns are the result's rows: its transpose is the left factor.</summary>
internal readonly struct ByColumns : ILeftLayout
{
    public static int Row => 1;

    public static int Depth => Panel.Stride;
}

/// <summary>
/// The small products inside attention: strips of a panel, C (rows, columns) = start + A (rows, depth) B (depth, columns). Each element is
/// one chain of fused multiply-adds in the order of depth, which goes on where an earlier product has left it; a tile of C stays in
/// registers over the depth. Written out, because the compiler keeps locals in registers, but not arrays.
/// </summary>
internal static unsafe class PanelProduct
{
    /// <summary>
    /// Rows of the strip that begins at row <paramref name="first"/> of a panel: 8 with 32 registers of 16 lanes; 6, whose twelve sums
    /// with AVX2 hide the latency, and 4 at the end; else 4.
    /// </summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static int RowsOf<T>(int first)
        => typeof(T) == typeof(Lanes512) ? 8 : typeof(T) == typeof(Lanes256) && first + 6 <= Panel.Rows ? 6 : 4;

    /// <summary>One strip, in place: chains go on from what C holds. Columns are rounded up to a multiple of 16.</summary>
    /// <param name="c">The strip's first row.</param>
    /// <param name="a">The strip's first row, at the first term.</param>
    /// <param name="b">Row 0 is the first term.</param>
    /// <param name="firstColumn">A multiple of 16.</param>
    /// <param name="factors">C's rows are multiplied by these before; null for none.</param>
    /// <param name="startsAtZero">C is overwritten: chains start from +0.</param>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Strip<T, TLeft>(
        int rows, float* c, float* a, float* b, int depth, int firstColumn, int endColumn, bool startsAtZero, float* factors = null)
        where T : struct, ILanes<T>
        where TLeft : struct, ILeftLayout
    {
        var column = firstColumn;
        while (column < endColumn)
        {
            float* target = c + column, right = b + column;
            if (typeof(T) == typeof(Lanes512) && column + 16 < endColumn)
            {
                Tile8x32<T, TLeft>(target, a, right, depth, startsAtZero, factors);
                column += 32;
                continue;
            }
            if (typeof(T) == typeof(Lanes512))
                Tile8x16<T, TLeft>(target, a, right, depth, startsAtZero, factors);
            else if (rows == 6)
                Tile6x16<TLeft>(target, a, right, depth, startsAtZero, factors);
            else
                Tile4x16<T, TLeft>(target, a, right, depth, startsAtZero, factors);
            column += 16;
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector256<float> Start256(float* c, bool startsAtZero, float* factors, int row)
    {
        if (startsAtZero)
            return Vector256<float>.Zero;
        var sum = Vector256.Load(c + row * Panel.Stride);
        return factors is null ? sum : sum * Vector256.Create(factors[row]);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static T Start<T>(float* c, bool startsAtZero, float* factors, int row)
        where T : struct, ILanes<T>
    {
        if (startsAtZero)
            return T.Broadcast(0);
        var sum = T.Load(c + row * Panel.Stride);
        return factors is null ? sum : sum * T.Broadcast(factors[row]);
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Tile8x32<T, TLeft>(float* c, float* a, float* b, int depth, bool startsAtZero, float* factors)
        where T : struct, ILanes<T>
        where TLeft : struct, ILeftLayout
    {
        T l0 = Start<T>(c, startsAtZero, factors, 0), r0 = Start<T>(c + 16, startsAtZero, factors, 0);
        T l1 = Start<T>(c, startsAtZero, factors, 1), r1 = Start<T>(c + 16, startsAtZero, factors, 1);
        T l2 = Start<T>(c, startsAtZero, factors, 2), r2 = Start<T>(c + 16, startsAtZero, factors, 2);
        T l3 = Start<T>(c, startsAtZero, factors, 3), r3 = Start<T>(c + 16, startsAtZero, factors, 3);
        T l4 = Start<T>(c, startsAtZero, factors, 4), r4 = Start<T>(c + 16, startsAtZero, factors, 4);
        T l5 = Start<T>(c, startsAtZero, factors, 5), r5 = Start<T>(c + 16, startsAtZero, factors, 5);
        T l6 = Start<T>(c, startsAtZero, factors, 6), r6 = Start<T>(c + 16, startsAtZero, factors, 6);
        T l7 = Start<T>(c, startsAtZero, factors, 7), r7 = Start<T>(c + 16, startsAtZero, factors, 7);
        for (var k = 0; k < depth; k++, a += TLeft.Depth, b += Panel.Stride)
        {
            T left = T.Load(b), right = T.Load(b + 16), x;
            x = T.Broadcast(a[0]);
            l0 = T.Fma(x, left, l0);
            r0 = T.Fma(x, right, r0);
            x = T.Broadcast(a[TLeft.Row]);
            l1 = T.Fma(x, left, l1);
            r1 = T.Fma(x, right, r1);
            x = T.Broadcast(a[2 * TLeft.Row]);
            l2 = T.Fma(x, left, l2);
            r2 = T.Fma(x, right, r2);
            x = T.Broadcast(a[3 * TLeft.Row]);
            l3 = T.Fma(x, left, l3);
            r3 = T.Fma(x, right, r3);
            x = T.Broadcast(a[4 * TLeft.Row]);
            l4 = T.Fma(x, left, l4);
            r4 = T.Fma(x, right, r4);
            x = T.Broadcast(a[5 * TLeft.Row]);
            l5 = T.Fma(x, left, l5);
            r5 = T.Fma(x, right, r5);
            x = T.Broadcast(a[6 * TLeft.Row]);
            l6 = T.Fma(x, left, l6);
            r6 = T.Fma(x, right, r6);
            x = T.Broadcast(a[7 * TLeft.Row]);
            l7 = T.Fma(x, left, l7);
            r7 = T.Fma(x, right, r7);
        }
        T.Store(l0, c);
        T.Store(r0, c + 16);
        T.Store(l1, c + Panel.Stride);
        T.Store(r1, c + Panel.Stride + 16);
        T.Store(l2, c + 2 * Panel.Stride);
        T.Store(r2, c + 2 * Panel.Stride + 16);
        T.Store(l3, c + 3 * Panel.Stride);
        T.Store(r3, c + 3 * Panel.Stride + 16);
        T.Store(l4, c + 4 * Panel.Stride);
        T.Store(r4, c + 4 * Panel.Stride + 16);
        T.Store(l5, c + 5 * Panel.Stride);
        T.Store(r5, c + 5 * Panel.Stride + 16);
        T.Store(l6, c + 6 * Panel.Stride);
        T.Store(r6, c + 6 * Panel.Stride + 16);
        T.Store(l7, c + 7 * Panel.Stride);
        T.Store(r7, c + 7 * Panel.Stride + 16);
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Tile8x16<T, TLeft>(float* c, float* a, float* b, int depth, bool startsAtZero, float* factors)
        where T : struct, ILanes<T>
        where TLeft : struct, ILeftLayout
    {
        var l0 = Start<T>(c, startsAtZero, factors, 0);
        var l1 = Start<T>(c, startsAtZero, factors, 1);
        var l2 = Start<T>(c, startsAtZero, factors, 2);
        var l3 = Start<T>(c, startsAtZero, factors, 3);
        var l4 = Start<T>(c, startsAtZero, factors, 4);
        var l5 = Start<T>(c, startsAtZero, factors, 5);
        var l6 = Start<T>(c, startsAtZero, factors, 6);
        var l7 = Start<T>(c, startsAtZero, factors, 7);
        for (var k = 0; k < depth; k++, a += TLeft.Depth, b += Panel.Stride)
        {
            var left = T.Load(b);
            l0 = T.Fma(T.Broadcast(a[0]), left, l0);
            l1 = T.Fma(T.Broadcast(a[TLeft.Row]), left, l1);
            l2 = T.Fma(T.Broadcast(a[2 * TLeft.Row]), left, l2);
            l3 = T.Fma(T.Broadcast(a[3 * TLeft.Row]), left, l3);
            l4 = T.Fma(T.Broadcast(a[4 * TLeft.Row]), left, l4);
            l5 = T.Fma(T.Broadcast(a[5 * TLeft.Row]), left, l5);
            l6 = T.Fma(T.Broadcast(a[6 * TLeft.Row]), left, l6);
            l7 = T.Fma(T.Broadcast(a[7 * TLeft.Row]), left, l7);
        }
        T.Store(l0, c);
        T.Store(l1, c + Panel.Stride);
        T.Store(l2, c + 2 * Panel.Stride);
        T.Store(l3, c + 3 * Panel.Stride);
        T.Store(l4, c + 4 * Panel.Stride);
        T.Store(l5, c + 5 * Panel.Stride);
        T.Store(l6, c + 6 * Panel.Stride);
        T.Store(l7, c + 7 * Panel.Stride);
    }

    // In terms of registers: through the lanes' struct the compiler moves every sum once more than needed.
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Tile6x16<TLeft>(float* c, float* a, float* b, int depth, bool startsAtZero, float* factors)
        where TLeft : struct, ILeftLayout
    {
        Vector256<float> l0 = Start256(c, startsAtZero, factors, 0), r0 = Start256(c + 8, startsAtZero, factors, 0);
        Vector256<float> l1 = Start256(c, startsAtZero, factors, 1), r1 = Start256(c + 8, startsAtZero, factors, 1);
        Vector256<float> l2 = Start256(c, startsAtZero, factors, 2), r2 = Start256(c + 8, startsAtZero, factors, 2);
        Vector256<float> l3 = Start256(c, startsAtZero, factors, 3), r3 = Start256(c + 8, startsAtZero, factors, 3);
        Vector256<float> l4 = Start256(c, startsAtZero, factors, 4), r4 = Start256(c + 8, startsAtZero, factors, 4);
        Vector256<float> l5 = Start256(c, startsAtZero, factors, 5), r5 = Start256(c + 8, startsAtZero, factors, 5);
        for (var k = 0; k < depth; k++, a += TLeft.Depth, b += Panel.Stride)
        {
            Vector256<float> left = Vector256.Load(b), right = Vector256.Load(b + 8), x;
            x = Avx.BroadcastScalarToVector256(a);
            l0 = Fma.MultiplyAdd(left, x, l0);
            r0 = Fma.MultiplyAdd(right, x, r0);
            x = Avx.BroadcastScalarToVector256(a + TLeft.Row);
            l1 = Fma.MultiplyAdd(left, x, l1);
            r1 = Fma.MultiplyAdd(right, x, r1);
            x = Avx.BroadcastScalarToVector256(a + 2 * TLeft.Row);
            l2 = Fma.MultiplyAdd(left, x, l2);
            r2 = Fma.MultiplyAdd(right, x, r2);
            x = Avx.BroadcastScalarToVector256(a + 3 * TLeft.Row);
            l3 = Fma.MultiplyAdd(left, x, l3);
            r3 = Fma.MultiplyAdd(right, x, r3);
            x = Avx.BroadcastScalarToVector256(a + 4 * TLeft.Row);
            l4 = Fma.MultiplyAdd(left, x, l4);
            r4 = Fma.MultiplyAdd(right, x, r4);
            x = Avx.BroadcastScalarToVector256(a + 5 * TLeft.Row);
            l5 = Fma.MultiplyAdd(left, x, l5);
            r5 = Fma.MultiplyAdd(right, x, r5);
        }
        Vector256.Store(l0, c);
        Vector256.Store(r0, c + 8);
        Vector256.Store(l1, c + Panel.Stride);
        Vector256.Store(r1, c + Panel.Stride + 8);
        Vector256.Store(l2, c + 2 * Panel.Stride);
        Vector256.Store(r2, c + 2 * Panel.Stride + 8);
        Vector256.Store(l3, c + 3 * Panel.Stride);
        Vector256.Store(r3, c + 3 * Panel.Stride + 8);
        Vector256.Store(l4, c + 4 * Panel.Stride);
        Vector256.Store(r4, c + 4 * Panel.Stride + 8);
        Vector256.Store(l5, c + 5 * Panel.Stride);
        Vector256.Store(r5, c + 5 * Panel.Stride + 8);
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Tile4x16<T, TLeft>(float* c, float* a, float* b, int depth, bool startsAtZero, float* factors)
        where T : struct, ILanes<T>
        where TLeft : struct, ILeftLayout
    {
        var l0 = Start<T>(c, startsAtZero, factors, 0);
        var l1 = Start<T>(c, startsAtZero, factors, 1);
        var l2 = Start<T>(c, startsAtZero, factors, 2);
        var l3 = Start<T>(c, startsAtZero, factors, 3);
        for (var k = 0; k < depth; k++, a += TLeft.Depth, b += Panel.Stride)
        {
            T left = T.Load(b);
            l0 = T.Fma(T.Broadcast(a[0]), left, l0);
            l1 = T.Fma(T.Broadcast(a[TLeft.Row]), left, l1);
            l2 = T.Fma(T.Broadcast(a[2 * TLeft.Row]), left, l2);
            l3 = T.Fma(T.Broadcast(a[3 * TLeft.Row]), left, l3);
        }
        T.Store(l0, c);
        T.Store(l1, c + Panel.Stride);
        T.Store(l2, c + 2 * Panel.Stride);
        T.Store(l3, c + 3 * Panel.Stride);
    }
}
