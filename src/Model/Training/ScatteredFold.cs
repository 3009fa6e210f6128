using Elastic.Kernels;

namespace Elastic.Model.Training;

/// <summary>
/// Adds the rows of embeddings that all devices have summed to the gradient: for each token the sums of the subtrees, folded along the
/// tree. A subtree without the token has the sum zero, which is left out: x + 0 is x, and no sum that began with +0 is -0.
/// </summary>
internal static unsafe class ScatteredFold
{
    /// <summary>Adds what belongs to the elements [first, first + count) of the flat gradient.</summary>
    public static void AddTo(
        float* gradient, long first, long count, IReadOnlyList<(TreeNode Node, ScatteredRows Rows)> roots, int microBatches)
    {
        var any = roots.FirstOrDefault(r => r.Rows.Count > 0).Rows;
        if (any is null || any.Offset >= first + count)
            return;
        // Tokens whose rows reach into the range.
        var (C, offset) = (any.Columns, any.Offset);
        var (from, to) = (Math.Max(0, first - offset) / C, (first + count - offset + C - 1) / C);
        var cursors = roots.Select(r => r.Rows.IndexOf(from)).ToArray();
        while (true)
        {
            var token = long.MaxValue;
            for (var i = 0; i < cursors.Length; i++)
            {
                if (cursors[i] < roots[i].Rows.Count)
                    token = Math.Min(token, roots[i].Rows.Tokens[cursors[i]]);
            }
            if (token >= to)
                return;
            var begin = offset + token * C;
            var (low, high) = (Math.Max(begin, first), Math.Min(begin + C, first + count));
            Add(gradient + low, (int)(high - low), low - begin, (int)token, roots, cursors, microBatches);
            for (var i = 0; i < cursors.Length; i++)
            {
                if (cursors[i] < roots[i].Rows.Count && roots[i].Rows.Tokens[cursors[i]] == token)
                    cursors[i]++;
            }
        }
    }

    private static void Add(
        float* target, int count, long column, int token, IReadOnlyList<(TreeNode Node, ScatteredRows Rows)> roots, int[] cursors,
        int microBatches)
    {
        if (roots.Count == 1)
        {
            Ranges.Add(target, target, roots[0].Rows.Rows + (long)cursors[0] * roots[0].Rows.Columns + column, count);
            return;
        }
        var parts = new List<(TreeNode, float[]?)>();
        for (var i = 0; i < roots.Count; i++)
        {
            var (node, rows) = roots[i];
            var has = cursors[i] < rows.Count && rows.Tokens[cursors[i]] == token;
            parts.Add((node, has
                ? new ReadOnlySpan<float>(rows.Rows + (long)cursors[i] * rows.Columns + column, count).ToArray()
                : null));
        }
        var sum = SumTree.Fold<float[]?>(parts, microBatches, Plus)!;
        fixed (float* values = sum)
            Ranges.Add(target, target, values, count);
    }

    private static float[]? Plus(float[]? left, float[]? right)
    {
        if (left is null || right is null)
            return left ?? right;
        ScatteredRows.AddTo(left, right);
        return left;
    }
}
