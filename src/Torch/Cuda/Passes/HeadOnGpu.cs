using Elastic.Model.Operators;
using Elastic.Model.Tapes;
using Elastic.Torch.Cuda.CublasLt;
using Elastic.Torch.Native;
using static TorchSharp.torch;

namespace Elastic.Torch.Cuda.Passes;

/// <summary>
/// The head and its loss, <see cref="CrossEntropyOperation"/>. Logits are made for so many rows at once; in training they become their
/// gradients in place, from which those of the rows and of the weight are made before the next rows' logits take their memory. So a
/// training's forward pass computes nothing, and the backward pass all. In bf16 logits are of that type; in fp16 they are fp32, and so are
/// the head's products. N rows, C channels, V tokens of the vocabulary, P of them with those that only make products' rows a multiple:
/// their weights are zeros (in 16 bits; else P = V), and so are their logits' gradients.
/// </summary>
internal sealed class HeadOnGpu : GpuOperator<CrossEntropyOperation>
{
    /// <inheritdoc/>
    protected override void Forward(GpuPass pass, CrossEntropyOperation o)
    {
        if (pass.Tape.Purpose != TapePurpose.Training)
            Run(pass, o);
    }

    /// <inheritdoc/>
    protected override void Backward(GpuPass pass, CrossEntropyOperation o) => Run(pass, o);

    private static void Run(GpuPass pass, CrossEntropyOperation o)
    {
        var type = pass.NarrowType == bfloat16 ? bfloat16 : float32;
        var V = pass.Parameters[o.Weight].shape[0];
        var (h, weight) = (pass[o.Inputs[0]].to(type), Of(o.Weight).to(type));                                    // (N, C), (P, C)
        var bias = o.Bias is null ? null : type == float32 ? pass.Parameters[o.Bias] : Of(o.Bias);                // (P)
        if (pass.Tape.Purpose == TapePurpose.Generation)
        {
            var last = empty(1, weight.shape[0], type, h.device);
            ProductOperators.Write(pass.Tools.Products, h.narrow(0, h.shape[0] - 1, 1), weight.t(), last, adds: false, bias);
            pass.Losses = last.narrow(1, 0, V).to(float32).view(-1);                                              // (V)
            return;
        }
        var (N, rows) = (h.shape[0], RowsAtOnce(pass, h.shape[0], V, type));
        var losses = empty(N, float64, h.device);
        var isTraining = pass.Tape.Purpose == TapePurpose.Training;
        var dh = isTraining && pass.Gradients.AreWanted(o.Inputs[0]) ? pass.Gradients.Into(o.Inputs[0]) : (Gradient: null, Adds: false);
        var all = empty(rows, ProductShape.RoundUp(V, ProductShape.RowMultiple), type, h.device).narrow(1, 0, weight.shape[0]);
        var dWeight = isTraining ? pass.Parameters.Gradient(o.Weight) : null;                                     // (V, C)
        // A product of V columns is slow where that is no multiple.
        var sum = dWeight is null || weight.shape[0] == V ? dWeight : zeros_like(weight, float32);                // (P, C)
        for (var first = 0L; first < N; first += rows)
        {
            using var scope = NewDisposeScope();
            var (count, own) = (Math.Min(rows, N - first), h.narrow(0, first, Math.Min(rows, N - first)));
            var z = all.narrow(0, 0, count);
            ProductOperators.Write(pass.Tools.Products, own, weight.t(), z, adds: false, bias);
            Losses(pass, z, (int)V, first, losses);
            if (!isTraining)
                continue;
            if (dh.Gradient is { } gradient)
                ProductOperators.Write(pass.Tools.Products, z, weight, gradient.narrow(0, first, count), dh.Adds);
            // The logits are their gradient now.
            if (sum is not null)
                pass.Tools.AddProduct(sum, z.t(), own);
            if (o.Bias is not null && pass.Parameters.Gradient(o.Bias) is { } dBias)
                dBias.AddInPlace(z.narrow(1, 0, V).sum(dim: 0, type: float32));
        }
        if (sum is not null && !ReferenceEquals(sum, dWeight))
            dWeight!.AddInPlace(sum.narrow(0, 0, V));
        pass.Losses = losses;

        Tensor Of(string name) => type == bfloat16
            ? pass.Parameters.PaddedWeight(name, ProductShape.RowMultiple)
            : pass.Parameters.Weight(name);
    }

    // A power of two: the last rows are a multiple, too, where the micro-batch's are.
    private static long RowsAtOnce(GpuPass pass, long rows, long vocabulary, ScalarType type)
    {
        var most = Math.Max(16, pass.Inputs.LogitsAtOnce / (type == bfloat16 ? 1 : 2) / vocabulary);
        return Math.Min(rows, 1L << (int)Math.Log2(most));
    }

    // (count, P)
    private static unsafe void Losses(GpuPass pass, Tensor z, int V, long first, Tensor losses)
    {
        var (count, P, isTraining) = ((int)z.shape[0], (int)z.shape[1], pass.Tape.Purpose == TapePurpose.Training);
        var counted = pass.Inputs.Counted;
        pass.Tools.Kernels.CrossEntropyRows(
            new DeviceMemory((nint)Dispatcher.Data(z), DeviceMemory.TypeOf(z.dtype)), z.stride(0), count, V, P, V,
            (int*)Dispatcher.Data(pass.Inputs.Targets!) + first,
            counted is null ? null : Dispatcher.Floats(counted) + first, isTraining ? pass.Tape.LabelSmoothing : 0, pass.Inputs.LossFactor,
            isTraining, (double*)Dispatcher.Data(losses) + first);
    }
}
