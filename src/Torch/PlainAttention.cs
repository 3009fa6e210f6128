using Elastic.Torch.Native;
using static TorchSharp.torch;

namespace Elastic.Torch;

/// <summary>
/// Attention in libtorch's plain operators (Vaswani et al. 2017, section 3.2.1), which hold the weights of all pairs of tokens.
/// B sequences, H heads, D channels of a head, Tq queries, Tk keys.
/// </summary>
internal static class PlainAttention
{
    /// <summary>(B, H, Tq, D) (B, H, Tk, D) (B, H, Tk, D) -> (B, H, Tq, D)</summary>
    /// <param name="hidden">True where a query does not see a key; broadcasts to (B, H, Tq, Tk). Null where each sees all.</param>
    /// <param name="factors">What weights are multiplied by, (B, H, Tq, Tk): dropout. Null for ones.</param>
    public static Tensor Attend(Tensor q, Tensor k, Tensor v, Tensor? hidden, Tensor? factors)
    {
        var scores = q.matmul(k.transpose(2, 3)).Over(Math.Sqrt(q.shape[3]));                                      // (B, H, Tq, Tk)
        if (hidden is not null)
            scores = scores.Filled(hidden, double.NegativeInfinity);
        var weights = scores.softmax(-1);
        return (factors is null ? weights : weights * factors).matmul(v);
    }

    /// <summary>(T, T): true where the key comes after the query.</summary>
    public static Tensor Future(int tokens, Device device) => ones(new long[] { tokens, tokens }, ScalarType.Bool, device).triu(1);
}
