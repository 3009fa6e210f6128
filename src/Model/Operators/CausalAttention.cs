using Elastic.Kernels;
using Elastic.Kernels.Attention;
using Elastic.Model.Cpu;
using Elastic.Model.Networks;
using Elastic.Model.Tapes;

namespace Elastic.Model.Operators;

/// <summary>
/// Causal self-attention (Vaswani et al. 2017, section 3.2): mixes, for each token, the values of that token and those before it
/// in its segment.
/// Queries, keys and values side by side (N, 3 C) -> (N, C). H heads of D = C / H channels.
/// </summary>
public sealed class CausalAttentionOperation : Operation
{
    internal CausalAttentionOperation(Value qkv, int heads, DropoutMask? mask)
        => (Inputs, Output, Heads, Mask) = ([qkv], new Value(this, qkv.Rows, qkv.Columns / 3), heads, mask);

    /// <summary>H.</summary>
    public int Heads { get; }

    /// <summary>What is dropped of the weights; null for nothing.</summary>
    public DropoutMask? Mask { get; }

    internal override IEnumerable<Value> KeptForBackward => [Inputs[0], Output!];

    // The largest score and the inverse sum of each row and head.
    internal override long SavedFloats => 2L * Output!.Rows * Heads;

    internal override long ScratchFloats(BatchShape batch, int threads)
    {
        var shape = ShapeOf(batch);
        return Math.Max(BlockedAttention.ForwardWorkspace(shape, threads), BlockedAttention.BackwardWorkspace(shape, threads));
    }

    internal override unsafe void Forward(CpuPass pass)
    {
        fixed (ulong* keys = KeysOf(pass))
        fixed (int* segments = pass.HasSegments ? pass.Segments : null)
        {
            var shape = ShapeOf(pass.Shape) with { DropoutKeys = keys, QuerySegments = segments, KeySegments = segments };
            BlockedAttention.Forward(pass.Team, shape, Tensors(pass), pass.Scratch(this));
        }
    }

    internal override unsafe void Backward(CpuPass pass)
    {
        var dqkv = pass.Gradient(Inputs[0]);
        if (dqkv is null)
            return;
        var (T, C) = (pass.Shape.Tokens, Output!.Columns);
        var gradients = new AttentionGradients
        {
            Y = new HeadRows(pass.Gradient(Output!), C, (long)T * C),
            Q = Part(dqkv, 0, T, C),
            K = Part(dqkv, 1, T, C),
            V = Part(dqkv, 2, T, C),
        };
        fixed (ulong* keys = KeysOf(pass))
        fixed (int* segments = pass.HasSegments ? pass.Segments : null)
        {
            var shape = ShapeOf(pass.Shape) with { DropoutKeys = keys, QuerySegments = segments, KeySegments = segments };
            BlockedAttention.Backward(pass.Team, shape, Tensors(pass), gradients, pass.Scratch(this));
        }
    }

    private static unsafe HeadRows Part(float* qkv, int part, int T, int C) => new(qkv + part * C, 3L * C, 3L * T * C);

    private ulong[] KeysOf(CpuPass pass) => Mask is null ? [] : pass.DropoutKeys(Mask);

    private AttentionShape ShapeOf(BatchShape batch) => new()
    {
        Sequences = batch.MicroBatches * batch.Sequences,
        Queries = batch.Tokens,
        Keys = batch.Tokens,
        Heads = Heads,
        KeyHeads = Heads,
        HeadSize = Output!.Columns / Heads,
        IsCausal = true,
        Dropout = Mask?.Rate ?? DropoutRate.None,
        SequencesPerDropoutKey = batch.Sequences,
    };

    private unsafe AttentionTensors Tensors(CpuPass pass)
    {
        var (T, C) = (pass.Shape.Tokens, Output!.Columns);
        float* qkv = pass[Inputs[0]], saved = pass.Saved(this);
        return new AttentionTensors
        {
            Q = Part(qkv, 0, T, C),
            K = Part(qkv, 1, T, C),
            V = Part(qkv, 2, T, C),
            Y = new HeadRows(pass[Output!], C, (long)T * C),
            Maxima = saved,
            InverseSums = saved + (long)Output!.Rows * Heads,
        };
    }
}

/// <summary>Records attention.</summary>
public static class CausalAttentionOperator
{
    /// <inheritdoc cref="CausalAttentionOperation"/>
    public static Value CausalAttention(this Tape tape, Value qkv, int heads, DropoutMask? mask)
        => tape.Record(new CausalAttentionOperation(qkv, heads, mask));
}
