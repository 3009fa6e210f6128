using Elastic.Foundation;
using Elastic.Torch.Native;
using static TorchSharp.torch;

namespace Elastic.Torch.Cuda;

/// <summary>
/// Attention that holds no matrix of tokens by tokens (Dao 2023, "FlashAttention-2"): the one of libtorch_cuda, by the functions that it
/// exports for compiled models (torch/csrc/inductor/aoti_torch/generated/c_shim_cuda.h). Its backward pass gives the same bits each time
/// where <see cref="Determinism"/> was demanded. B sequences, H heads of queries in groups that share one of K heads of keys and values,
/// D channels of a head, Tq queries, Tk keys.
/// </summary>
/// <param name="forward">The address of the forward pass.</param>
/// <param name="backward">That of the backward pass.</param>
internal sealed unsafe class FlashAttention(nint forward, nint backward)
{
    /// <summary>The library that has the functions.</summary>
    public const string Library = "libtorch_cuda.so";

    private const string Name = "aoti_torch_cuda__scaled_dot_product_flash_attention";

    // It reads 16 bytes at once; and backwards more channels need more shared memory than GPUs but those of capability 8.0 and 9.0 have.
    private const int HeadMultiple = 8, MostHead = 192;

    /// <summary>The one of a loaded libtorch_cuda.</summary>
    /// <exception cref="ElasticException">It lacks a function.</exception>
    public static FlashAttention Of(nint library)
    {
        var functions = new NativeFunctions(Library, library, [Name, $"{Name}_backward"]);
        return new FlashAttention(functions[Name], functions[$"{Name}_backward"]);
    }

    /// <summary>What went wrong within a backward pass.</summary>
    public BackwardFailure Failure { get; } = new();

    /// <summary>The same functions for another device, whose backward passes fail on their own.</summary>
    public FlashAttention ForOneMore() => new(forward, backward);

    /// <summary>True where it computes heads of this size in this type.</summary>
    public static bool Takes(ScalarType type, long headSize) =>
        type is ScalarType.BFloat16 or ScalarType.Float16 && headSize % HeadMultiple == 0 && headSize <= MostHead;

    /// <summary>(B, H, Tq, D) (B, K, Tk, D) (B, K, Tk, D) -> (B, H, Tq, D), all of one type. Channels lie side by side.</summary>
    /// <param name="isCausal">Whether a query sees its own place and those before it, and no more.</param>
    /// <exception cref="AttentionException">libtorch refuses.</exception>
    public Tensor Attend(Tensor q, Tensor k, Tensor v, bool isCausal) => AttendFunction.apply(this, q, k, v, isCausal);

    // The output, and what the backward pass needs besides: the logarithms of the sums, and two numbers that only dropout looks at.
    private (Tensor Y, Tensor Sums, Tensor Seed, Tensor Offset) Forward(Tensor q, Tensor k, Tensor v, bool isCausal)
    {
        nint y, sums, queryEnds, keyEnds, seed, offset, weights;
        long mostQueries, mostKeys;
        var call = (delegate* unmanaged<
            nint, nint, nint, double, int, int, double*, nint*, nint*, nint*, nint*, long*, long*, nint*, nint*, nint*, int>)forward;
        var error = call(
            q.Handle, k.Handle, v.Handle, 0, isCausal ? 1 : 0, 0, null, &y, &sums, &queryEnds, &keyEnds, &mostQueries, &mostKeys, &seed,
            &offset, &weights);
        if (error != 0)
            throw new AttentionException("forward");
        foreach (var unused in new[] { queryEnds, keyEnds, weights })
            Tensor.UnsafeCreateTensor(unused).Dispose();
        return (Tensor.UnsafeCreateTensor(y), Tensor.UnsafeCreateTensor(sums), Tensor.UnsafeCreateTensor(seed),
            Tensor.UnsafeCreateTensor(offset));
    }

    private (Tensor Q, Tensor K, Tensor V) Backward(
        Tensor dy, Tensor q, Tensor k, Tensor v, Tensor y, Tensor sums, Tensor seed, Tensor offset, bool isCausal)
    {
        nint dq, dk, dv;
        // Ends of sequences of several lengths; here all are of one.
        using var none = Dispatcher.Undefined();
        var call = (delegate* unmanaged<
            nint, nint, nint, nint, nint, nint, nint, nint, long, long, double, int, nint, nint, double*, nint*, nint*, nint*,
            int>)backward;
        var error = call(
            dy.Handle, q.Handle, k.Handle, v.Handle, y.Handle, sums.Handle, none.Handle, none.Handle, q.shape[2], k.shape[2], 0,
            isCausal ? 1 : 0, seed.Handle, offset.Handle, null, &dq, &dk, &dv);
        return error == 0
            ? (Tensor.UnsafeCreateTensor(dq), Tensor.UnsafeCreateTensor(dk), Tensor.UnsafeCreateTensor(dv))
            : throw new AttentionException("backward");
    }

    private sealed class AttendFunction : autograd.SingleTensorFunction<AttendFunction>
    {
        public override string Name => "ElasticFlashAttention";

        public override Tensor forward(autograd.AutogradContext ctx, params object[] vars)
        {
            var (flash, q, k, v) = ((FlashAttention)vars[0], (Tensor)vars[1], (Tensor)vars[2], (Tensor)vars[3]);
            var (y, sums, seed, offset) = flash.Forward(q, k, v, (bool)vars[4]);
            BackwardFailure.Begin(ctx);
            ctx.save_data("flash", flash);
            ctx.save_data("isCausal", vars[4]);
            ctx.save_for_backward([q, k, v, y.detach(), sums, seed, offset]);
            return y;
        }

        public override List<Tensor> backward(autograd.AutogradContext ctx, Tensor gradient)
        {
            var flash = (FlashAttention)ctx.get_data("flash");
            return flash.Failure.Guard(5, () =>
            {
                using var scope = NewDisposeScope();
                var saved = ctx.get_saved_variables();
                var (q, k, v) = flash.Backward(
                    gradient, saved[0], saved[1], saved[2], saved[3], saved[4], saved[5], saved[6], (bool)ctx.get_data("isCausal"));
                return [null!, .. new[] { q, k, v }.Select(x => x.MoveToOuterDisposeScope()), null!];
            }, gradient);
        }
    }
}
