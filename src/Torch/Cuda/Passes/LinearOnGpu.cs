using Elastic.Model.Operators;
using Elastic.Torch.Cuda.CublasLt;
using static TorchSharp.torch;

namespace Elastic.Torch.Cuda.Passes;

/// <summary>
/// <see cref="LinearOperation"/>: products take the precision's type and write their result's, with one rounding; the gradient of a weight
/// is summed in fp32 where it lies.
/// </summary>
internal sealed class LinearOnGpu : GpuOperator<LinearOperation>
{
    /// <inheritdoc/>
    protected override void Forward(GpuPass pass, LinearOperation o)
    {
        var y = pass.New(o.Output!);
        var bias = o.Bias is null ? null : y.dtype == float32 ? pass.Parameters[o.Bias] : pass.Parameters.Weight(o.Bias);
        ProductOperators.Write(pass.Tools.Products, pass[o.Inputs[0]].to(pass.NarrowType), InOut(pass, o), y, adds: false, bias);
    }

    /// <inheritdoc/>
    protected override void Backward(GpuPass pass, LinearOperation o)
    {
        var x = o.Inputs[0];
        var dy = pass.Dy.to(pass.NarrowType);                                                                     // (N, out)
        if (pass.Gradients.AreWanted(x))
        {
            var (dx, adds) = pass.Gradients.Into(x);
            ProductOperators.Write(pass.Tools.Products, dy, InOut(pass, o).t(), dx, adds);
        }
        if (pass.Parameters.Gradient(o.Weight) is { } dWeight)
        {
            var from = pass[x].to(pass.NarrowType);                                                               // (N, in)
            // As the weight lies: rows of a product are contiguous.
            if (o.Order == WeightOrder.InOut)
                pass.Tools.AddProduct(dWeight, from.t(), dy);
            else
                pass.Tools.AddProduct(dWeight, dy.t(), from);
        }
        if (o.Bias is not null && !pass.HasSummed(o) && pass.Parameters.Gradient(o.Bias) is { } dBias)
            pass.Tools.AddColumnSums(dBias, pass.Dy);
    }

    // (in, out)
    private static Tensor InOut(GpuPass pass, LinearOperation o)
    {
        var weight = pass.Parameters.Weight(o.Weight);
        return o.Order == WeightOrder.InOut ? weight : weight.t();
    }
}
