using Elastic.Model.Operators;
using Elastic.Model.Tapes;
using static TorchSharp.torch;

namespace Elastic.Torch.Cuda.Passes;

/// <summary>
/// Attention by FlashAttention-2 where <see cref="AttentionRules"/> say so, else by plain operators. It reads queries, keys and values
/// where they lie. B sequences of T tokens, H heads of queries in groups that share one of K heads of keys and values, D channels of a
/// head.
/// </summary>
internal sealed class AttentionOnGpu : GpuOperator
{
    private readonly PlainOnGpu _plain = new();

    /// <inheritdoc/>
    public override void Forward(GpuPass pass, Operation operation)
    {
        if (RuleOf(pass, operation) is not { } rule)
        {
            _plain.Forward(pass, operation);
            return;
        }
        var all = Heads(pass, operation, [.. operation.Inputs.Select(v => pass[v])]);
        var attended = pass.Tools.Flash!.Forward(all[0], all[1], all[2], rule);
        pass.Save(operation, attended);
        // (B, H, T, D) -> (B T, H D)
        pass.Made(operation.Output!, attended.Y.transpose(1, 2).reshape(operation.Output!.Rows, operation.Output.Columns).alias());
    }

    /// <inheritdoc/>
    public override void Backward(GpuPass pass, Operation operation)
    {
        if (RuleOf(pass, operation) is null)
        {
            _plain.Backward(pass, operation);
            return;
        }
        var saved = pass.Saved<Attended>(operation, 0);
        var dy = pass.Dy.view(saved.Y.shape[0], saved.Y.shape[2], saved.Y.shape[1], saved.Y.shape[3]).transpose(1, 2);
        var (dq, dk, dv) = pass.Tools.Flash!.Backward(saved, dy);
        Tensor[] gradients = [Rows(dq), Rows(dk), Rows(dv)];
        if (operation.Inputs.Count == 1)
        {
            if (pass.Gradients.AreWanted(operation.Inputs[0]))
                pass.Gradients.Give(operation.Inputs[0], Packed(pass, operation.Inputs[0], gradients));
            return;
        }
        for (var i = 0; i < 3; i++)
        {
            if (pass.Gradients.AreWanted(operation.Inputs[i]))
                pass.Gradients.Give(operation.Inputs[i], gradients[i]);
        }
    }

    // (N, H D) (N, K D) (N, K D) -> (N, (H + 2 K) D), and the sums of its columns for the layer that made queries, keys and values.
    private static Tensor Packed(GpuPass pass, Value qkv, Tensor[] gradients)
    {
        Tensor q = gradients[0].contiguous(), k = gradients[1].contiguous(), v = gradients[2].contiguous();
        var packed = empty(qkv.Rows, qkv.Columns, q.dtype, q.device);
        pass.Tools.Kernels.Pack(
            DeviceMemory.Of(packed), DeviceMemory.Of(q), DeviceMemory.Of(k), DeviceMemory.Of(v), (int)q.shape[1], (int)k.shape[1],
            pass.Tools.SumsInto(pass.BiasGradientToSum(qkv), qkv.Rows, qkv.Columns));
        return packed;
    }

    private static AttentionRule? RuleOf(GpuPass pass, Operation operation) => operation is CausalAttentionOperation causal
        ? pass.Inputs.Rules?.Of(causal)
        : pass.Inputs.Rules?.Of((AttentionOperation)operation);

    // (B, H or K, T, D): views.
    private static Tensor[] Heads(GpuPass pass, Operation operation, Tensor[] given)
    {
        var B = pass.Tape.Shape.MicroBatches * pass.Tape.Shape.Sequences;
        var (heads, keyHeads) = operation is CausalAttentionOperation causal
            ? (causal.Heads, causal.KeyHeads)
            : (((AttentionOperation)operation).Heads, ((AttentionOperation)operation).Heads);
        Tensor Of(Tensor x, int count) => x.view(B, x.shape[0] / B, count, -1).transpose(1, 2);
        return given.Length == 1
            ? Of(given[0], heads + 2 * keyHeads).split([heads, keyHeads, keyHeads], 1)
            : [Of(given[0], heads), Of(given[1], keyHeads), Of(given[2], keyHeads)];
    }

    // (B, H, T, D) -> (B T, H D)
    private static Tensor Rows(Tensor x) => x.transpose(1, 2).reshape(x.shape[0] * x.shape[2], -1);
}
