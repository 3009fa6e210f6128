namespace Elastic.Kernels.Tests;

public unsafe class RangeTests
{
    [Fact]
    public void Sums_products_and_copies_are_those_of_single_elements()
    {
        foreach (var count in new[] { 0, 1, 15, 16, 17, 100 })
        {
            using var arena = new Arena();
            float* a = arena.Random(1, count), b = arena.Random(2, count), y = arena.Floats(count);
            var values = AllKinds.Same<float>(() =>
            {
                Ranges.Add(y, a, b, count);
                var sum = Arena.Read(y, count);
                Ranges.Scale(y, a, 0.3f, count);
                var product = Arena.Read(y, count);
                Ranges.AddScaled(y, a, b, 0.3f, count);
                return [.. sum, .. product, .. Arena.Read(y, count)];
            });
            for (var i = 0; i < count; i++)
            {
                Assert.Equal(a[i] + b[i], values[i]);
                Assert.Equal(0.3f * a[i], values[count + i]);
                Assert.Equal(MathF.FusedMultiplyAdd(b[i], 0.3f, a[i]), values[2 * count + i]);
            }
            Ranges.Copy(y, a, count);
            Assert.Equal(Arena.Read(a, count), Arena.Read(y, count));
            Ranges.Clear(y, count);
            Assert.Equal(new float[count], Arena.Read(y, count));
        }
    }

    [Fact]
    public void Rows_of_matrices_with_gaps_are_copied_and_added()
    {
        using var arena = new Arena();
        float* y = arena.Floats(30, 1), a = arena.Random(1, 21);
        Ranges.AddRows(y, 10, a, 7, 3, 5);
        Assert.Equal(Enumerable.Range(0, 30).Select(i => i % 10 < 5 ? 1 + a[i / 10 * 7 + i % 10] : 1), Arena.Read(y, 30));
        Ranges.CopyRows(y, 10, a, 7, 3, 5);
        Assert.Equal(Enumerable.Range(0, 30).Select(i => i % 10 < 5 ? a[i / 10 * 7 + i % 10] : 1), Arena.Read(y, 30));
    }

    [Fact]
    public void Column_sums_add_rows_in_order_and_parts_along_the_tree()
    {
        (int, int, int)[] shapes = [(1, 1, 1), (15, 3, 2), (16, 2, 3), (17, 5, 5), (100, 4, 7), (257, 3, 8), (64, 2, 33)];
        foreach (var (columns, rows, parts) in shapes)
        {
            using var arena = new Arena();
            var stride = columns + 3;
            float* source = arena.Random(columns, parts * rows * stride), target = arena.Floats(columns, 0.7f);
            var values = AllKinds.Same<float>(() =>
            {
                ColumnSums.Add(target, source, stride, rows, (long)rows * stride, parts, columns, false);
                return Arena.Read(target, columns);
            });
            Assert.Equal(Enumerable.Range(0, columns).Select(j => Sum(j)), values);

            new Span<float>(target, columns).Fill(0.7f);
            for (var j = 0; j < columns; j += 7)
                ColumnSums.Add(target + j, source + j, stride, rows, (long)rows * stride, parts, Math.Min(7, columns - j), true);
            Assert.Equal(values.Select(v => 0.7f + v), Arena.Read(target, columns));

            float Sum(int j) => SumTree.Fold(
                [.. Enumerable.Range(0, parts).Select(p => (new TreeNode(p, 1), Enumerable.Range(p * rows, rows)
                    .Aggregate(0f, (sum, row) => sum + source[row * stride + j])))], parts, (x, y) => x + y);
        }
    }

