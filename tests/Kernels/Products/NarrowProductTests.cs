using System.Runtime.InteropServices;

namespace Elastic.Kernels.Tests.Products;

/// <summary>Products whose B has elements of 16 bits.</summary>
public unsafe class NarrowProductTests
{
    [Theory]
    [InlineData(NarrowType.BFloat16)]
    [InlineData(NarrowType.Float16)]
    internal void A_product_with_a_narrow_B_is_that_with_the_same_numbers_in_fp32(NarrowType type)
    {
        using var team = new ThreadTeam(2);
        var (random, turn) = (new Random(3), 0);
        foreach (var (m, n, k) in new[] { (1, 1, 1), (7, 31, 15), (9, 65, 130), (33, 64, 200), (16, 96, 64) })
        {
            foreach (var isTurned in new[] { false, true })
            {
                Matrix a = new(m, k, turn % 2 == 1, 1, random), b = new(k, n, isTurned, turn % 5, random);
                var narrow = GC.AllocateUninitializedArray<ushort>(b.Memory.Length, pinned: true);
                fixed (float* wide = b.Memory)
                fixed (ushort* into = narrow)
                {
                    NarrowRows.Narrow(type, into, wide, narrow.Length);
                    NarrowRows.Round(type, wide, narrow.Length);
                    var view = new MatrixView((float*)into, k, n, b.View.RowStride, b.View.ColumnStride, type);
                    foreach (var instructions in Enum.GetValues<Kernels.Products.Instructions>().Where(Kernels.Products.IsSupported))
                    {
                        var blocks = turn++ % 3 == 0 ? ProductBlocks.Default : new ProductBlocks(37, 2000, 3000, 2, 64);
                        Matrix expected = new(m, n, false, 2, random), actual = expected.Copy();
                        foreach (var (c, right) in new[] { (expected, b.View), (actual, view) })
                        {
                            Kernels.Products.Reserve(team, Kernels.Products.WorkspaceBytes(
                                2, m, n, k, DepthParts.One, a.View.ColumnStride != 1, blocks, instructions));
                            Kernels.Products.Multiply(
                                team, c.View, a.View, right, DepthParts.One, false, null, default, blocks, instructions);
                        }
                        Assert.True(
                            MemoryMarshal.AsBytes<float>(expected.Memory).SequenceEqual(MemoryMarshal.AsBytes<float>(actual.Memory)),
                            $"{m} x {n} x {k}, {instructions}, turned: {isTurned}");
                    }
                }
            }
        }
    }

    [Fact]
    public void Only_B_may_be_narrow()
    {
        using var team = new ThreadTeam(1);
        var random = new Random(1);
        Matrix c = new(4, 4, false, 0, random), a = new(4, 4, false, 0, random);
        MatrixView Narrow(Matrix matrix) => new(matrix.View.Data, 4, 4, 4, 1, NarrowType.BFloat16);
        Kernels.Products.Reserve(team, 1 << 20);
        Assert.Throws<ArgumentException>(() => Kernels.Products.Multiply(team, c.View, Narrow(a), a.View, DepthParts.One));
        Assert.Throws<ArgumentException>(() => Kernels.Products.Multiply(team, Narrow(c), a.View, a.View, DepthParts.One));
    }
}
