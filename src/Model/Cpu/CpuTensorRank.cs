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
    private ScatteredRows _scattered = new();
    private Share? _pass;
    private GradientBuffer? _rented;
    private bool _isAtWork;

    /// <summary>Where the rank folds its slice; null where it is not in a group, or has the group's sums.</summary>
    public HostVector? Gradient { get; private set; }

    /// <inheritdoc/>
    public void BeginStep(DeviceVector? foldsInto = null)
    {
        if (foldsInto is null)
        {
            Leave();
            gradients.Clear();
        }
        (_pass, Gradient) = (null, (HostVector?)foldsInto);
    }

    /// <inheritdoc/>
    public void Leave()
    {
        if (!_isAtWork)
            return;
        _isAtWork = false;
        if (network.Abandon() is { } arena)
            _pass!.Abandoned = new AbandonedBuffer(arena);
        gradients.Abandon();
        (_pass, _rented, _scattered) = (null, null, new ScatteredRows());
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
        share.CheckRows(group);
        var (flat, given) = ((HostVector)into.Flat, inputs(seed, precision, lossScale));
        _scattered.Clear();
        _isAtWork = true;
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
        GC.KeepAlive(ranks);
        return isOver;
    }

    /// <inheritdoc/>
    public void End() => _isAtWork = false;

    /// <inheritdoc/>
    public double[] Add(TreeNode node, IReadOnlyList<ITensorPass> ranks)
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

    private sealed class Share(CpuPass pass, IReadOnlyList<MicroBatch> group, GradientBuffer into, TrainingInputs inputs) : ITensorPass
    {
        public CpuPass Pass { get; } = pass;

        public IReadOnlyList<MicroBatch> Group { get; } = group;

        public GradientBuffer Into { get; } = into;

        public TrainingInputs Inputs { get; } = inputs;

        public AbandonedBuffer? Abandoned { get; set; }
    }

    private sealed class AbandonedBuffer(NativeBuffer buffer)
    {
#pragma warning disable MA0055 // native memory, which a rank that goes on later may outlive every other owner of
        ~AbandonedBuffer() => buffer.Dispose();
#pragma warning restore MA0055
    }
}
