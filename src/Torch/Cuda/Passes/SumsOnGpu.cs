using Elastic.Model.Operators;
using Elastic.Torch.Cuda.CublasLt;
using Elastic.Torch.Native;
using static TorchSharp.torch;

namespace Elastic.Torch.Cuda.Passes;

/// <summary><see cref="DropoutOperation"/>.</summary>
internal sealed class DropoutOnGpu : GpuOperator<DropoutOperation>
{
    /// <inheritdoc/>
    protected override void Forward(GpuPass pass, DropoutOperation o) =>
        pass.Tools.Dropout(pass.New(o.Output!), pass[o.Inputs[0]], null, pass.DropoutKeys(o.Mask), o.Mask.Rate);

    /// <inheritdoc/>
    protected override void Backward(GpuPass pass, DropoutOperation o)
    {
        var x = o.Inputs[0];
        if (!pass.Gradients.AreWanted(x))
            return;
        var dx = empty(x.Rows, x.Columns, pass.Gradients.TypeOfNext(x), pass.Tools.Device);
        pass.Tools.Dropout(dx, pass.Dy, null, pass.DropoutKeys(o.Mask), o.Mask.Rate);
        pass.Gradients.Give(x, dx);
    }
}

/// <summary><see cref="ScaledSumOperation"/>.</summary>
internal sealed class ScaledSumOnGpu : GpuOperator<ScaledSumOperation>
{
    /// <inheritdoc/>
    protected override void Forward(GpuPass pass, ScaledSumOperation o) =>
        pass.Tools.ScaledSum(pass.New(o.Output!), pass[o.X], pass[o.Branch], o.Scale);

    /// <inheritdoc/>
    protected override void Backward(GpuPass pass, ScaledSumOperation o)
    {
        if (pass.Gradients.AreWanted(o.Branch))
        {
            var dBranch = empty(o.Branch.Rows, o.Branch.Columns, pass.Gradients.TypeOfNext(o.Branch), pass.Tools.Device);
            pass.Tools.Kernels.Scale(DeviceMemory.Of(dBranch), DeviceMemory.Of(pass.Dy), o.Scale, dBranch.numel());
            pass.Gradients.Give(o.Branch, dBranch);
        }
        if (pass.Gradients.AreWanted(o.X))
            pass.Gradients.Pass(pass.OutputGradient, o.X);
    }
}

/// <summary><see cref="AddRowOperation"/>.</summary>
internal sealed class AddRowOnGpu : GpuOperator<AddRowOperation>
{
    /// <inheritdoc/>
    protected override void Forward(GpuPass pass, AddRowOperation o)
    {
        var table = pass.Parameters[o.Table];
        var rows = pass.Inputs.Types is { } types ? table.index_select(0, types) : table.narrow(0, 0, 1);
        pass.New(o.Output!).copy_(pass[o.Inputs[0]]).AddInPlace(rows);
    }

    /// <inheritdoc/>
    protected override void Backward(GpuPass pass, AddRowOperation o)
    {
        if (pass.Parameters.Gradient(o.Table) is { } dTable)
        {
            // A product with ones where a row is of a type: each sum in one order.
            if (pass.Inputs.Types is { } types)
            {
                var ones = types.unsqueeze(0).eq(NumberOperators.CountTo(dTable.shape[0], int64, types.device).unsqueeze(1)).to(float32);
                ProductOperators.Write(pass.Tools.Products, ones, pass.Dy, dTable, adds: true);
            }
            else
            {
                pass.Tools.AddColumnSums(dTable.narrow(0, 0, 1), pass.Dy);
            }
        }
        if (pass.Gradients.AreWanted(o.Inputs[0]))
            pass.Gradients.Pass(pass.OutputGradient, o.Inputs[0]);
    }
}

/// <summary><see cref="PartOperation"/>.</summary>
internal sealed class PartOnGpu : GpuOperator<PartOperation>
{
    /// <inheritdoc/>
    protected override void Forward(GpuPass pass, PartOperation o) =>
        pass.New(o.Output!).view(pass.Tape.Shape.MicroBatches, o.Count, -1).copy_(Rows(pass, o, pass[o.Inputs[0]]));

    /// <inheritdoc/>
    protected override void Backward(GpuPass pass, PartOperation o)
    {
        if (pass.Gradients.AreWanted(o.Inputs[0]))
            Rows(pass, o, pass.Gradients.Sum(o.Inputs[0])).AddInPlace(pass.Dy.view(pass.Tape.Shape.MicroBatches, o.Count, -1));
    }

    // (micro-batches, rows, C): a view.
    private static Tensor Rows(GpuPass pass, PartOperation o, Tensor x) =>
        x.view(pass.Tape.Shape.MicroBatches, -1, x.shape[1]).narrow(1, o.First, o.Count);
}
