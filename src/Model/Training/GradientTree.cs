using Elastic.Kernels;
using Elastic.Model.Vectors;

namespace Elastic.Model.Training;

/// <summary>
/// The summed gradient of a full subtree of micro-batches, held by one device. Rows of embeddings are summed apart from it, because the
/// token embedding's other share comes from the head.
/// </summary>
/// <param name="Node">The micro-batches of the subtree.</param>
/// <param name="Gradient">
/// (layout.TrainedLength). Valid until the device's next
/// <see cref="TrainingDevice.Accumulate(IReadOnlyList{Batches.MicroBatch}, Networks.DropoutSeed)"/>.
/// </param>
/// <param name="Scattered">What belongs on top of it, once all micro-batches are summed.</param>
public sealed record SubtreeRoot(TreeNode Node, DeviceVector Gradient, ScatteredRows Scattered);

/// <summary>A flat gradient, and the rows of embeddings that come on top.</summary>
public sealed class GradientBuffer(DeviceVector flat) : IDisposable
{
    /// <summary>(layout.TrainedLength).</summary>
    public DeviceVector Flat { get; } = flat;

    /// <inheritdoc cref="SubtreeRoot"/>
    public ScatteredRows Scattered { get; } = new();

    /// <inheritdoc/>
    public void Dispose()
    {
        Flat.Dispose();
        Scattered.Dispose();
    }
}

/// <summary>
/// Adds up gradients of consecutive micro-batches along <see cref="SumTree"/> with logarithmically many buffers, as a binary counter
/// carries: two neighbours of equal size that begin at a multiple of twice the size become one.
/// </summary>
/// <param name="allocate">Makes a vector of zeros on the device.</param>
/// <param name="add">Adds the second vector to the first, element by element.</param>
public sealed class GradientTree(Func<DeviceVector> allocate, Action<DeviceVector, DeviceVector> add) : IDisposable
{
    private readonly List<(TreeNode Node, GradientBuffer Buffer)> _roots = [];
    private readonly Stack<GradientBuffer> _free = new();

    /// <summary>The subtrees held now, in order.</summary>
    public IReadOnlyList<SubtreeRoot> Roots => [.. _roots.Select(r => new SubtreeRoot(r.Node, r.Buffer.Flat, r.Buffer.Scattered))];

    /// <summary>Forgets all sums; their buffers are used again.</summary>
    public void Clear()
    {
        // Backwards, so that the next step rents the buffers in the same order.
        for (var i = _roots.Count - 1; i >= 0; i--)
            _free.Push(_roots[i].Buffer);
        _roots.Clear();
    }

    /// <summary>
    /// A buffer for one subtree's gradient. Its segments hold anything, and the user overwrites all of them; the padding between segments
    /// stays zero, because nobody writes there.
    /// </summary>
    public GradientBuffer Rent()
    {
        if (!_free.TryPop(out var buffer))
            return new GradientBuffer(allocate());
        buffer.Scattered.Clear();
        return buffer;
    }

    /// <summary>Takes back a rented buffer that was not added.</summary>
    public void Return(GradientBuffer buffer) => _free.Push(buffer);

    /// <summary>
    /// The sum of the subtree that <paramref name="node"/> is the right half of, where it is held: the gradient of the node may be added to
    /// it directly. Null where there is none.
    /// </summary>
    public GradientBuffer? LeftOf(TreeNode node)
        => _roots.Count > 0 && AreSiblings(_roots[^1].Node, node) ? _roots[^1].Buffer : null;

    /// <summary>Tells that the gradient of <paramref name="node"/> was added to its left sibling's.</summary>
    public void AddedToLeft(TreeNode node)
    {
        var left = _roots[^1];
        _roots.RemoveAt(_roots.Count - 1);
        Add(new TreeNode(left.Node.First, left.Node.Count + node.Count), left.Buffer);
    }

    /// <summary>Adds the finished gradient of the next subtree.</summary>
    public void Add(TreeNode node, GradientBuffer buffer)
    {
        while (_roots.Count > 0 && AreSiblings(_roots[^1].Node, node))
        {
            var left = _roots[^1];
            add(left.Buffer.Flat, buffer.Flat);
            left.Buffer.Scattered.Add(buffer.Scattered);
            _free.Push(buffer);
            (node, buffer) = (new TreeNode(left.Node.First, 2 * node.Count), left.Buffer);
            _roots.RemoveAt(_roots.Count - 1);
        }
        _roots.Add((node, buffer));
    }

    /// <summary>Forgets all sums and buffers, to which others may still write: the garbage collector frees them.</summary>
    public void Abandon()
    {
        _roots.Clear();
        _free.Clear();
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        Clear();
        foreach (var buffer in _free)
            buffer.Dispose();
        _free.Clear();
    }

    /// <summary>How many sums there are at most, where gradients of these subtrees come in order, and how many in the end.</summary>
    /// <param name="inPlace">A right half is added to the left one as it is computed; else it has a sum of its own till then.</param>
    public static (int Most, int Left) MostSums(IEnumerable<TreeNode> nodes, bool inPlace = true)
    {
        ArgumentNullException.ThrowIfNull(nodes);
        var (roots, most) = (new List<TreeNode>(), 0);
        foreach (var next in nodes)
        {
            var node = next;
            if (!inPlace)
                most = Math.Max(most, roots.Count + 1);
            while (roots.Count > 0 && AreSiblings(roots[^1], node))
            {
                node = new TreeNode(roots[^1].First, 2 * node.Count);
                roots.RemoveAt(roots.Count - 1);
            }
            roots.Add(node);
            most = Math.Max(most, roots.Count);
        }
        return (most, roots.Count);
    }

    /// <summary>True for the two halves of a full subtree.</summary>
    internal static bool AreSiblings(TreeNode left, TreeNode right)
        => left.End == right.First && left.Count == right.Count && left.First % (2 * left.Count) == 0;
}
