using System.Numerics;
using Elastic.Kernels.Optimization;

namespace Elastic.Kernels;

/// <summary>
/// How the replicas' contributions become the next version, chunk by chunk. Pure arithmetic on spans, element by element, so neither the
/// node nor the cut of the vector changes the result.
/// </summary>
public static class Averaging
{
    // Elements that are folded at once: a few such pieces fit the first-level cache.
    private const int Piece = 2048;

    /// <summary>
    /// The mean of the replicas' contributions, summed along <see cref="SumTree"/> over the replicas in fp32 and then divided. For one
    /// replica it is that replica's bits.
    /// </summary>
    /// <param name="contributions">One per replica, in the replicas' order, each as long as <paramref name="into"/>.</param>
    /// <exception cref="ArgumentException">There is none, or lengths differ.</exception>
    public static void Mean(IReadOnlyList<ReadOnlyMemory<float>> contributions, Span<float> into)
    {
        Sum(contributions, into);
        Divide(into, contributions.Count);
    }

    /// <summary>Adds the sum of the next replicas to that of the ones before.</summary>
    public static void Add(Span<float> sum, ReadOnlySpan<float> next) => Elementwise.Add(sum, next, sum);

    /// <summary>Divides the sum of the contributions of all replicas by their number; that of a single one stays as it is.</summary>
    public static void Divide(Span<float> sum, int replicas)
    {
        if (replicas > 1)
            Elementwise.Divide(sum, replicas, sum);
    }

    /// <summary>The sum of contributions along <see cref="SumTree"/>, in fp32. Of a single one it is that one's bits.</summary>
    /// <param name="contributions">Of consecutive replicas, in their order, each as long as <paramref name="into"/>.</param>
    /// <param name="into">May be the first contribution.</param>
    /// <exception cref="ArgumentException">There is none, or lengths differ.</exception>
    public static void Sum(IReadOnlyList<ReadOnlyMemory<float>> contributions, Span<float> into)
    {
        ArgumentNullException.ThrowIfNull(contributions);
        if (contributions.Count == 0)
            throw new ArgumentException("there is no contribution to average", nameof(contributions));
        foreach (var contribution in contributions)
        {
            if (contribution.Length != into.Length)
                throw new ArgumentException($"a contribution has {contribution.Length} elements, not {into.Length}", nameof(contributions));
        }
        // Room for a right-hand sum at each level of the tree.
        Span<float> scratch = new float[Piece * (BitOperations.Log2((uint)contributions.Count) + 1)];
        for (var at = 0; at < into.Length; at += Piece)
        {
            var piece = into.Slice(at, Math.Min(Piece, into.Length - at));
            var sum = Sum(contributions, at, new TreeNode(0, contributions.Count), piece, scratch);
            if (contributions.Count == 1)
                sum.CopyTo(piece);
        }
    }

    /// <summary>
    /// DiLoCo's outer step (Douillard et al. 2023, algorithm 1; the Nesterov form of PyTorch's SGD):
    /// g = version - mean; momentum = μ momentum + g; version -= lr (g + μ momentum).
    /// </summary>
    /// <param name="version">The last version; becomes the next one.</param>
    /// <param name="momentum">The outer momentum, zeros before the first round; is updated.</param>
    /// <exception cref="ArgumentException">Lengths differ.</exception>
    public static void OuterStep(
        Span<float> version, ReadOnlySpan<float> mean, Span<float> momentum, double learningRate, double outerMomentum)
    {
        if (version.Length != mean.Length || version.Length != momentum.Length)
            throw new ArgumentException($"lengths differ: version {version.Length}, mean {mean.Length}, momentum {momentum.Length}");
        var (rate, mu) = ((float)learningRate, (float)outerMomentum);
        Elementwise.OuterStep(version, mean, momentum, rate, mu);
    }

    // Returns where the sum is: in a single contribution itself, else in "into".
    private static ReadOnlySpan<float> Sum(
        IReadOnlyList<ReadOnlyMemory<float>> contributions, int at, TreeNode node, Span<float> into, Span<float> scratch)
    {
        if (node.Count == 1)
            return contributions[node.First].Span.Slice(at, into.Length);
        var left = SumTree.Split(node.Count);
        var leftSum = Sum(contributions, at, node with { Count = left }, into, scratch);
        var rightSum = Sum(
            contributions, at, new TreeNode(node.First + left, node.Count - left), scratch[..into.Length], scratch[into.Length..]);
        Elementwise.Add(leftSum, rightSum, into);
        return into;
    }
}
