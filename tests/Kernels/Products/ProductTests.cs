using System.Runtime.InteropServices;

namespace Elastic.Kernels.Tests.Products;

public unsafe class ProductTests
{
    private static readonly ProductBlocks Tiny = new(16, 100, 40, 3, 20), Odd = new(37, 2000, 3000, 2, 64);

    private static IEnumerable<Kernels.Products.Instructions> Supported
        => Enum.GetValues<Kernels.Products.Instructions>().Where(Kernels.Products.IsSupported);

    [Fact]
    public void Shapes_that_do_not_fit_are_refused()
    {
        using var team = new ThreadTeam(1);
        var random = new Random(1);
        Matrix c = new(3, 5, false, 0, random), a = new(3, 4, false, 0, random), b = new(4, 5, false, 0, random);
        Kernels.Products.Reserve(team, 1 << 20);
        foreach (var (x, y, z) in new[] { (c, a, a), (a, a, b), (b, a, b), (new Matrix(3, 5, true, 0, random), a, b) })
            Assert.Throws<ArgumentException>(() => Kernels.Products.Multiply(team, x.View, y.View, z.View, DepthParts.One));
        var apart = new MatrixView(a.View.Data, 1, 2, 8, 2);
        Assert.Throws<ArgumentException>(() => Kernels.Products.Multiply(team, c.View, apart, b.View, DepthParts.One));
    }

    [Fact]
    public void A_product_without_enough_workspace_is_refused()
    {
        using var team = new ThreadTeam(1);
        var random = new Random(1);
        Matrix c = new(3, 5, false, 0, random), a = new(3, 4, false, 0, random), b = new(4, 5, false, 0, random);
        Assert.Throws<InvalidOperationException>(() => Kernels.Products.Multiply(team, c.View, a.View, b.View, DepthParts.One));
    }

    [Theory]
    [InlineData(0, 0, 1)]
    [InlineData(-1, 1, 0)]
    [InlineData(11, 1, 0)]     // more parts than k
    [InlineData(2, 3, 0)]      // 10 is no multiple of 3
    [InlineData(6, 2, 0)]      // more parts than k of a section
    public void Parts_that_would_be_empty_are_refused(int parts, int sections, int length)
    {
        using var team = new ThreadTeam(1);
        var random = new Random(1);
        Matrix c = new(3, 5, false, 0, random), a = new(3, length == 0 ? 10 : 0, false, 1, random), b = new(a.Columns, 5, false, 0, random);
        Assert.Throws<ArgumentException>(
            () => Kernels.Products.Multiply(team, c.View, a.View, b.View, new DepthParts(parts, sections, length)));
    }

    // Every shape with every instruction set, all kinds of strides, parts, epilogues, numbers of threads and blocks by turns.
    [Theory]
    [InlineData(1, 1)]
    [InlineData(1, 33)]
    [InlineData(2, 16)]
    [InlineData(7, 31)]
    [InlineData(8, 32)]
    [InlineData(9, 65)]
    [InlineData(15, 17)]
    [InlineData(33, 100)]
    [InlineData(70, 48)]
    public void Each_element_is_its_chains_folded_along_the_tree(int m, int n)
    {
        var turn = 0;
        using var teams = new Teams();
        foreach (var k in new[] { 1, 5, 15, 16, 17, 33, 96, 130 })
        {
            foreach (var parts in PartsOf(k))
            {
                var random = new Random(turn);
                Matrix a = new(m, k, turn % 2 == 1, turn % 3, random), b = new(k, n, turn / 2 % 2 == 1, turn % 5, random),
                    c = new(m, n, false, turn % 4, random), bias = new(1, n, false, 0, random);
                var (accumulates, hasBias) = (turn / 4 % 2 == 1, turn / 8 % 2 == 1);
                var expected = Chains(c, a, b, parts, accumulates, hasBias ? bias : null);
                foreach (var instructions in Supported)
                {
                    foreach (var blocks in new[] { ProductBlocks.Default, Tiny, Odd })
                    {
                        var actual = c.Copy();
                        Multiply(teams[turn % 3], actual, a, b, parts, accumulates, hasBias ? bias : null, blocks, instructions);
                        AssertSameBytes(expected, actual, $"{m} x {n} x {k}, {parts}, {instructions}, {blocks}, turn {turn}");
                        turn++;
                    }
                }
            }
        }
    }

    [Fact]
    public void A_deep_product_in_default_blocks_is_the_same_chain()
    {
        using var teams = new Teams();
        var random = new Random(5);
        foreach (var (m, n, k, parts) in new[]
        {
            (20, 40, 5000, DepthParts.One), (17, 33, 4500, DepthParts.OfLength(1300)), (9, 70, 6000, DepthParts.Equal(4, 3)),
            (6, 9, 2048, DepthParts.Equal(8)),
        })
        {
            Matrix a = new(m, k, m % 2 == 1, 0, random), b = new(k, n, n % 2 == 1, 0, random), c = new(m, n, false, 0, random);
            var expected = Chains(c, a, b, parts, true, null);
            foreach (var instructions in Supported)
            {
                var actual = c.Copy();
                Multiply(teams[m % 3], actual, a, b, parts, true, null, ProductBlocks.Default, instructions);
                AssertSameBytes(expected, actual, $"{m} x {n} x {k}, {parts}, {instructions}");
            }
        }
    }

