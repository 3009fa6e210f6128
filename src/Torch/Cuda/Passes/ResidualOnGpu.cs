using Elastic.Model.Operators;
using static TorchSharp.torch;

namespace Elastic.Torch.Cuda.Passes;

/// <summary><see cref="ResidualOperation"/>, with the norm on top of it where that comes next and nothing is dropped.</summary>
internal sealed class ResidualOnGpu : GpuOperator<ResidualOperation>
{
    /// <inheritdoc/>
    protected override void Forward(GpuPass pass, ResidualOperation o)
    {
        var (x, branch, sum) = (pass[o.X], pass[o.Branch], pass.New(o.Output!));
        switch (pass.Next)
        {
            case var _ when o.Mask is { } mask:
                pass.Tools.Dropout(sum, branch, x, pass.DropoutKeys(mask), mask.Rate);
                break;
            case LayerNormOperation norm when norm.Inputs[0] == o.Output:
                LayerNormOnGpu.Make(pass, norm, x, branch, sum);
                pass.MadeNext(norm);
                break;
            case RmsNormOperation norm when norm.Inputs[0] == o.Output && norm.Channels == o.Output.Columns:
                RmsNormOnGpu.Make(pass, norm, x, branch, sum);
                pass.MadeNext(norm);
                break;
            default:
                pass.Tools.ScaledSum(sum, x, branch, 1);
                break;
        }
    }

    /// <inheritdoc/>
    protected override void Backward(GpuPass pass, ResidualOperation o)
    {
        if (pass.Gradients.AreWanted(o.Branch))
        {
            if (o.Mask is { } mask)
            {
                var dBranch = empty(o.Branch.Rows, o.Branch.Columns, pass.Gradients.TypeOfNext(o.Branch), pass.Tools.Device);
                pass.Tools.Dropout(dBranch, pass.Dy, null, pass.DropoutKeys(mask), mask.Rate);
                pass.Gradients.Give(o.Branch, dBranch);
            }
            else
                pass.Gradients.Pass(pass.OutputGradient, o.Branch);
        }
        if (pass.Gradients.AreWanted(o.X))
            pass.Gradients.Pass(pass.OutputGradient, o.X);
    }
}
