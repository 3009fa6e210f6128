using Elastic.Foundation;
using Elastic.Kernels;
using Elastic.Model.Batches;
using Elastic.Model.Networks;
using Elastic.Model.Splits;
using Elastic.Model.Tapes;
using Elastic.Model.Training;
using Elastic.Model.Vectors;

namespace Elastic.Model.Cpu;

/// <summary>A CPU device as a rank of a tensor group: it reads the other ranks' activations in their memory.</summary>
/// <param name="inputs">Makes what all passes of a step read.</param>
internal sealed class CpuTensorRank(
    CpuNetwork network, GradientTree gradients, Func<DropoutSeed, Precision, double, TrainingInputs> inputs) : ITensorRank, IDisposable
{
    private readonly ScatteredRows _scattered = new();
    private Share? _pass;
    private GradientBuffer? _rented;

    /// <summary>Where the rank folds its slice; null where it is not in a group, or has the group's sums.</summary>
    public HostVector? Gradient { get; private set; }

    /// <inheritdoc/>
    public void BeginStep(DeviceVector? foldsInto = null)
    {
        (_pass, Gradient) = (null, (HostVector?)foldsInto);
        if (_rented is { } left)
            gradients.Return(left);
        _rented = null;
        gradients.Clear();
    }

    /// <inheritdoc/>
    public (GradientBuffer Into, bool Adds) Rent(TreeNode node)
    {
        // The right half of a subtree is added to the left one as it is computed.
        if (gradients.LeftOf(node) is { } left)
            return (left, true);
        _rented = gradients.Rent();
        return (_rented, false);
    }

    /// <inheritdoc/>
    public ITensorPass Begin(
        TensorShare share, IReadOnlyList<MicroBatch> group, DropoutSeed seed, Precision precision, double lossScale, GradientBuffer into,
        bool adds)
    {
        var rows = group.Count * group[0].Inputs.Length;
        if (rows < share.Ranks)
            throw new ElasticException($"{rows} tokens cannot be divided among the {share.Ranks} devices of a tensor group");
        var (flat, given) = ((HostVector)into.Flat, inputs(seed, precision, lossScale));
        _scattered.Clear();
        return _pass = new Share(network.BeginShare(share, group, given, flat, adds, _scattered), group, into, given);
    }

    /// <inheritdoc/>
    public bool Advance(IReadOnlyList<ITensorPass> ranks)
    {
        var pass = _pass ?? throw new InvalidOperationException("no pass has begun");
        if (pass.Pass.Ranks.Count == 0 || !ReferenceEquals(pass.Pass.Ranks[0], ((Share)ranks[0]).Pass))
            pass.Pass.Ranks = [.. ranks.Select(r => ((Share)r).Pass)];
        var isOver = pass.Pass.RunSegment();
        GC.KeepAlive(pass);
        return isOver;
    }

    /// <inheritdoc/>
    public double[] End(TreeNode node, IReadOnlyList<ITensorPass> ranks)
    {
        var own = _pass ?? throw new InvalidOperationException("no pass has begun");
        foreach (var pass in ranks.Cast<Share>().Select(r => r.Pass))
        {
            // Each token's rows are one rank's, and each row's loss.
            own.Into.Scattered.Add(pass.Scattered);
            var (first, count) = pass.Tape.Share!.RowsOf(pass.Shape.Rows);
            pass.Losses.AsSpan(first, count).CopyTo(own.Pass.Losses.AsSpan(first));
        }
        if (_rented is { } rented)
            gradients.Add(node, rented);
        else
            gradients.AddedToLeft(node);
        _rented = null;
        return CpuNetwork.LossesOf(own.Pass, own.Group);
    }

    /// <inheritdoc/>
    public void Dispose() => _scattered.Dispose();

    private sealed record Share(CpuPass Pass, IReadOnlyList<MicroBatch> Group, GradientBuffer Into, TrainingInputs Inputs) : ITensorPass;
}