    [Fact]
    public void Rows_columns_and_parts_may_be_computed_one_by_one()
    {
        using var team = new ThreadTeam(2);
        var random = new Random(7);
        Matrix a = new(37, 90, false, 0, random), b = new(90, 77, false, 0, random), whole = new(37, 77, false, 0, random);
        Kernels.Products.Reserve(team, Kernels.Products.WorkspaceBytes(2, 37, 77, 90, DepthParts.One));
        Kernels.Products.Multiply(team, whole.View, a.View, b.View, DepthParts.One);
        var pieces = new Matrix(37, 77, false, 0, random);
        for (var i = 0; i < 37; i += 5)
        {
            for (var j = 0; j < 77; j += 11)
            {
                var (rows, columns) = (Math.Min(5, 37 - i), Math.Min(11, 77 - j));
                Kernels.Products.Multiply(team, new MatrixView(pieces.View.At(i, j), rows, columns, 77, 1),
                    new MatrixView(a.View.At(i, 0), rows, 90, 90, 1), new MatrixView(b.View.At(0, j), 90, columns, 77, 1), DepthParts.One);
            }
        }
        AssertSameBytes(whole, pieces, "in pieces");

        // The second of two parts by itself, added to the first: what two devices do.
        Kernels.Products.Multiply(team, whole.View, a.View, b.View, DepthParts.Equal(2));
        for (var part = 0; part < 2; part++)
        {
            Kernels.Products.Multiply(team, pieces.View, new MatrixView(a.View.At(0, part * 45), 37, 45, 90, 1),
                new MatrixView(b.View.At(part * 45, 0), 45, 77, 77, 1), DepthParts.One, accumulate: part == 1);
        }
        AssertSameBytes(whole, pieces, "in parts");
    }

    [Theory]
    [InlineData(3, 5, 40)]
    [InlineData(17, 70, 130)]
    [InlineData(16, 64, 2100)]                                                       // longer than a block of K
    public void A_depth_that_is_computed_piece_by_piece_continues_the_chain(int m, int n, int k)
    {
        using var teams = new Teams();
        var random = new Random(17);
        Matrix a = new(m, k, true, 0, random), b = new(k, n, false, 1, random), c = new(m, n, false, 2, random);
        foreach (var accumulates in new[] { false, true })
        {
            var expected = Chains(c, a, b, DepthParts.One, accumulates, null);
            foreach (var (instructions, i) in Supported.Select((x, i) => (x, i)))
            {
                foreach (var blocks in new[] { ProductBlocks.Default, Tiny })
                {
                    var actual = c.Copy();
                    var kept = accumulates ? new Matrix(m, n, false, 3, random) : actual;
                    int[] cuts = [0, k / 3, k / 3 + 1, k];
                    for (var piece = 0; piece < 3; piece++)
                    {
                        var (first, depth, isLast) = (cuts[piece], cuts[piece + 1] - cuts[piece], piece == 2);
                        var (team, into) = (teams[i % 3], isLast ? actual : kept);
                        Kernels.Products.Reserve(team, Kernels.Products.WorkspaceBytes(
                            team.Threads, m, n, depth, DepthParts.One, a.View.ColumnStride != 1, blocks, instructions));
                        Kernels.Products.Multiply(
                            team, into.View, new MatrixView(a.View.At(0, first), m, depth, a.View.RowStride, a.View.ColumnStride),
                            new MatrixView(b.View.At(first, 0), depth, n, b.View.RowStride, b.View.ColumnStride), DepthParts.One,
                            isLast && accumulates, null, piece == 0 ? default : kept.View, blocks, instructions);
                    }
                    AssertSameBytes(expected, actual, $"{m} x {n} x {k}, {instructions}, {blocks}, {accumulates}");
                }
            }
        }
    }

