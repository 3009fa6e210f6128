namespace Elastic.Kernels.Tests;

public unsafe class EmbeddingTests
{
    [Fact]
    public void A_token_outside_of_the_vocabulary_is_refused()
    {
        using var arena = new Arena();
        var workspace = (int*)arena.Floats(EmbeddingPlan.WorkspaceInts(2));
        int* tooLarge = arena.Ints(0, 7), negative = arena.Ints(0, -1);
        Assert.Throws<ArgumentOutOfRangeException>(() => EmbeddingPlan.Build(workspace, tooLarge, 2, 7));
        Assert.Throws<ArgumentOutOfRangeException>(() => EmbeddingPlan.Build(workspace, negative, 2, 7));
    }

    [Theory]
    [InlineData(1, 1)]
    [InlineData(2, 100)]
    [InlineData(50, 3)]
    [InlineData(300, 2048)]
    [InlineData(300, 2049)]
    [InlineData(300, 151_000)]
    [InlineData(300, int.MaxValue)]
    public void A_plan_lists_the_rows_of_each_distinct_token_in_order(int rows, int vocabulary)
    {
        using var arena = new Arena();
        var tokens = Tokens(rows, vocabulary);
        var plan = EmbeddingPlan.Build((int*)arena.Floats(EmbeddingPlan.WorkspaceInts(rows)), arena.Ints(tokens), rows, vocabulary);
        var expected = Enumerable.Range(0, rows).GroupBy(r => tokens[r]).OrderBy(g => g.Key).ToList();
        Assert.Equal(expected.Count, plan.Count);
        for (var k = 0; k < plan.Count; k++)
        {
            Assert.Equal(expected[k].Key, plan.Tokens[k]);
            Assert.Equal(expected[k], new ReadOnlySpan<int>(plan.Rows + plan.Starts[k], plan.Starts[k + 1] - plan.Starts[k]).ToArray());
        }
    }

    [Fact]
    public void Rows_of_the_tables_are_gathered()
    {
        const int rows = 5, columns = 21;
        using var arena = new Arena();
        float* table = arena.Random(1, 7 * columns), positionTable = arena.Random(2, 3 * columns), y = arena.Floats(rows * columns);
        int* tokens = arena.Ints(6, 0, 3, 3, 1), positions = arena.Ints(0, 1, 2, 0, 1);
        Embedding.Gather(y, table, tokens, positionTable, positions, rows, columns);
        for (var i = 0; i < rows * columns; i++)
        {
            var (row, j) = (i / columns, i % columns);
            Assert.Equal(table[tokens[row] * columns + j] + positionTable[positions[row] * columns + j], y[i]);
        }
        Embedding.Gather(y, table, tokens, null, null, rows, columns);
        for (var i = 0; i < rows * columns; i++)
            Assert.Equal(table[tokens[i / columns] * columns + i % columns], y[i]);
    }

    [Theory]
    [InlineData(1, 4, 1, 3)]
    [InlineData(3, 5, 15, 4)]
    [InlineData(7, 6, 17, 20)]
    [InlineData(8, 2, 64, 2)]
    [InlineData(13, 3, 100, 8)]
    [InlineData(33, 1, 130, 3)]
    public void Gradients_add_rows_in_order_and_micro_batches_along_the_tree(int parts, int partRows, int columns, int vocabulary)
    {
        var rows = parts * partRows;
        using var arena = new Arena();
        var tokens = Tokens(rows, vocabulary);
        var dy = arena.Random(columns, rows * columns);
        float* gradient = arena.Floats(vocabulary * columns), compact = arena.Floats(rows * columns);
        var plan = EmbeddingPlan.Build((int*)arena.Floats(EmbeddingPlan.WorkspaceInts(rows)), arena.Ints(tokens), rows, vocabulary);
        var values = AllKinds.Same<float>(() =>
        {
            new Span<float>(gradient, vocabulary * columns).Fill(0.25f);
            Embedding.AddGradients(gradient, plan, 0, plan.Count, dy, partRows, parts, columns);
            return Arena.Read(gradient, vocabulary * columns);
        });
        for (var i = 0; i < vocabulary * columns; i++)
        {
            var (token, j) = (i / columns, i % columns);
            // Parts without the token are in the tree as zeros.
            var sum = SumTree.Fold([.. Enumerable.Range(0, parts).Select(p => (new TreeNode(p, 1), Enumerable.Range(p * partRows, partRows)
                .Where(row => tokens[row] == token).Aggregate(0f, (s, row) => s + dy[row * columns + j])))], parts, (a, b) => a + b);
            Assert.Equal(0.25f + sum, values[i]);
        }

        new Span<float>(gradient, vocabulary * columns).Fill(0.25f);
        for (var k = 0; k < plan.Count; k += 2)
        {
            var count = Math.Min(2, plan.Count - k);
            Embedding.AddGradients(gradient, plan, k, count, dy, partRows, parts, columns);
            Embedding.WriteGradients(compact + k * columns, plan, k, count, dy, partRows, parts, columns);
        }
        Assert.Equal(values, Arena.Read(gradient, vocabulary * columns));
        for (var i = 0; i < plan.Count * columns; i++)
            Assert.Equal(values[plan.Tokens[i / columns] * columns + i % columns], 0.25f + compact[i]);
    }

    private static int[] Tokens(int rows, int vocabulary)
    {
        var random = new Random(rows);
        // Some tokens often, some seldom.
        return [.. Enumerable.Range(0, rows).Select(_ => (int)(vocabulary * Math.Pow(random.NextDouble(), 3)))];
    }
}
