using Elastic.Model.Operators;
using Elastic.Model.Tapes;
using static TorchSharp.torch;

namespace Elastic.Torch.Cuda.Passes;

/// <summary>Functions of each number.</summary>
/// <param name="kind">Which one an operation computes.</param>
internal sealed class ActivationsOnGpu(Func<Operation, ActivationKind> kind) : GpuOperator
{
    /// <inheritdoc/>
    public override void Forward(GpuPass pass, Operation operation)
    {
        var (x, y) = (pass[operation.Inputs[0]], pass.New(operation.Output!));
        pass.Tools.Kernels.Activate(kind(operation), DeviceMemory.Of(y), DeviceMemory.Of(x.to(y.dtype)), y.numel());
    }

    /// <inheritdoc/>
    public override void Backward(GpuPass pass, Operation operation)
    {
        var x = operation.Inputs[0];
        if (!pass.Gradients.AreWanted(x))
            return;
        var type = pass.Gradients.TypeOfNext(x);
        var (given, dy, dx) = (pass[x].to(type), pass.Dy.to(type), empty(x.Rows, x.Columns, type, pass.Tools.Device));
        if (pass.BiasGradientToSum(x) is { } bias)
            pass.Tools.Kernels.ActivateBackward(
                kind(operation), DeviceMemory.Of(dx), DeviceMemory.Of(dy), DeviceMemory.Of(given),
                pass.Tools.SumsInto(bias, x.Rows, x.Columns));
        else
            pass.Tools.Kernels.ActivateBackward(
                kind(operation), DeviceMemory.Of(dx), DeviceMemory.Of(dy), DeviceMemory.Of(given), dx.numel());
        pass.Gradients.Give(x, dx);
    }
}

/// <summary><see cref="SwiGluOperation"/>.</summary>
internal sealed class SwiGluOnGpu : GpuOperator<SwiGluOperation>
{
    /// <inheritdoc/>
    protected override void Forward(GpuPass pass, SwiGluOperation o)
    {
        var y = pass.New(o.Output!);
        pass.Tools.Kernels.SwiGlu(
            DeviceMemory.Of(y), DeviceMemory.Of(pass[o.Gate].to(y.dtype)), DeviceMemory.Of(pass[o.Up].to(y.dtype)), y.numel());
    }

    /// <inheritdoc/>
    protected override void Backward(GpuPass pass, SwiGluOperation o)
    {
        var type = pass.Gradients.TypeOfNext(o.Gate) == pass.Gradients.TypeOfNext(o.Up) ? pass.Gradients.TypeOfNext(o.Up) : float32;
        var (gate, up, dy) = (pass[o.Gate].to(type), pass[o.Up].to(type), pass.Dy.to(type));
        var (dGate, dUp) = (empty_like(gate), empty_like(up));
        pass.Tools.Kernels.SwiGluBackward(
            DeviceMemory.Of(dGate), DeviceMemory.Of(dUp), DeviceMemory.Of(dy), DeviceMemory.Of(gate), DeviceMemory.Of(up), dy.numel());
        if (pass.Gradients.AreWanted(o.Gate))
            pass.Gradients.Give(o.Gate, dGate);
        if (pass.Gradients.AreWanted(o.Up))
            pass.Gradients.Give(o.Up, dUp);
    }
}