    [Fact]
    public void Sums_of_a_kind_leave_the_rows_of_other_kinds_out()
    {
        (int, int, int)[] shapes = [(1, 1, 1), (15, 3, 2), (17, 5, 5), (100, 4, 7), (64, 2, 33)];
        foreach (var (columns, rows, parts) in shapes)
        {
            using var arena = new Arena();
            var kinds = Enumerable.Range(0, parts * rows).Select(row => row * row % 3).ToArray();
            float* source = arena.Random(columns, parts * rows * columns), target = arena.Floats(columns, 0.7f);
            foreach (var kind in (int[])[0, 1, 2])
            {
                var values = AllKinds.Same<float>(() =>
                {
                    fixed (int* of = kinds)
                        KindSums.Add(target, source, columns, of, kind, rows, parts, columns, false);
                    return Arena.Read(target, columns);
                });
                Assert.Equal(Enumerable.Range(0, columns).Select(Sum), values);

                new Span<float>(target, columns).Fill(0.7f);
                fixed (int* of = kinds)
                    for (var j = 0; j < columns; j += 16)
                        KindSums.Add(target + j, source + j, columns, of, kind, rows, parts, Math.Min(16, columns - j), true);
                Assert.Equal(values.Select(v => 0.7f + v), Arena.Read(target, columns));

                float Sum(int j) => SumTree.Fold(
                    [.. Enumerable.Range(0, parts).Select(p => (new TreeNode(p, 1), Enumerable.Range(p * rows, rows)
                        .Where(row => kinds[row] == kind).Aggregate(0f, (sum, row) => sum + source[row * columns + j])))],
                    parts, (x, y) => x + y);
            }
        }
    }

    [Fact]
    public void A_position_gets_the_sum_over_its_place_in_all_sequences()
    {
        const int parts = 3, sequences = 2, positions = 5, columns = 19;
        using var arena = new Arena();
        float* dy = arena.Random(1, parts * sequences * positions * columns), target = arena.Floats(positions * columns, 0.5f);
        for (var t = 0; t < positions; t += 2)
        {
            ColumnSums.AddPositions(
                target + t * columns, dy, parts, sequences, positions, columns, t, Math.Min(2, positions - t), true);
        }
        for (var t = 0; t < positions; t++)
        {
            for (var j = 0; j < columns; j++)
            {
                float At(int sequence) => dy[(sequence * positions + t) * columns + j];
                var sums = Enumerable.Range(0, parts).Select(p => At(2 * p) + At(2 * p + 1)).ToArray();
                Assert.Equal(0.5f + (sums[0] + sums[1] + sums[2]), target[t * columns + j]);
            }
        }
    }

    [Fact]
    public void Sums_of_squares_are_those_of_sixteen_lanes_in_double_precision()
    {
        foreach (var count in new[] { 1, 15, 16, 17, 33, 1000, 4096 })
        {
            using var arena = new Arena();
            var x = arena.Random(count, count, 1e3);
            var lanes = new double[16];
            for (var i = 0; i < count; i++)
                lanes[i % 16] += (double)x[i] * x[i];
            for (var half = 8; half > 0; half /= 2)
            {
                for (var i = 0; i < half; i++)
                    lanes[i] += lanes[i + half];
            }
            Assert.Equal([lanes[0]], AllKinds.Same<double>(() => [Norms.SumOfSquares(x, count)]));
        }
    }

    [Fact]
    public void Sums_of_neighbouring_pieces_are_those_of_the_pieces_one_by_one()
    {
        foreach (var (first, end, length) in new[] { (0, 200, 100), (37, 411, 50), (90, 95, 100), (5, 5, 10), (8, 3, 4), (3, 40, 7) })
        {
            using var arena = new Arena();
            var x = arena.Random(first, 420, 1e3);
            var expected = Enumerable.Range(0, 60).Select(piece =>
            {
                var (low, high) = (Math.Max(first, piece * length), Math.Min(end, (piece + 1) * length));
                return 0.5 + (low < high ? Norms.SumOfSquares(x + low, high - low) : 0);
            });
            Assert.Equal([.. expected], AllKinds.Same<double>(() =>
            {
                var sums = new double[60];
                Array.Fill(sums, 0.5);
                fixed (double* into = sums)
                    Norms.AddSumsOfSquares(x, first, end, length, into);
                return sums;
            }));
        }
    }

    [Fact]
    public void One_element_that_is_not_finite_is_found_wherever_it_is()
    {
        foreach (var count in new[] { 1, 16, 37 })
        {
            using var arena = new Arena();
            var x = arena.Random(1, count, float.MaxValue);
            Assert.Equal([false], AllKinds.Same<bool>(() => [Norms.HasNonFinite(x, count)]));
            for (var i = 0; i < count; i++)
            {
                foreach (var value in new[] { float.NaN, float.PositiveInfinity, float.NegativeInfinity })
                {
                    var before = x[i];
                    x[i] = value;
                    Assert.Equal([true], AllKinds.Same<bool>(() => [Norms.HasNonFinite(x, count)]));
                    x[i] = before;
                }
            }
        }
    }
}
