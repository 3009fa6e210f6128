using System.Numerics;
using CsCheck;

namespace Elastic.Kernels.Tests;

public class SumTreeTests
{
    [Fact]
    public void Roots_that_leave_a_gap_or_overlap_are_refused()
    {
        Assert.Throws<ArgumentException>(() => SumTree.Fold([(new TreeNode(0, 1), "0"), (new TreeNode(2, 1), "2")], 3, (a, b) => a + b));
        Assert.Throws<ArgumentException>(() => SumTree.Fold([(new TreeNode(0, 2), "01"), (new TreeNode(1, 2), "12")], 4, (a, b) => a + b));
        Assert.Throws<ArgumentException>(() => SumTree.Fold([(new TreeNode(1, 2), "12"), (new TreeNode(0, 1), "0")], 3, (a, b) => a + b));
    }

    [Theory]
    [InlineData(1, "0")]
    [InlineData(2, "(0+1)")]
    [InlineData(5, "(((0+1)+(2+3))+4)")]
    [InlineData(7, "(((0+1)+(2+3))+((4+5)+6))")]
    public void The_tree_splits_at_the_largest_power_of_two_below_its_size(int n, string tree)
        => Assert.Equal(tree, Symbolic([(0, n)], n));

    [Fact]
    public void Any_split_over_any_number_of_devices_gives_the_same_tree()
        => Gen.Select(Gen.Int[1, 70], Gen.Int[0, 70].Array[0, 9]).Sample((n, cuts) =>
        {
            var bounds = cuts.Select(c => c % (n + 1)).Append(0).Append(n).Order().ToList();
            var ranges = bounds.Zip(bounds.Skip(1), (a, b) => (a, b - a));
            Assert.Equal(Symbolic([(0, n)], n), Symbolic(ranges, n));
        }, iter: 2000);

    [Fact]
    public void A_cover_has_logarithmically_many_full_subtrees()
        => Gen.Select(Gen.Int[0, 5000], Gen.Int[0, 5000]).Sample((first, count) =>
        {
            var nodes = Cover(first, count);
            Assert.Equal(count, nodes.Sum(n => n.Count));
            Assert.All(nodes, n => Assert.True(int.IsPow2(n.Count) && n.First % n.Count == 0));
            Assert.True(nodes.Count <= 2 * Math.Log2(count + 2));
        });

    // What each device would compute of its range, then the fold of all: the sum written out.
    private static string Symbolic(IEnumerable<(int First, int Count)> ranges, int n)
    {
        var roots = ranges.SelectMany(r => Cover(r.First, r.Count)).Select(node => (node, Full(node))).ToList();
        return SumTree.Fold(roots, n, (a, b) => $"({a}+{b})");
    }

    // The fewest full subtrees that make up [first, first + count), in order: what a device that holds this range adds up alone.
    private static List<TreeNode> Cover(int first, int count)
    {
        var nodes = new List<TreeNode>();
        for (int at = first, end = first + count; at < end; at += nodes[^1].Count)
        {
            var aligned = at == 0 ? 1 << 30 : at & -at;
            nodes.Add(new TreeNode(at, Math.Min(aligned, 1 << BitOperations.Log2((uint)(end - at)))));
        }
        return nodes;
    }

    private static string Full(TreeNode node) => node.Count == 1
        ? $"{node.First}"
        : $"({Full(node with { Count = node.Count / 2 })}+{Full(new TreeNode(node.First + node.Count / 2, node.Count / 2))})";
}
