using System.Runtime.CompilerServices;

namespace Elastic.Kernels;

/// <summary>
/// 4 x 4 without vectors. On a processor without fused multiply-add, MathF's comes from the C library: exact, and some hundred times
/// slower.
/// </summary>
internal readonly unsafe struct TileKernelScalar : ITileKernel
{
    private const int Side = 4;

    public static int Rows => Side;

    public static int Columns => Side;

    public static bool IsSupported => true;

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Run(in Tile tile)
    {
        var sums = stackalloc float[Side * Side];
        for (var i = 0; i < Side * Side; i++)
            sums[i] = tile.Start is null ? 0 : tile.Start[i];
        for (var i = 0; i < Side; i++)
        {
            var (a, b) = ((nint)(tile.A + Math.Min(i, tile.Rows - 1) * tile.RowStride), (nint)tile.B);
            float s0 = sums[i * Side], s1 = sums[i * Side + 1], s2 = sums[i * Side + 2], s3 = sums[i * Side + 3];
            for (var k = 0; k < tile.Depth; k++, a += tile.Step * sizeof(float), b += Side * sizeof(float))
            {
                var x = *(float*)a;
                s0 = MathF.FusedMultiplyAdd(x, ((float*)b)[0], s0);
                s1 = MathF.FusedMultiplyAdd(x, ((float*)b)[1], s1);
                s2 = MathF.FusedMultiplyAdd(x, ((float*)b)[2], s2);
                s3 = MathF.FusedMultiplyAdd(x, ((float*)b)[3], s3);
            }
            (sums[i * Side], sums[i * Side + 1], sums[i * Side + 2], sums[i * Side + 3]) = (s0, s1, s2, s3);
        }
        for (var i = 0; i < Side * Side; i++)
        {
            var into = tile.Into + i / Side * tile.IntoStride + i % Side;
            var sum = sums[i];
            for (var f = 0; f < tile.FoldCount; f++)
                sum = tile.Folds[i - f * Side * Side] + sum;
            if (tile.Accumulates)
                sum = *into + sum;
            *into = tile.Bias is null ? sum : sum + tile.Bias[i % Side];
        }
    }

    public static void Transpose(float* source, nint lineStride, int lines, int depth, float* into)
        => PanelPacking.Transpose(source, lineStride, lines, depth, Side, 0, into);
}
