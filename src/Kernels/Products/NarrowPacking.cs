namespace Elastic.Kernels;

/// <summary>
/// Packs panels of a B whose elements have 16 bits, as <see cref="PanelPacking"/> packs fp32. They become fp32 here, exactly, so that the
/// product is that of the same numbers in fp32.
/// </summary>
internal static unsafe class NarrowPacking
{
    // k at a time of columns that lie along k: 32 columns of them, widened, are 8 KB, which stay in the first-level cache.
    private const int Piece = 64;

    /// <summary>One panel: <paramref name="lines"/> columns side by side for each k; missing ones become zeros.</summary>
    /// <param name="first">The first k.</param>
    public static void Pack<TKernel>(NarrowType type, in MatrixView b, int first, int column, int lines, int depth, float* into)
        where TKernel : struct, ITileKernel
    {
        var width = TKernel.Columns;
        if (b.ColumnStride == 1)
        {
            if (lines < width)
                Ranges.Clear(into, (long)depth * width);
            NarrowRows.Widen(type, into, width, b.NarrowAt(first, column), b.RowStride, depth, lines);
            return;
        }
        var wide = stackalloc float[width * Piece];
        for (var k = 0; k < depth; k += Piece)
        {
            var count = Math.Min(Piece, depth - k);
            NarrowRows.Widen(type, wide, Piece, b.NarrowAt(first + k, column), b.ColumnStride, lines, count);
            TKernel.Transpose(wide, Piece, lines, count, into + (nint)k * width);
        }
    }
}
