using System.Numerics;
using System.Runtime.InteropServices;

namespace Elastic.Kernels;

/// <summary>A node of the tree: the indices [First, First + Count).</summary>
[StructLayout(LayoutKind.Auto)]
public readonly record struct TreeNode(int First, int Count)
{
    /// <summary>The index after the last.</summary>
    public int End => First + Count;
}

/// <summary>
/// The one order in which values are added up, on whichever node they are. A sum over [0, n) splits at the largest power of two below n,
/// and each half again in the same way:
///
///   n = 5:  ((0 + 1) + (2 + 3)) + 4
///
/// Its full subtrees are the aligned ranges [k 2^j, (k + 1) 2^j), so a node with a contiguous range can add up the largest of those inside
/// it alone, and the rest is folded from these roots. Floating-point addition is commutative but not associative: the tree is the sum.
/// </summary>
public static class SumTree
{
    /// <summary>Where a node of <paramref name="count"/> indices, at least 2, splits: the size of its left half.</summary>
    public static int Split(int count)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(count, 2);
        return 1 << BitOperations.Log2((uint)count - 1);
    }

    /// <summary>
    /// Folds roots that together cover [0, n) exactly once, in tree order. For any full subtrees, the sum is that of n roots of one index
    /// each.
    /// </summary>
    /// <exception cref="ArgumentException">The roots leave a gap, overlap, or are no subtrees.</exception>
    public static T Fold<T>(IReadOnlyList<(TreeNode Node, T Value)> roots, int n, Func<T, T, T> add)
    {
        ArgumentNullException.ThrowIfNull(roots);
        ArgumentNullException.ThrowIfNull(add);
        var byNode = roots.ToDictionary(r => r.Node, r => r.Value);
        if (n < 1 || roots.Sum(r => r.Node.Count) != n)
            throw new ArgumentException($"the roots hold {roots.Sum(r => r.Node.Count)} of {n} indices", nameof(roots));
        return Sum(new TreeNode(0, n));

        T Sum(TreeNode node)
        {
            if (byNode.TryGetValue(node, out var value))
                return value;
            if (node.Count == 1)
                throw new ArgumentException($"no root holds index {node.First}", nameof(roots));
            var left = Split(node.Count);
            return add(Sum(node with { Count = left }), Sum(new TreeNode(node.First + left, node.Count - left)));
        }
    }
}
