using Elastic.Model.Native;
using TorchSharp;
using static TorchSharp.torch;

namespace Elastic.Model.Networks;

/// <summary>
/// Causal self-attention of one layer and one micro-batch (Vaswani et al. 2017, section 3.2), and the tensors that its backward pass needs.
/// B batch, T tokens, C channels, H heads, D = C / H.
/// </summary>
internal abstract class Attention
{
    /// <summary>Mixes, for each token, the values of that token and those before it. qkv (B T, 3 C) -> (B T, C)</summary>
    /// <param name="dropoutMask">(B, H, T, T) of 0 and 1 / (1 - p), applied to the weights; null for no dropout.</param>
    public static (Tensor Y, Attention Saved) Forward(Tensor qkv, int batch, int heads, Tensor? dropoutMask)
        => Forward(qkv, batch, heads, dropoutMask, qkv.device_type == DeviceType.CPU && dropoutMask is null);

    /// <inheritdoc cref="Forward(Tensor, int, int, Tensor?)"/>
    /// <param name="fused">Uses libtorch's fused kernel: on the CPU and without dropout only.</param>
    internal static (Tensor Y, Attention Saved) Forward(Tensor qkv, int batch, int heads, Tensor? dropoutMask, bool fused)
    {
        long B = batch, T = qkv.shape[0] / B, C = qkv.shape[1] / 3, D = C / heads;
        var parts = qkv.view(B, T, 3, heads, D).permute(2, 0, 3, 1, 4);                      // (3, B, H, T, D)
        Tensor q = parts.select(0, 0), k = parts.select(0, 1), v = parts.select(0, 2);        // (B, H, T, D) each
        Attention attention = fused ? new Flash(q, k, v) : new Explicit(q, k, v, dropoutMask);
        return (Rows(attention.Compute()), attention);
    }

    /// <summary>dy (B T, C) -> dqkv (B T, 3 C)</summary>
    public Tensor Backward(Tensor dy)
    {
        using var scope = NewDisposeScope();
        var (B, H, T, D) = (Q.shape[0], Q.shape[1], Q.shape[2], Q.shape[3]);
        var (dq, dk, dv) = Gradients(dy.view(B, T, H, D).transpose(1, 2));
        var dqkv = empty(new[] { B, T, 3, H, D }, dy.dtype, dy.device);
        dqkv.select(2, 0).copy_(dq.transpose(1, 2));
        dqkv.select(2, 1).copy_(dk.transpose(1, 2));
        dqkv.select(2, 2).copy_(dv.transpose(1, 2));
        return dqkv.view(B * T, 3 * H * D).MoveToOuterDisposeScope();
    }

    protected Attention(Tensor q, Tensor k, Tensor v) => (Q, K, V) = (q, k, v);

    protected Tensor Q { get; }

    protected Tensor K { get; }

    protected Tensor V { get; }

    /// <summary>-> (B, H, T, D)</summary>
    protected abstract Tensor Compute();

    /// <summary>(B, H, T, D) -> three of the same shape.</summary>
    protected abstract (Tensor Dq, Tensor Dk, Tensor Dv) Gradients(Tensor dy);

    private static Tensor Rows(Tensor y)
        => y.transpose(1, 2).reshape(y.shape[0] * y.shape[2], y.shape[1] * y.shape[3]);

    // libtorch's blocked kernel for the CPU, which never holds the (T, T) weights (Dao et al. 2022).
    private sealed class Flash(Tensor q, Tensor k, Tensor v) : Attention(q, k, v)
    {
        private Tensor? _y, _logSumExp;

        protected override Tensor Compute()
        {
            var r = Dispatcher.Call(
                "aten::_scaled_dot_product_flash_attention_for_cpu", "", 2, Q, K, V, 0.0, true,
                Dispatcher.Argument.None, Dispatcher.Argument.None);
            (_y, _logSumExp) = (r[0], r[1]);
            return _y;
        }

        protected override (Tensor, Tensor, Tensor) Gradients(Tensor dy)
        {
            var r = Dispatcher.Call(
                "aten::_scaled_dot_product_flash_attention_for_cpu_backward", "", 3,
                dy, Q, K, V, _y!, _logSumExp!, 0.0, true, Dispatcher.Argument.None, Dispatcher.Argument.None);
            return (r[0], r[1], r[2]);
        }
    }

    // For dropout, because the fused kernels would draw their mask from the generator that all threads share; and for GPUs, because
    // libtorch's fused kernel for fp32 adds up dq there with atomics, in another order each time. The same bits cost speed and memory:
    // the (B, H, T, T) weights are written and read again, and saved for the backward pass.
    private sealed class Explicit(Tensor q, Tensor k, Tensor v, Tensor? mask) : Attention(q, k, v)
    {
        private Tensor? _weights;

        private double Scale => 1 / Math.Sqrt(Q.shape[3]);

        protected override Tensor Compute()
        {
            using var scope = NewDisposeScope();
            var T = Q.shape[2];
            var future = ones(new[] { T, T }, ScalarType.Bool, Q.device).triu(1);
            var scores = Q.matmul(K.transpose(2, 3)).mul_(Scale).masked_fill_(future, double.NegativeInfinity);   // (B, H, T, T)
            _weights = scores.softmax(-1).MoveToOuterDisposeScope();
            return Dropped().matmul(V).MoveToOuterDisposeScope();
        }

        protected override (Tensor, Tensor, Tensor) Gradients(Tensor dy)
        {
            var dv = Dropped().transpose(2, 3).matmul(dy);
            var dWeights = dy.matmul(V.transpose(2, 3));
            if (mask is not null)
                dWeights.mul_(mask);
            // The softmax's Jacobian: w (dw - Σ w dw).
            var dScores = (dWeights - (dWeights * _weights!).sum(-1, true)).mul_(_weights!).mul_(Scale);
            return (dScores.matmul(K), dScores.transpose(2, 3).matmul(Q), dv);
        }

        private Tensor Dropped() => mask is null ? _weights! : _weights! * mask;
    }
}
