using Elastic.Model.Operators;
using Elastic.Torch.Native;
using static TorchSharp.torch;

namespace Elastic.Torch.Cuda.Passes;

/// <summary><see cref="RotaryOperation"/>, in place both ways.</summary>
internal sealed unsafe class RotaryOnGpu : GpuOperator<RotaryOperation>
{
    /// <inheritdoc/>
    protected override void Forward(GpuPass pass, RotaryOperation o)
        => Rotate(pass, o, pass.Made(o.Output!, pass.TakeOver(o.Inputs[0])), isBackward: false);

    /// <inheritdoc/>
    protected override void Backward(GpuPass pass, RotaryOperation o)
    {
        if (!pass.Gradients.AreWanted(o.Inputs[0]))
            return;
        if (pass.OutputGradient.Owners > 1)
        {
            var dx = pass.Dy.clone();
            Rotate(pass, o, dx, isBackward: true);
            pass.Gradients.Give(o.Inputs[0], dx);
            return;
        }
        Rotate(pass, o, pass.Dy, isBackward: true);
        pass.Gradients.Pass(pass.OutputGradient, o.Inputs[0]);
    }

    private static void Rotate(GpuPass pass, RotaryOperation o, Tensor x, bool isBackward)
    {
        var (T, pairs) = (pass.Tape.Shape.Tokens, o.Angles.Frequencies.Count);
        var cosines = Dispatcher.Floats(pass.Tools.Constants.Of(new TurnsOf(o.Angles, T), () =>
        {
            var (cosines, sines) = o.Angles.Tables(T);
            return [.. cosines.AsSpan(0, T * pairs), .. sines.AsSpan(0, T * pairs)];
        }));
        pass.Tools.Kernels.Rotate(
            DeviceMemory.Of(x), x.shape[1], x.shape[0], (int)x.shape[1] / (2 * pairs), T, cosines, cosines + (long)T * pairs, pairs,
            isBackward);
    }
}
