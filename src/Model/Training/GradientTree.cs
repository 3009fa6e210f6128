using Elastic.Kernels;
using Elastic.Model.Vectors;
using TorchSharp;
using static TorchSharp.torch;

namespace Elastic.Model.Training;

/// <summary>The summed gradient of a full subtree of micro-batches, held by one device.</summary>
/// <param name="Node">The micro-batches of the subtree.</param>
/// <param name="Gradient">(layout.Length). Valid until the device's next <see cref="TrainingDevice.Accumulate"/>.</param>
public sealed record SubtreeRoot(TreeNode Node, Tensor Gradient);

/// <summary>A flat gradient and its views.</summary>
internal sealed class GradientBuffer(FlatLayout layout, Tensor flat) : IDisposable
{
    public Tensor Flat { get; } = flat;

    public ParameterViews Views { get; } = new(layout, flat);

    public void Dispose()
    {
        Views.Dispose();
        Flat.Dispose();
    }
}

/// <summary>
/// Adds up gradients of consecutive micro-batches along <see cref="SumTree"/> with logarithmically many buffers, as a binary counter
/// carries: two neighbours of equal size that begin at a multiple of twice the size become one.
/// </summary>
internal sealed class GradientTree(FlatLayout layout, torch.Device device) : IDisposable
{
    private readonly List<(TreeNode Node, GradientBuffer Buffer)> _roots = [];
    private readonly Stack<GradientBuffer> _free = new();

    /// <summary>The subtrees held now, in order.</summary>
    public IReadOnlyList<SubtreeRoot> Roots => [.. _roots.Select(r => new SubtreeRoot(r.Node, r.Buffer.Flat))];

    /// <summary>Forgets all sums; their buffers are used again.</summary>
    public void Clear()
    {
        // Backwards, so that the next step rents the buffers in the same order.
        for (var i = _roots.Count - 1; i >= 0; i--)
            _free.Push(_roots[i].Buffer);
        _roots.Clear();
    }

    /// <summary>
    /// A buffer for one micro-batch's gradient. Its segments hold anything, and the user overwrites all of them; the padding between
    /// segments stays zero, because no view reaches it.
    /// </summary>
    public GradientBuffer Rent()
        => _free.TryPop(out var buffer)
            ? buffer
            : new GradientBuffer(layout, zeros(layout.Length, float32, device).DetachFromDisposeScope());

    /// <summary>Takes back a rented buffer that was not added.</summary>
    public void Return(GradientBuffer buffer) => _free.Push(buffer);

    /// <summary>Adds the finished gradient of the next micro-batch.</summary>
    public void Add(int microBatch, GradientBuffer buffer)
    {
        var node = new TreeNode(microBatch, 1);
        while (_roots.Count > 0 && _roots[^1].Node.Count == node.Count && _roots[^1].Node.First % (2 * node.Count) == 0)
        {
            var left = _roots[^1];
            left.Buffer.Flat.add_(buffer.Flat);
            _free.Push(buffer);
            (node, buffer) = (new TreeNode(left.Node.First, 2 * node.Count), left.Buffer);
            _roots.RemoveAt(_roots.Count - 1);
        }
        _roots.Add((node, buffer));
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        Clear();
        foreach (var buffer in _free)
            buffer.Dispose();
        _free.Clear();
    }
}
