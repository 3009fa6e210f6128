using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.Arm;
using System.Runtime.Intrinsics.X86;

namespace Elastic.Kernels;

/// <summary>8 x 8 in sixteen registers of four floats (Arm's NEON has 32 of them).</summary>
internal readonly unsafe struct TileKernel128 : ITileKernel
{
    private const int TileRows = 8, TileColumns = 8, Half = 4;

    public static int Rows => TileRows;

    public static int Columns => TileColumns;

    public static bool IsSupported => Vector128.IsHardwareAccelerated && (AdvSimd.IsSupported || Fma.IsSupported);

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Run(in Tile tile)
    {
        var (stride, last) = (tile.RowStride, (nint)tile.Rows - 1);
        float* a0 = tile.A, a1 = a0 + Math.Min(1, last) * stride, a2 = a0 + Math.Min(2, last) * stride,
            a3 = a0 + Math.Min(3, last) * stride, a4 = a0 + Math.Min(4, last) * stride,
            a5 = a0 + Math.Min(5, last) * stride, a6 = a0 + Math.Min(6, last) * stride,
            a7 = a0 + Math.Min(7, last) * stride;
        var b = tile.B;
        Vector128<float> l0 = Vector128<float>.Zero, r0 = l0, l1 = l0, r1 = l0, l2 = l0, r2 = l0, l3 = l0, r3 = l0, l4 = l0,
            r4 = l0, l5 = l0, r5 = l0, l6 = l0, r6 = l0, l7 = l0, r7 = l0;
        if (tile.Start is not null)
        {
            var start = tile.Start;
            (l0, r0) = (Vector128.Load(start + 0 * TileColumns), Vector128.Load(start + 0 * TileColumns + Half));
            (l1, r1) = (Vector128.Load(start + 1 * TileColumns), Vector128.Load(start + 1 * TileColumns + Half));
            (l2, r2) = (Vector128.Load(start + 2 * TileColumns), Vector128.Load(start + 2 * TileColumns + Half));
            (l3, r3) = (Vector128.Load(start + 3 * TileColumns), Vector128.Load(start + 3 * TileColumns + Half));
            (l4, r4) = (Vector128.Load(start + 4 * TileColumns), Vector128.Load(start + 4 * TileColumns + Half));
            (l5, r5) = (Vector128.Load(start + 5 * TileColumns), Vector128.Load(start + 5 * TileColumns + Half));
            (l6, r6) = (Vector128.Load(start + 6 * TileColumns), Vector128.Load(start + 6 * TileColumns + Half));
            (l7, r7) = (Vector128.Load(start + 7 * TileColumns), Vector128.Load(start + 7 * TileColumns + Half));
        }
        nint at = 0;
        var step = tile.Step;
        var end = b + (nint)tile.Depth * TileColumns;
        for (; b + 3 * TileColumns < end; b += 4 * TileColumns, at += step)
        {
            Vector128<float> left = Vector128.Load(b), right = Vector128.Load(b + Half), x;
            x = Vector128.Create(a0[at]);
            l0 = Vector128.FusedMultiplyAdd(x, left, l0);
            r0 = Vector128.FusedMultiplyAdd(x, right, r0);
            x = Vector128.Create(a1[at]);
            l1 = Vector128.FusedMultiplyAdd(x, left, l1);
            r1 = Vector128.FusedMultiplyAdd(x, right, r1);
            x = Vector128.Create(a2[at]);
            l2 = Vector128.FusedMultiplyAdd(x, left, l2);
            r2 = Vector128.FusedMultiplyAdd(x, right, r2);
            x = Vector128.Create(a3[at]);
            l3 = Vector128.FusedMultiplyAdd(x, left, l3);
            r3 = Vector128.FusedMultiplyAdd(x, right, r3);
            x = Vector128.Create(a4[at]);
            l4 = Vector128.FusedMultiplyAdd(x, left, l4);
            r4 = Vector128.FusedMultiplyAdd(x, right, r4);
            x = Vector128.Create(a5[at]);
            l5 = Vector128.FusedMultiplyAdd(x, left, l5);
            r5 = Vector128.FusedMultiplyAdd(x, right, r5);
            x = Vector128.Create(a6[at]);
            l6 = Vector128.FusedMultiplyAdd(x, left, l6);
            r6 = Vector128.FusedMultiplyAdd(x, right, r6);
            x = Vector128.Create(a7[at]);
            l7 = Vector128.FusedMultiplyAdd(x, left, l7);
            r7 = Vector128.FusedMultiplyAdd(x, right, r7);
            (left, right) = (Vector128.Load(b + TileColumns), Vector128.Load(b + TileColumns + Half));
            at += step;
            x = Vector128.Create(a0[at]);
            l0 = Vector128.FusedMultiplyAdd(x, left, l0);
            r0 = Vector128.FusedMultiplyAdd(x, right, r0);
            x = Vector128.Create(a1[at]);
            l1 = Vector128.FusedMultiplyAdd(x, left, l1);
            r1 = Vector128.FusedMultiplyAdd(x, right, r1);
            x = Vector128.Create(a2[at]);
            l2 = Vector128.FusedMultiplyAdd(x, left, l2);
            r2 = Vector128.FusedMultiplyAdd(x, right, r2);
            x = Vector128.Create(a3[at]);
            l3 = Vector128.FusedMultiplyAdd(x, left, l3);
            r3 = Vector128.FusedMultiplyAdd(x, right, r3);
            x = Vector128.Create(a4[at]);
            l4 = Vector128.FusedMultiplyAdd(x, left, l4);
            r4 = Vector128.FusedMultiplyAdd(x, right, r4);
            x = Vector128.Create(a5[at]);
            l5 = Vector128.FusedMultiplyAdd(x, left, l5);
            r5 = Vector128.FusedMultiplyAdd(x, right, r5);
            x = Vector128.Create(a6[at]);
            l6 = Vector128.FusedMultiplyAdd(x, left, l6);
            r6 = Vector128.FusedMultiplyAdd(x, right, r6);
            x = Vector128.Create(a7[at]);
            l7 = Vector128.FusedMultiplyAdd(x, left, l7);
            r7 = Vector128.FusedMultiplyAdd(x, right, r7);
            (left, right) = (Vector128.Load(b + 2 * TileColumns), Vector128.Load(b + 2 * TileColumns + Half));
            at += step;
            x = Vector128.Create(a0[at]);
            l0 = Vector128.FusedMultiplyAdd(x, left, l0);
            r0 = Vector128.FusedMultiplyAdd(x, right, r0);
            x = Vector128.Create(a1[at]);
            l1 = Vector128.FusedMultiplyAdd(x, left, l1);
            r1 = Vector128.FusedMultiplyAdd(x, right, r1);
            x = Vector128.Create(a2[at]);
            l2 = Vector128.FusedMultiplyAdd(x, left, l2);
            r2 = Vector128.FusedMultiplyAdd(x, right, r2);
            x = Vector128.Create(a3[at]);
            l3 = Vector128.FusedMultiplyAdd(x, left, l3);
            r3 = Vector128.FusedMultiplyAdd(x, right, r3);
            x = Vector128.Create(a4[at]);
            l4 = Vector128.FusedMultiplyAdd(x, left, l4);
            r4 = Vector128.FusedMultiplyAdd(x, right, r4);
            x = Vector128.Create(a5[at]);
            l5 = Vector128.FusedMultiplyAdd(x, left, l5);
            r5 = Vector128.FusedMultiplyAdd(x, right, r5);
            x = Vector128.Create(a6[at]);
            l6 = Vector128.FusedMultiplyAdd(x, left, l6);
            r6 = Vector128.FusedMultiplyAdd(x, right, r6);
            x = Vector128.Create(a7[at]);
            l7 = Vector128.FusedMultiplyAdd(x, left, l7);
            r7 = Vector128.FusedMultiplyAdd(x, right, r7);
            (left, right) = (Vector128.Load(b + 3 * TileColumns), Vector128.Load(b + 3 * TileColumns + Half));
            at += step;
            x = Vector128.Create(a0[at]);
            l0 = Vector128.FusedMultiplyAdd(x, left, l0);
            r0 = Vector128.FusedMultiplyAdd(x, right, r0);
            x = Vector128.Create(a1[at]);
            l1 = Vector128.FusedMultiplyAdd(x, left, l1);
            r1 = Vector128.FusedMultiplyAdd(x, right, r1);
            x = Vector128.Create(a2[at]);
            l2 = Vector128.FusedMultiplyAdd(x, left, l2);
            r2 = Vector128.FusedMultiplyAdd(x, right, r2);
            x = Vector128.Create(a3[at]);
            l3 = Vector128.FusedMultiplyAdd(x, left, l3);
            r3 = Vector128.FusedMultiplyAdd(x, right, r3);
            x = Vector128.Create(a4[at]);
            l4 = Vector128.FusedMultiplyAdd(x, left, l4);
            r4 = Vector128.FusedMultiplyAdd(x, right, r4);
            x = Vector128.Create(a5[at]);
            l5 = Vector128.FusedMultiplyAdd(x, left, l5);
            r5 = Vector128.FusedMultiplyAdd(x, right, r5);
            x = Vector128.Create(a6[at]);
            l6 = Vector128.FusedMultiplyAdd(x, left, l6);
            r6 = Vector128.FusedMultiplyAdd(x, right, r6);
            x = Vector128.Create(a7[at]);
            l7 = Vector128.FusedMultiplyAdd(x, left, l7);
            r7 = Vector128.FusedMultiplyAdd(x, right, r7);
        }
        for (; b < end; b += TileColumns, at += step)
        {
            Vector128<float> left = Vector128.Load(b), right = Vector128.Load(b + Half), x;
            x = Vector128.Create(a0[at]);
            l0 = Vector128.FusedMultiplyAdd(x, left, l0);
            r0 = Vector128.FusedMultiplyAdd(x, right, r0);
            x = Vector128.Create(a1[at]);
            l1 = Vector128.FusedMultiplyAdd(x, left, l1);
            r1 = Vector128.FusedMultiplyAdd(x, right, r1);
            x = Vector128.Create(a2[at]);
            l2 = Vector128.FusedMultiplyAdd(x, left, l2);
            r2 = Vector128.FusedMultiplyAdd(x, right, r2);
            x = Vector128.Create(a3[at]);
            l3 = Vector128.FusedMultiplyAdd(x, left, l3);
            r3 = Vector128.FusedMultiplyAdd(x, right, r3);
            x = Vector128.Create(a4[at]);
            l4 = Vector128.FusedMultiplyAdd(x, left, l4);
            r4 = Vector128.FusedMultiplyAdd(x, right, r4);
            x = Vector128.Create(a5[at]);
            l5 = Vector128.FusedMultiplyAdd(x, left, l5);
            r5 = Vector128.FusedMultiplyAdd(x, right, r5);
            x = Vector128.Create(a6[at]);
            l6 = Vector128.FusedMultiplyAdd(x, left, l6);
            r6 = Vector128.FusedMultiplyAdd(x, right, r6);
            x = Vector128.Create(a7[at]);
            l7 = Vector128.FusedMultiplyAdd(x, left, l7);
            r7 = Vector128.FusedMultiplyAdd(x, right, r7);
        }
        Finish(tile, 0, l0, r0);
        Finish(tile, 1, l1, r1);
        Finish(tile, 2, l2, r2);
        Finish(tile, 3, l3, r3);
        Finish(tile, 4, l4, r4);
        Finish(tile, 5, l5, r5);
        Finish(tile, 6, l6, r6);
        Finish(tile, 7, l7, r7);
    }

    public static void Transpose(float* source, nint lineStride, int lines, int depth, float* into)
        => PanelPacking.Transpose(source, lineStride, lines, depth, TileColumns, 0, into);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Finish(in Tile tile, nint row, Vector128<float> left, Vector128<float> right)
    {
        var fold = tile.Folds + row * TileColumns;
        for (var f = tile.FoldCount; f > 0; f--, fold -= TileRows * TileColumns)
            (left, right) = (Vector128.Load(fold) + left, Vector128.Load(fold + Half) + right);
        var into = tile.Into + row * tile.IntoStride;
        if (tile.Accumulates)
            (left, right) = (Vector128.Load(into) + left, Vector128.Load(into + Half) + right);
        if (tile.Bias is not null)
            (left, right) = (left + Vector128.Load(tile.Bias), right + Vector128.Load(tile.Bias + Half));
        Vector128.Store(left, into);
        Vector128.Store(right, into + Half);
    }
}
