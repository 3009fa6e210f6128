using Elastic.Kernels;
using Elastic.Model.Native;
using TorchSharp;
using static TorchSharp.torch;

namespace Elastic.Model.Networks;

/// <summary>Matrix products of tensors: <see cref="Gemm"/> for a CPU device of one thread, libtorch for everything else.</summary>
internal static class Matmul
{
    /// <summary>True when this thread computes with several arithmetic threads; Elastic's own kernel serves one only.</summary>
    [ThreadStatic]
    internal static bool ManyThreads;

    /// <summary>
    /// into = a b, or into += a b. (M, K) (K, N) -> (M, N), any of them transposed views; returns <paramref name="into"/>.
    /// </summary>
    public static unsafe Tensor Multiply(Tensor into, Tensor a, Tensor b, bool accumulate = false)
    {
        if (!Ours(into))
            return into.addmm_(a, b, accumulate ? 1 : 0, 1);
        Gemm.Multiply(View(into), View(a), View(b), accumulate);
        return into;
    }

    /// <summary>x w + bias. (N, in) (in, out) (out) -> (N, out)</summary>
    public static unsafe Tensor Linear(Tensor x, Tensor weight, Tensor bias)
    {
        if (!Ours(x))
            return addmm(bias, x, weight, 1, 1);
        var y = empty(x.shape[0], weight.shape[1], x.dtype, x.device);
        Gemm.Multiply(View(y), View(x), View(weight), false, Dispatcher.Floats(bias));
        return y;
    }

    private static bool Ours(Tensor tensor) => Gemm.IsSupported && !ManyThreads && tensor.device_type == DeviceType.CPU;

    private static unsafe MatrixView View(Tensor tensor)
        => new(Dispatcher.Floats(tensor), (int)tensor.shape[0], (int)tensor.shape[1], tensor.stride(0), tensor.stride(1));
}
