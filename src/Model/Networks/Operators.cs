using Elastic.Model.Native;
using TorchSharp;
using static TorchSharp.torch;

namespace Elastic.Model.Networks;

/// <summary>The operators of the forward and backward passes, each with its gradient. Rows N, columns C.</summary>
internal static class Operators
{
    private const double NormEpsilon = 1e-5; // GPT-2's

    private static readonly bool[] AllThree = [true, true, true];

    /// <summary>x W + b. (N, in) (in, out) (out) -> (N, out)</summary>
    public static Tensor Linear(Tensor x, Tensor weight, Tensor bias) => Matmul.Linear(x, weight, bias);

    /// <summary>
    /// The gradients of <see cref="Linear"/>: overwrites the views with dW = xᵀ dy and db = Σ dy, returns dx = dy Wᵀ, (N, in).
    /// </summary>
    public static Tensor LinearBackward(Tensor dy, Tensor x, Tensor weight, Tensor weightGradient, Tensor biasGradient)
    {
        using var scope = NewDisposeScope();
        Matmul.Multiply(weightGradient, x.t(), dy);
        biasGradient.copy_(dy.sum(dim: 0));
        return Matmul.Multiply(empty(x.shape, x.dtype, x.device), dy, weight.t()).MoveToOuterDisposeScope();
    }

    /// <summary>Layer normalisation (Ba et al. 2016). (N, C) -> (N, C), and mean and 1/deviation of each row, (N, 1).</summary>
    public static (Tensor Y, Tensor Mean, Tensor InverseDeviation) LayerNorm(Tensor x, Tensor gain, Tensor bias)
    {
        var r = Dispatcher.Call(
            "aten::native_layer_norm", "", 3, x, x.shape[^1..],
            Dispatcher.Argument.Some(gain), Dispatcher.Argument.Some(bias), NormEpsilon);
        return (r[0], r[1], r[2]);
    }

    /// <summary>The gradients of <see cref="LayerNorm"/>: writes those of gain and bias, returns that of x.</summary>
    public static Tensor LayerNormBackward(
        Tensor dy, Tensor x, Tensor mean, Tensor inverseDeviation, Tensor gain, Tensor bias, Tensor gainGradient, Tensor biasGradient)
    {
        var r = Dispatcher.Call(
            "aten::native_layer_norm_backward", "", 3, dy, x, x.shape[^1..], mean, inverseDeviation,
            Dispatcher.Argument.Some(gain), Dispatcher.Argument.Some(bias), AllThree);
        gainGradient.copy_(r[1]);
        biasGradient.copy_(r[2]);
        r[1].Dispose();
        r[2].Dispose();
        return r[0];
    }

    /// <summary>into[index[i]] += rows[i] for each i, in the order of i where an index repeats. (V, C) (N) (N, C)</summary>
    public static void AddRows(Tensor into, Tensor index, Tensor rows)
    {
        if (into.device_type == DeviceType.CPU)
            into.index_add_(0, index, rows, 1);
        else
            AddRowsSorted(into, index, rows);
    }

    /// <summary>
    /// The same for a GPU, where index_add_ uses atomics, in another order each time. This one sorts the indices first, and the sort is
    /// stable.
    /// </summary>
    internal static void AddRowsSorted(Tensor into, Tensor index, Tensor rows) => into.index_put_(rows, [index], accumulate: true);

    /// <summary>GELU by its tanh approximation (Hendrycks and Gimpel 2016, section 2), as GPT-2 has it.</summary>
    public static Tensor Gelu(Tensor x) => Dispatcher.Call("aten::gelu", "", 1, x, "tanh")[0];

    /// <summary>The gradient of <see cref="Gelu"/>.</summary>
    public static Tensor GeluBackward(Tensor dy, Tensor x) => Dispatcher.Call("aten::gelu_backward", "", 1, dy, x, "tanh")[0];
}
