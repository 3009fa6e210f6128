using System.Numerics;
using Elastic.Kernels;
using Elastic.Model.Batches;
using Elastic.Model.Operators;

namespace Elastic.Model.Training;

/// <summary>
/// Which micro-batches go through the network together. Together they use each weight while it is in the cache; the gradients have the
/// same bits either way.
/// </summary>
public static class MicroBatchGroups
{
    /// <summary>
    /// Rows that are enough: the packed weights of a product are used 64 times from the cache, and memory still grows with it.
    /// </summary>
    public const int EnoughRows = 1024;

    /// <summary>
    /// Micro-batches of one group, a power of two, at most <paramref name="most"/>; not more than the head makes logits of at once.
    /// </summary>
    public static int Size(int rowsOfMicroBatch, int vocabulary, int most)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(rowsOfMicroBatch, 1);
        ArgumentOutOfRangeException.ThrowIfLessThan(most, 1);
        var rows = Math.Min(EnoughRows, CrossEntropyOperation.RowsAtOnce(vocabulary));
        return 1 << BitOperations.Log2((uint)Math.Clamp(rows / rowsOfMicroBatch, 1, most));
    }

    /// <summary>The full subtrees, of at most so many micro-batches, that consecutive micro-batches of one shape are cut into.</summary>
    public static IReadOnlyList<TreeNode> Nodes(int first, int end, int most)
    {
        var nodes = new List<TreeNode>();
        while (first < end)
        {
            var count = 1 << BitOperations.Log2((uint)Math.Min(most, end - first));
            while (first % count != 0)
                count /= 2;
            nodes.Add(new TreeNode(first, count));
            first += count;
        }
        return nodes;
    }

    /// <summary>Cuts consecutive micro-batches into full subtrees of one shape, as large as <see cref="Size"/> allows.</summary>
    /// <param name="most">Micro-batches of a subtree, at most.</param>
    public static IEnumerable<(TreeNode Node, IReadOnlyList<MicroBatch> MicroBatches)> Of(
        IReadOnlyList<MicroBatch> range, int vocabulary, int most = int.MaxValue)
    {
        ArgumentNullException.ThrowIfNull(range);
        for (var at = 0; at < range.Count;)
        {
            var first = range[at];
            var alike = 1;
            while (at + alike < range.Count && range[at + alike].HasShapeOf(first))
                alike++;
            var count = Size(first.Inputs.Length, vocabulary, Math.Min(alike, most));
            while (first.Index % count != 0)
                count /= 2;
            var start = at;
            yield return (new TreeNode(first.Index, count), [.. Enumerable.Range(start, count).Select(i => range[i])]);
            at += count;
        }
    }
}
