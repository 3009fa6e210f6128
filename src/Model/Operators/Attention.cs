using Elastic.Kernels;
using Elastic.Kernels.Attention;
using Elastic.Model.Cpu;
using Elastic.Model.Networks;
using Elastic.Model.Tapes;

namespace Elastic.Model.Operators;

/// <summary>Who attends to whom.</summary>
public enum AttentionScope
{
    /// <summary>Tokens to all tokens of their sequence, where they are of the same segment.</summary>
    Tokens,

    /// <summary>Tokens of a source to all tokens of that source.</summary>
    Sources,

    /// <summary>Tokens of a sequence to all tokens of the source that belongs to it.</summary>
    TokensToSources,
}

/// <summary>
/// Attention without a future to hide (Vaswani et al. 2017, section 3.2.3): an encoder's, and a decoder's to its encoder. H heads, D
/// channels a head. Queries (N, H D), keys and values of as many sequences, of another length perhaps, (M, H D) each; -> (N, H D). What
/// stands behind the end of a source is seen by nothing in it.
/// </summary>
public sealed class AttentionOperation : Operation
{
    private readonly int _firstHead, _allHeads;

    internal AttentionOperation(Tape tape, Value q, Value k, Value v, int heads, AttentionScope scope, DropoutMask? mask)
    {
        (Inputs, Scope, Mask, Output, _allHeads) = ([q, k, v], scope, mask, new Value(this, q.Rows, q.Columns), heads);
        Heads = tape.Share?.Of(heads, "heads") ?? heads;
        _firstHead = (tape.Share?.Rank ?? 0) * Heads;
    }

    /// <summary>H; of a rank's share its own.</summary>
    public int Heads { get; }

    /// <inheritdoc cref="AttentionScope"/>
    public AttentionScope Scope { get; }

    /// <summary>What is dropped of the weights; null for nothing.</summary>
    public DropoutMask? Mask { get; }

    internal override IEnumerable<Value> KeptForBackward => [.. Inputs, Output!];

    internal override bool MakesAllGradients => true;

    // The largest score and the inverse sum of each row and head.
    internal override long SavedFloats => 2L * Output!.Rows * Heads;

    internal override long ScratchFloats(BatchShape batch, int threads)
    {
        var shape = ShapeOf(batch);
        return Math.Max(BlockedAttention.ForwardWorkspace(shape, threads), BlockedAttention.BackwardWorkspace(shape, threads));
    }

    // q k' and p v, of the pairs that see each other.
    internal override double ForwardFlops(Tape tape) => 4 * ShapeOf(tape.Shape).ChannelsOfPairs;

    // The scores again, dy v', p' dy, ds' q and ds k.
    internal override double BackwardFlops(Tape tape) => tape.NeedsGradient(Output!) ? 10 * ShapeOf(tape.Shape).ChannelsOfPairs : 0;

    internal override unsafe void Forward(CpuPass pass)
    {
        fixed (ulong* keys = KeysOf(pass))
        fixed (int* ofQueries = QuerySegments(pass), ofKeys = KeySegments(pass))
        {
            var shape = ShapeOf(pass.Shape) with { DropoutKeys = keys, QuerySegments = ofQueries, KeySegments = ofKeys };
            BlockedAttention.Forward(pass.Team, shape, Tensors(pass), pass.Scratch);
        }
    }

    internal override unsafe void Backward(CpuPass pass)
    {
        if (pass.Gradient(Inputs[0]) is null)
            return;
        var gradients = new AttentionGradients
        {
            Y = Rows(pass.Gradient(Output!), Output!, pass.Shape),
            Q = Rows(pass.Gradient(Inputs[0]), Inputs[0], pass.Shape),
            K = Rows(pass.Gradient(Inputs[1]), Inputs[1], pass.Shape),
            V = Rows(pass.Gradient(Inputs[2]), Inputs[2], pass.Shape),
        };
        fixed (ulong* keys = KeysOf(pass))
        fixed (int* ofQueries = QuerySegments(pass), ofKeys = KeySegments(pass))
        {
            var shape = ShapeOf(pass.Shape) with { DropoutKeys = keys, QuerySegments = ofQueries, KeySegments = ofKeys };
            BlockedAttention.Backward(pass.Team, shape, Tensors(pass), gradients, pass.Scratch);
        }
    }

    // Segment 0 of a source is the source itself, and every token of its sequence is of that segment.
    private int[]? QuerySegments(CpuPass pass) => Scope switch
    {
        AttentionScope.Tokens => pass.HasSegments ? pass.Segments : null,
        AttentionScope.Sources => pass.SourceSegments,
        _ => new int[Output!.Rows],
    };

    private int[]? KeySegments(CpuPass pass) => Scope == AttentionScope.Tokens ? QuerySegments(pass) : pass.SourceSegments;

    private ulong[] KeysOf(CpuPass pass) => Mask is null ? [] : pass.DropoutKeys(Mask);

    private static int LengthOf(Value value, BatchShape batch) => value.Rows / (batch.MicroBatches * batch.Sequences);

    private static unsafe HeadRows Rows(float* data, Value value, BatchShape batch)
        => new(data, value.Columns, (long)LengthOf(value, batch) * value.Columns);

    private AttentionShape ShapeOf(BatchShape batch) => new()
    {
        Sequences = batch.MicroBatches * batch.Sequences,
        Queries = LengthOf(Inputs[0], batch),
        Keys = LengthOf(Inputs[1], batch),
        Heads = Heads,
        KeyHeads = Heads,
        HeadSize = Output!.Columns / Heads,
        FirstHead = _firstHead,
        AllHeads = _allHeads,
        Dropout = Mask?.Rate ?? DropoutRate.None,
        SequencesPerDropoutKey = batch.Sequences,
    };

    private unsafe AttentionTensors Tensors(CpuPass pass)
    {
        var saved = pass.Saved(this);
        return new AttentionTensors
        {
            Q = Rows(pass[Inputs[0]], Inputs[0], pass.Shape),
            K = Rows(pass[Inputs[1]], Inputs[1], pass.Shape),
            V = Rows(pass[Inputs[2]], Inputs[2], pass.Shape),
            Y = Rows(pass[Output!], Output!, pass.Shape),
            Maxima = saved,
            InverseSums = saved + (long)Output!.Rows * Heads,
        };
    }
}

/// <summary>Records attention that hides no future.</summary>
public static class AttentionOperator
{
    /// <inheritdoc cref="AttentionOperation"/>
    public static Value Attention(this Tape tape, Value q, Value k, Value v, int heads, AttentionScope scope, DropoutMask? mask)
    {
        ArgumentNullException.ThrowIfNull(tape);
        return tape.Record(new AttentionOperation(tape, q, k, v, heads, scope, mask));
    }
}