    // The bound: 16 * 2^-24 times the sum of the terms' magnitudes. The worst case of a chain is its length, but signs are random here.
    [Theory]
    [InlineData(33, 70, 300, 1)]
    [InlineData(40, 31, 1001, 4)]
    public void A_product_agrees_with_double_precision(int m, int n, int k, int parts)
    {
        using var team = new ThreadTeam(2);
        var random = new Random(11);
        Matrix a = new(m, k, true, 1, random), b = new(k, n, false, 0, random), c = new(m, n, false, 0, random);
        var bias = new Matrix(1, n, false, 0, random);
        var actual = c.Copy();
        Multiply(team, actual, a, b, DepthParts.Equal(parts), true, bias, ProductBlocks.Default, Kernels.Products.Best);
        for (var i = 0; i < m; i++)
        {
            for (var j = 0; j < n; j++)
            {
                double sum = (double)c[i, j] + bias[0, j], magnitudes = Math.Abs((double)c[i, j]) + Math.Abs((double)bias[0, j]);
                for (var x = 0; x < k; x++)
                {
                    sum += (double)a[i, x] * b[x, j];
                    magnitudes += Math.Abs((double)a[i, x] * b[x, j]);
                }
                Assert.InRange(Math.Abs(actual[i, j] - sum), 0, 16 * Math.ScaleB(1, -24) * magnitudes);
            }
        }
    }

    [Fact]
    public void A_product_allocates_nothing()
    {
        using var team = new ThreadTeam(2);
        var random = new Random(13);
        Matrix a = new(50, 60, true, 0, random), b = new(60, 70, true, 0, random), c = new(50, 70, false, 0, random);
        Kernels.Products.Reserve(team, Kernels.Products.WorkspaceBytes(2, 50, 70, 60, DepthParts.Equal(3)));
        Kernels.Products.Multiply(team, c.View, a.View, b.View, DepthParts.Equal(3));
        var before = GC.GetAllocatedBytesForCurrentThread();
        for (var i = 0; i < 20; i++)
            Kernels.Products.Multiply(team, c.View, a.View, b.View, DepthParts.Equal(3));
        Assert.Equal(before, GC.GetAllocatedBytesForCurrentThread());
    }

    private static IEnumerable<DepthParts> PartsOf(int k)
    {
        yield return DepthParts.One;
        foreach (var parts in new[] { 2, 3, 4, 5, 7, 8 }.Where(p => p <= k))
            yield return DepthParts.Equal(parts);
        if (k % 3 == 0 && k >= 12)
            yield return DepthParts.Equal(4, 3);
        yield return DepthParts.OfLength(Math.Max(1, k / 3 + 1));
        yield return DepthParts.OfLength(7);
    }

    // The contract, as it is written in DepthParts.
    private static Matrix Chains(Matrix c, Matrix a, Matrix b, DepthParts parts, bool accumulates, Matrix? bias)
    {
        var (result, k) = (c.Copy(), a.Columns);
        var (count, sections) = parts.Length > 0 ? ((k + parts.Length - 1) / parts.Length, 1) : (parts.Parts, parts.Sections);
        for (var i = 0; i < c.Rows; i++)
        {
            for (var j = 0; j < c.Columns; j++)
            {
                var sums = new List<(TreeNode, float)>();
                for (var p = 0; p < count; p++)
                {
                    var sum = 0f;
                    for (var s = 0; s < sections; s++)
                    {
                        var section = k / sections;
                        var (from, to) = parts.Length > 0
                            ? (p * parts.Length, Math.Min(k, (p + 1) * parts.Length))
                            : (s * section + p * section / count, s * section + (p + 1) * section / count);
                        for (var x = from; x < to; x++)
                            sum = MathF.FusedMultiplyAdd(a[i, x], b[x, j], sum);
                    }
                    sums.Add((new TreeNode(p, 1), sum));
                }
                var total = SumTree.Fold(sums, count, (x, y) => x + y);
                if (accumulates)
                    total = c[i, j] + total;
                result[i, j] = bias is null ? total : total + bias[0, j];
            }
        }
        return result;
    }

    private static void Multiply(ThreadTeam team, Matrix c, Matrix a, Matrix b, DepthParts parts, bool accumulates, Matrix? bias,
        ProductBlocks blocks, Kernels.Products.Instructions instructions)
    {
        Kernels.Products.Reserve(team, Kernels.Products.WorkspaceBytes(team.Threads, c.Rows, c.Columns, a.Columns, parts,
            a.View.ColumnStride != 1, blocks, instructions));
        Kernels.Products.Multiply(team, c.View, a.View, b.View, parts, accumulates, bias is null ? null : bias.View.Data, default,
            blocks, instructions);
    }

    private static void AssertSameBytes(Matrix expected, Matrix actual, string what)
    {
        if (MemoryMarshal.AsBytes(expected.Memory.AsSpan()).SequenceEqual(MemoryMarshal.AsBytes(actual.Memory.AsSpan())))
            return;
        var different = Enumerable.Range(0, expected.Memory.Length).First(i => expected.Memory[i] != actual.Memory[i]);
        Assert.Fail($"{what}: float {different} is {actual.Memory[different]:R}, not {expected.Memory[different]:R}");
    }

    // Teams of 1, 2 and 3 threads.
    private sealed class Teams : IDisposable
    {
        private readonly ThreadTeam[] _teams = [new(1), new(2), new(3)];

        public ThreadTeam this[int index] => _teams[index];

        public void Dispose() => Array.ForEach(_teams, t => t.Dispose());
    }
}
