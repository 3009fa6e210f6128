using System.Runtime.InteropServices;

namespace Elastic.Kernels;

/// <summary>A matrix in memory: element (i, j) lies at <c>Data[i * RowStride + j * ColumnStride]</c>; one of the strides is 1.</summary>
[StructLayout(LayoutKind.Auto)]
internal readonly unsafe struct MatrixView(float* data, int rows, int columns, long rowStride, long columnStride)
{
    public float* Data { get; } = data;

    public int Rows { get; } = rows;

    public int Columns { get; } = columns;

    public long RowStride { get; } = rowStride;

    public long ColumnStride { get; } = columnStride;

    public float* At(long row, long column) => Data + row * RowStride + column * ColumnStride;
}

/// <summary>
/// fp32 matrix products on one thread: C = A B (+ C) (+ bias). Not libtorch's, because its BLAS (MKL) uses AVX2 kernels on other makers'
/// processors, at half the speed of AVX-512, and other instruction sets round differently. Here each element of C is one chain of fused
/// multiply-adds over k = 0, 1, 2 ... in blocks of <see cref="DepthBlock"/>, whatever the vector width, so the bits are the same on every
/// processor that <see cref="IsSupported"/> allows.
///
/// The loops are those of Goto and van de Geijn (2008): a block of A, packed, stays in the second-level cache; a few panels of B pass
/// through it; the kernel multiplies strips of 8 rows with panels of 32 columns in registers.
/// M rows, N columns, K depth.
/// </summary>
internal static unsafe class Gemm
{
    /// <summary>Terms that are summed in registers before they go to C. Changing it changes bits.</summary>
    public const int DepthBlock = 768;

    private const int RowBlock = 128, ColumnBlock = 4 * Kernel.Columns;

    /// <summary>True when this processor can run it; otherwise use libtorch.</summary>
    public static bool IsSupported => Kernel.IsSupported;

    /// <summary>C = A B, or C += A B. A (M, K), B (K, N), C (M, N) with rows contiguous; none may overlap another.</summary>
    /// <param name="bias">(N), added to each row; null for none.</param>
    public static void Multiply(MatrixView c, MatrixView a, MatrixView b, bool accumulate, float* bias = null)
    {
        if (a.Columns != b.Rows || a.Rows != c.Rows || b.Columns != c.Columns || c.ColumnStride != 1)
            throw new ArgumentException($"({a.Rows}, {a.Columns}) ({b.Rows}, {b.Columns}) -> ({c.Rows}, {c.Columns}) does not fit");
        var packed = PackingBuffers.OfThisThread(RowBlock * DepthBlock, ColumnBlock * DepthBlock);
        // Where depth is small, more rows fit the same cache.
        var depth = Math.Min(DepthBlock, a.Columns);
        var rows = RowBlock * DepthBlock / Math.Max(depth, 1) / Kernel.Rows * Kernel.Rows;
        for (var i = 0; i < c.Rows; i += rows)
        {
            var m = Math.Min(rows, c.Rows - i);
            for (var k = 0; k < a.Columns; k += DepthBlock)
            {
                var d = Math.Min(DepthBlock, a.Columns - k);
                Packing.Pack(a.At(i, k), m, d, a.RowStride, a.ColumnStride, Kernel.Rows, packed.A);
                for (var j = 0; j < c.Columns; j += ColumnBlock)
                {
                    var n = Math.Min(ColumnBlock, c.Columns - j);
                    Packing.Pack(b.At(k, j), n, d, b.ColumnStride, b.RowStride, Kernel.Columns, packed.B);
                    Block(packed, c, i, j, m, n, d, accumulate || k > 0, k == 0 && bias is not null ? bias + j : null);
                }
            }
        }
    }

    private static void Block(PackingBuffers packed, MatrixView c, int i, int j, int m, int n, int depth, bool accumulate, float* bias)
    {
        var edge = stackalloc float[Kernel.Rows * Kernel.Columns];
        for (var y = 0; y < n; y += Kernel.Columns)
        {
            var panel = packed.B + (long)y * depth;
            var width = Math.Min(Kernel.Columns, n - y);
            for (var x = 0; x < m; x += Kernel.Rows)
            {
                var (strip, height) = ((nint)(packed.A + (long)x * depth), Math.Min(Kernel.Rows, m - x));
                var target = c.At(i + x, j + y);
                if (width == Kernel.Columns && height == Kernel.Rows)
                {
                    Kernel.Run(depth, (float*)strip, panel, target, c.RowStride, accumulate, bias is null ? null : bias + y);
                    continue;
                }
                // At the right and lower edges the packed zeros make a full tile, of which the real part is taken.
                Kernel.Run(depth, (float*)strip, panel, edge, Kernel.Columns, false, null);
                for (var r = 0; r < height; r++)
                {
                    for (var s = 0; s < width; s++)
                    {
                        var sum = edge[r * Kernel.Columns + s];
                        if (accumulate)
                            sum = target[r * c.RowStride + s] + sum;
                        target[r * c.RowStride + s] = bias is null ? sum : sum + bias[y + s];
                    }
                }
            }
        }
    }
}
