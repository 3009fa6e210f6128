using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;

namespace Elastic.Kernels;

/// <summary>6 x 16 in twelve registers of eight floats (AVX2 and FMA): Intel since 2013, AMD since 2015.</summary>
internal readonly unsafe struct TileKernel256 : ITileKernel
{
    private const int TileRows = 6, TileColumns = 16, Half = 8;

    public static int Rows => TileRows;

    public static int Columns => TileColumns;

    public static bool IsSupported => Avx2.IsSupported && Fma.IsSupported;

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Run(in Tile tile)
    {
        var (stride, last) = (tile.RowStride, (nint)tile.Rows - 1);
        float* a0 = tile.A, a1 = a0 + Math.Min(1, last) * stride, a2 = a0 + Math.Min(2, last) * stride,
            a3 = a0 + Math.Min(3, last) * stride, a4 = a0 + Math.Min(4, last) * stride,
            a5 = a0 + Math.Min(5, last) * stride;
        var b = tile.B;
        Vector256<float> l0 = Vector256<float>.Zero, r0 = l0, l1 = l0, r1 = l0, l2 = l0, r2 = l0, l3 = l0, r3 = l0, l4 = l0,
            r4 = l0, l5 = l0, r5 = l0;
        if (tile.Start is not null)
        {
            var start = tile.Start;
            (l0, r0) = (Vector256.Load(start + 0 * TileColumns), Vector256.Load(start + 0 * TileColumns + Half));
            (l1, r1) = (Vector256.Load(start + 1 * TileColumns), Vector256.Load(start + 1 * TileColumns + Half));
            (l2, r2) = (Vector256.Load(start + 2 * TileColumns), Vector256.Load(start + 2 * TileColumns + Half));
            (l3, r3) = (Vector256.Load(start + 3 * TileColumns), Vector256.Load(start + 3 * TileColumns + Half));
            (l4, r4) = (Vector256.Load(start + 4 * TileColumns), Vector256.Load(start + 4 * TileColumns + Half));
            (l5, r5) = (Vector256.Load(start + 5 * TileColumns), Vector256.Load(start + 5 * TileColumns + Half));
        }
        nint at = 0;
        var step = tile.Step;
        var end = b + (nint)tile.Depth * TileColumns;
        for (; b + 3 * TileColumns < end; b += 4 * TileColumns, at += step)
        {
            Vector256<float> left = Vector256.Load(b), right = Vector256.Load(b + Half), x;
            x = Vector256.Create(a0[at]);
            l0 = Fma.MultiplyAdd(x, left, l0);
            r0 = Fma.MultiplyAdd(x, right, r0);
            x = Vector256.Create(a1[at]);
            l1 = Fma.MultiplyAdd(x, left, l1);
            r1 = Fma.MultiplyAdd(x, right, r1);
            x = Vector256.Create(a2[at]);
            l2 = Fma.MultiplyAdd(x, left, l2);
            r2 = Fma.MultiplyAdd(x, right, r2);
            x = Vector256.Create(a3[at]);
            l3 = Fma.MultiplyAdd(x, left, l3);
            r3 = Fma.MultiplyAdd(x, right, r3);
            x = Vector256.Create(a4[at]);
            l4 = Fma.MultiplyAdd(x, left, l4);
            r4 = Fma.MultiplyAdd(x, right, r4);
            x = Vector256.Create(a5[at]);
            l5 = Fma.MultiplyAdd(x, left, l5);
            r5 = Fma.MultiplyAdd(x, right, r5);
            (left, right) = (Vector256.Load(b + TileColumns), Vector256.Load(b + TileColumns + Half));
            at += step;
            x = Vector256.Create(a0[at]);
            l0 = Fma.MultiplyAdd(x, left, l0);
            r0 = Fma.MultiplyAdd(x, right, r0);
            x = Vector256.Create(a1[at]);
            l1 = Fma.MultiplyAdd(x, left, l1);
            r1 = Fma.MultiplyAdd(x, right, r1);
            x = Vector256.Create(a2[at]);
            l2 = Fma.MultiplyAdd(x, left, l2);
            r2 = Fma.MultiplyAdd(x, right, r2);
            x = Vector256.Create(a3[at]);
            l3 = Fma.MultiplyAdd(x, left, l3);
            r3 = Fma.MultiplyAdd(x, right, r3);
            x = Vector256.Create(a4[at]);
            l4 = Fma.MultiplyAdd(x, left, l4);
            r4 = Fma.MultiplyAdd(x, right, r4);
            x = Vector256.Create(a5[at]);
            l5 = Fma.MultiplyAdd(x, left, l5);
            r5 = Fma.MultiplyAdd(x, right, r5);
            (left, right) = (Vector256.Load(b + 2 * TileColumns), Vector256.Load(b + 2 * TileColumns + Half));
            at += step;
            x = Vector256.Create(a0[at]);
            l0 = Fma.MultiplyAdd(x, left, l0);
            r0 = Fma.MultiplyAdd(x, right, r0);
            x = Vector256.Create(a1[at]);
            l1 = Fma.MultiplyAdd(x, left, l1);
            r1 = Fma.MultiplyAdd(x, right, r1);
            x = Vector256.Create(a2[at]);
            l2 = Fma.MultiplyAdd(x, left, l2);
            r2 = Fma.MultiplyAdd(x, right, r2);
            x = Vector256.Create(a3[at]);
            l3 = Fma.MultiplyAdd(x, left, l3);
            r3 = Fma.MultiplyAdd(x, right, r3);
            x = Vector256.Create(a4[at]);
            l4 = Fma.MultiplyAdd(x, left, l4);
            r4 = Fma.MultiplyAdd(x, right, r4);
            x = Vector256.Create(a5[at]);
            l5 = Fma.MultiplyAdd(x, left, l5);
            r5 = Fma.MultiplyAdd(x, right, r5);
            (left, right) = (Vector256.Load(b + 3 * TileColumns), Vector256.Load(b + 3 * TileColumns + Half));
            at += step;
            x = Vector256.Create(a0[at]);
            l0 = Fma.MultiplyAdd(x, left, l0);
            r0 = Fma.MultiplyAdd(x, right, r0);
            x = Vector256.Create(a1[at]);
            l1 = Fma.MultiplyAdd(x, left, l1);
            r1 = Fma.MultiplyAdd(x, right, r1);
            x = Vector256.Create(a2[at]);
            l2 = Fma.MultiplyAdd(x, left, l2);
            r2 = Fma.MultiplyAdd(x, right, r2);
            x = Vector256.Create(a3[at]);
            l3 = Fma.MultiplyAdd(x, left, l3);
            r3 = Fma.MultiplyAdd(x, right, r3);
            x = Vector256.Create(a4[at]);
            l4 = Fma.MultiplyAdd(x, left, l4);
            r4 = Fma.MultiplyAdd(x, right, r4);
            x = Vector256.Create(a5[at]);
            l5 = Fma.MultiplyAdd(x, left, l5);
            r5 = Fma.MultiplyAdd(x, right, r5);
        }
        for (; b < end; b += TileColumns, at += step)
        {
            Vector256<float> left = Vector256.Load(b), right = Vector256.Load(b + Half), x;
            x = Vector256.Create(a0[at]);
            l0 = Fma.MultiplyAdd(x, left, l0);
            r0 = Fma.MultiplyAdd(x, right, r0);
            x = Vector256.Create(a1[at]);
            l1 = Fma.MultiplyAdd(x, left, l1);
            r1 = Fma.MultiplyAdd(x, right, r1);
            x = Vector256.Create(a2[at]);
            l2 = Fma.MultiplyAdd(x, left, l2);
            r2 = Fma.MultiplyAdd(x, right, r2);
            x = Vector256.Create(a3[at]);
            l3 = Fma.MultiplyAdd(x, left, l3);
            r3 = Fma.MultiplyAdd(x, right, r3);
            x = Vector256.Create(a4[at]);
            l4 = Fma.MultiplyAdd(x, left, l4);
            r4 = Fma.MultiplyAdd(x, right, r4);
            x = Vector256.Create(a5[at]);
            l5 = Fma.MultiplyAdd(x, left, l5);
            r5 = Fma.MultiplyAdd(x, right, r5);
        }
        Finish(tile, 0, l0, r0);
        Finish(tile, 1, l1, r1);
        Finish(tile, 2, l2, r2);
        Finish(tile, 3, l3, r3);
        Finish(tile, 4, l4, r4);
        Finish(tile, 5, l5, r5);
    }

    public static void Transpose(float* source, nint lineStride, int lines, int depth, float* into)
    {
        // Eight lines at a time, eight k of them; what is left over goes one by one.
        var whole = lines == TileColumns ? depth / Half * Half : 0;
        for (var k = 0; k < whole; k += Half)
        {
            Transposition.Transpose8(source + k, lineStride, into + (nint)k * TileColumns, TileColumns);
            Transposition.Transpose8(source + Half * lineStride + k, lineStride, into + (nint)k * TileColumns + Half, TileColumns);
        }
        PanelPacking.Transpose(source, lineStride, lines, depth, TileColumns, whole, into);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Finish(in Tile tile, nint row, Vector256<float> left, Vector256<float> right)
    {
        var fold = tile.Folds + row * TileColumns;
        for (var f = tile.FoldCount; f > 0; f--, fold -= TileRows * TileColumns)
            (left, right) = (Vector256.Load(fold) + left, Vector256.Load(fold + Half) + right);
        var into = tile.Into + row * tile.IntoStride;
        if (tile.Accumulates)
            (left, right) = (Vector256.Load(into) + left, Vector256.Load(into + Half) + right);
        if (tile.Bias is not null)
            (left, right) = (left + Vector256.Load(tile.Bias), right + Vector256.Load(tile.Bias + Half));
        Vector256.Store(left, into);
        Vector256.Store(right, into + Half);
    }
}
