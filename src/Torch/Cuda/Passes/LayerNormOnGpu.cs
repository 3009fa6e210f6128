using Elastic.Model.Operators;
using Elastic.Model.Tapes;
using Elastic.Torch.Native;
using static TorchSharp.torch;

namespace Elastic.Torch.Cuda.Passes;

/// <summary><see cref="LayerNormOperation"/>. Means and inverse deviations of the rows are kept.</summary>
internal sealed unsafe class LayerNormOnGpu : GpuOperator<LayerNormOperation>
{
    /// <summary>The norm of x + branch and that sum, in one pass over memory; without a branch the norm of x.</summary>
    /// <param name="sum">fp32; null without a branch.</param>
    public static void Make(GpuPass pass, LayerNormOperation o, Tensor x, Tensor? branch, Tensor? sum)
    {
        var (N, C) = (x.shape[0], (int)x.shape[1]);
        var (y, statistics) = (pass.New(o.Output!), empty(2, N, float32, x.device));
        var means = Dispatcher.Floats(statistics);
        pass.Tools.Kernels.LayerNormForward(
            DeviceMemory.Of(y), sum is null ? null : Dispatcher.Floats(sum), DeviceMemory.Of(x),
            branch is null ? DeviceMemory.None : DeviceMemory.Of(branch), Dispatcher.Floats(pass.Parameters[o.Gain]),
            Dispatcher.Floats(pass.Parameters[o.Bias]), means, means + N, N, C, (float)o.Epsilon);
        pass.Save(o, statistics);
    }

    /// <inheritdoc/>
    protected override void Forward(GpuPass pass, LayerNormOperation o) => Make(pass, o, pass[o.Inputs[0]], null, null);

    /// <inheritdoc/>
    protected override void Backward(GpuPass pass, LayerNormOperation o)
    {
        var means = Dispatcher.Floats(pass.Saved<Tensor>(o, 0));
        NormsOnGpu.Backward(pass, o.Inputs[0], o.Output!.Columns, o.Gain, o.Bias, means, means + o.Output.Rows);
    }
}

/// <summary><see cref="RmsNormOperation"/>, of whole rows or of each head. The inverse root mean squares are kept.</summary>
internal sealed unsafe class RmsNormOnGpu : GpuOperator<RmsNormOperation>
{
    /// <summary>As <see cref="LayerNormOnGpu.Make"/>.</summary>
    public static void Make(GpuPass pass, RmsNormOperation o, Tensor x, Tensor? branch, Tensor? sum)
    {
        var (y, inverses) = (pass.New(o.Output!), empty(x.numel() / o.Channels, float32, x.device));
        pass.Tools.Kernels.RmsNormForward(
            DeviceMemory.Of(y), sum is null ? null : Dispatcher.Floats(sum), DeviceMemory.Of(x),
            branch is null ? DeviceMemory.None : DeviceMemory.Of(branch), Dispatcher.Floats(pass.Parameters[o.Gain]),
            Dispatcher.Floats(inverses), inverses.shape[0], o.Channels, (float)o.Epsilon);
        pass.Save(o, inverses);
    }

    /// <inheritdoc/>
    protected override void Forward(GpuPass pass, RmsNormOperation o) => Make(pass, o, pass[o.Inputs[0]], null, null);

    /// <inheritdoc/>
    protected override void Backward(GpuPass pass, RmsNormOperation o) => NormsOnGpu.Backward(
        pass, o.Inputs[0], o.Channels, o.Gain, null, null, Dispatcher.Floats(pass.Saved<Tensor>(o, 0)));
}

/// <summary>What both norms do backwards.</summary>
internal static unsafe class NormsOnGpu
{
    /// <summary>Makes the gradient of what the norm read, and adds those of gain and bias.</summary>
    /// <param name="channels">Channels that are normalised together.</param>
    /// <param name="bias">Null for none.</param>
    public static void Backward(GpuPass pass, Value x, int channels, string gain, string? bias, float* means, float* inverses)
    {
        var (rows, isWanted) = (x.Count / channels, pass.Gradients.AreWanted(x));
        var (dGain, dBias) = (pass.Parameters.Gradient(gain), bias is null ? null : pass.Parameters.Gradient(bias));
        if (!isWanted && dGain is null)
            return;
        var (dx, adds) = isWanted ? pass.Gradients.Into(x) : (null, false);
        var branch = isWanted ? BranchOf(pass, x) : null;
        var narrow = branch is not null && pass.Tape.IsNarrow(branch) && pass.Gradients.TypeOfNext(branch) != float32
            ? empty(x.Rows, x.Columns, pass.NarrowType, pass.Tools.Device)
            : null;
        var dBranchBias = branch is null || channels != x.Columns ? null : pass.BiasGradientToSum(branch);
        var partRows = DeviceKernels.PartRowsOf(rows);
        var sums = dGain is null && dBranchBias is null
            ? null
            : empty(3 * DeviceKernels.Parts(rows, partRows), channels, float32, pass.Tools.Device);
        pass.Tools.Kernels.NormBackward(new NormBackward
        {
            Dy = DeviceMemory.Of(pass.Dy),
            X = DeviceMemory.Of(pass[x]),
            Gain = Dispatcher.Floats(pass.Parameters[gain]),
            Means = means,
            Inverses = inverses,
            Rows = rows,
            Columns = channels,
            Dx = dx is null ? DeviceMemory.None : DeviceMemory.Of(dx),
            AddsToDx = adds,
            NarrowDx = narrow is null ? DeviceMemory.None : DeviceMemory.Of(narrow),
            GainGradient = dGain is null ? null : Dispatcher.Floats(dGain),
            BiasGradient = dBias is null ? null : Dispatcher.Floats(dBias),
            BranchBiasGradient = dBranchBias is null ? null : Dispatcher.Floats(dBranchBias),
            Sums = sums is null ? null : Dispatcher.Floats(sums),
            PartRows = partRows,
        });
        if (narrow is not null)
            pass.Gradients.Round(x, narrow);
    }

    // The branch of the residual sum that the norm read, where the norm is the last that adds to the sum's gradient: the branch gets that.
    private static Value? BranchOf(GpuPass pass, Value sum) =>
        sum.Producer is ResidualOperation { Mask: null } r && r == pass.Before && pass.Gradients.AreWanted(r.Branch) ? r.Branch : null;
}
