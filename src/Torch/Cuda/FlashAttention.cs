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
/// <param name="backward">The address of the backward pass.</param>
internal sealed unsafe class FlashAttention(nint forward, nint backward)
{
    /// <summary>The library that has the functions.</summary>
    public const string Library = "libtorch_cuda.so";

    private const string ForwardName = "aoti_torch_cuda__flash_attention_forward";
    private const string BackwardName = "aoti_torch_cuda__flash_attention_backward";

    // It reads 16 bytes at once; and backwards more channels need more shared memory than GPUs but those of capability 8.0 and 9.0 have.
    private const int HeadMultiple = 8, MostHead = 192;

    /// <summary>The one of a loaded libtorch_cuda.</summary>
    /// <exception cref="ElasticException">It lacks a function.</exception>
    public static FlashAttention Of(nint library)
    {
        var functions = new NativeFunctions(Library, library, [ForwardName, BackwardName]);
        return new FlashAttention(functions[ForwardName], functions[BackwardName]);
    }

    /// <summary>True where it computes heads of this size in this type.</summary>
    public static bool Takes(ScalarType type, long headSize) =>
        type is ScalarType.BFloat16 or ScalarType.Float16 && headSize % HeadMultiple == 0 && headSize <= MostHead;

    /// <summary>(B, H, Tq, D) (B, K, Tk, D) (B, K, Tk, D) -> (B, H, Tq, D), all of one type. Channels lie side by side.</summary>
    /// <remarks>Views of one matrix of queries, keys and values of each token are read where they lie.</remarks>
    /// <exception cref="AttentionException">libtorch refuses.</exception>
    public Attended Forward(Tensor q, Tensor k, Tensor v, AttentionRule rule)
    {
        using var scope = NewDisposeScope();
        var given = (Q: Rows(q, rule), K: Rows(k, rule), V: Rows(v, rule));
        nint made, sums, random, unused, weights;
        var hasEnds = rule.Ends is not null;
        var (endsOfQueries, endsOfKeys) = (rule.Ends?.Queries.Handle ?? 0, rule.Ends?.Keys.Handle ?? 0);
        var (left, right) = (rule.Window - 1L, 0L);
        var call = (delegate* unmanaged<
            nint, nint, nint, nint*, nint*, long, long, double, int, int, double*, long*, long*, nint*, nint*, nint*, nint*, nint*, nint*,
            nint*, int>)forward;
        using var measured = LaunchTimes.Of("FlashAttention-2, forward", 4 * Pairs(q, k, rule));
        var error = call(
            given.Q.Handle, given.K.Handle, given.V.Handle, hasEnds ? &endsOfQueries : null, hasEnds ? &endsOfKeys : null,
            rule.Ends?.MostQueries ?? q.shape[2], rule.Ends?.MostKeys ?? k.shape[2], 0, rule.IsCausal ? 1 : 0, 0, null,
            rule.Window > 0 ? &left : null, rule.Window > 0 ? &right : null, null, null, &made, &sums, &random, &unused, &weights);
        if (error != 0)
            throw new AttentionException("forward", Bytes(q));
        Tensor.UnsafeCreateTensor(weights).Dispose();
        var y = Tensor.UnsafeCreateTensor(made);
        return new Attended(
            given, y, Heads(y, q.shape[0]),
            (Tensor.UnsafeCreateTensor(sums), Tensor.UnsafeCreateTensor(random), Tensor.UnsafeCreateTensor(unused)), rule);
    }

    /// <summary>(B, H, Tq, D) -> the gradients of what <see cref="Forward"/> was given, in its shapes and type.</summary>
    /// <exception cref="AttentionException">libtorch refuses.</exception>
    public (Tensor Q, Tensor K, Tensor V) Backward(Attended saved, Tensor dy)
    {
        ArgumentNullException.ThrowIfNull(saved);
        using var scope = NewDisposeScope();
        var ((q, k, v), rule) = (saved.Given, saved.Rule);
        nint dq, dk, dv;
        // Ends of sequences, where all are the tensors' own.
        var none = Dispatcher.Undefined();
        var (left, right) = (rule.Window - 1L, 0L);
        var call = (delegate* unmanaged<
            nint, nint, nint, nint, nint, nint, nint, nint, long, long, double, int, nint, nint, double*, long*, long*, nint*, nint*, nint*,
            int>)backward;
        // The scores are computed again.
        using var measured = LaunchTimes.Of("FlashAttention-2, backward", 10 * Pairs(saved.Y, k.transpose(1, 2), rule));
        var error = call(
            Rows(dy, rule).Handle, q.Handle, k.Handle, v.Handle, saved.Made.Handle, saved.Rest.Sums.Handle,
            (rule.Ends?.Queries ?? none).Handle, (rule.Ends?.Keys ?? none).Handle, rule.Ends?.MostQueries ?? q.shape[1],
            rule.Ends?.MostKeys ?? k.shape[1], 0, rule.IsCausal ? 1 : 0, saved.Rest.Random.Handle, saved.Rest.Unused.Handle, null,
            rule.Window > 0 ? &left : null, rule.Window > 0 ? &right : null, &dq, &dk, &dv);
        // libtorch has addresses alone: without it a collection could free what it reads.
        GC.KeepAlive(saved);
        if (error != 0)
            // The three gradients, and that of the queries in fp32 before.
            throw new AttentionException("backward", 3 * Bytes(q) + Bytes(k) + Bytes(v));
        Tensor Made(nint gradient) => Heads(Tensor.UnsafeCreateTensor(gradient), dy.shape[0]).MoveToOuterDisposeScope();
        return (Made(dq), Made(dk), Made(dv));
    }

    private static long Bytes(Tensor x) => x.numel() * x.ElementSize;

    // Channels of all pairs of tokens that see each other; 0 where nobody counts them.
    private static double Pairs(Tensor q, Tensor k, AttentionRule rule)
    {
        double queries = q.shape[2], keys = k.shape[2];
        return rule.Window > 0 || rule.Ends is not null ? 0
            : q.shape[0] * q.shape[1] * q.shape[3] * (rule.IsCausal ? queries * (queries + 1) / 2 : queries * keys);
    }

    // (B, H, T, D) -> (B, T, H, D); of sequences with ends (B T, H, D)
    private static Tensor Rows(Tensor x, AttentionRule rule)
    {
        var rows = x.transpose(1, 2);
        return rule.Ends is null ? rows : rows.flatten(0, 1);
    }

    // The other way round.
    private static Tensor Heads(Tensor rows, long sequences) =>
        rows.view(sequences, -1, rows.shape[^2], rows.shape[^1]).transpose(1, 2);
}
