using Elastic.Kernels;
using Elastic.Kernels.Attention;
using Elastic.Model.Cpu;
using Elastic.Model.Networks;
using Elastic.Model.Tapes;

namespace Elastic.Model.Operators;

/// <summary>
/// Causal self-attention (Vaswani et al. 2017, section 3.2): mixes, for each token, the values of that token and those before it in its
/// segment, all of them or those of a window (Jiang et al. 2023, section 2). H heads of queries in groups of H / Hkv that share a head of
/// keys and values (Ainslie et al. 2023, section 2.2), D channels a head. Queries, keys and values side by side, (N, (H + 2 Hkv) D), or one
/// by one, (N, H D) and twice (N, Hkv D); -> (N, H D)
/// </summary>
public sealed class CausalAttentionOperation : Operation
{
    private readonly int _layer, _headSize, _firstHead, _allHeads;

    internal CausalAttentionOperation(Tape tape, IReadOnlyList<Value> qkv, int heads, int keyHeads, DropoutMask? mask, int window)
    {
        (Inputs, Mask, Window, _allHeads) = (qkv, mask, window, heads);
        Heads = tape.Share?.Of(heads, "heads of queries") ?? heads;
        KeyHeads = tape.Share?.Of(keyHeads, "heads of keys and values") ?? keyHeads;
        _firstHead = (tape.Share?.Rank ?? 0) * Heads;
        _layer = tape.Operations.Count(o => o is CausalAttentionOperation);
        _headSize = qkv.Sum(v => v.Columns) / (Heads + 2 * KeyHeads);
        Output = new Value(this, qkv[0].Rows, Heads * _headSize);
    }

    /// <summary>H; of a rank's share its own.</summary>
    public int Heads { get; }

    /// <summary>Hkv, a divisor of H.</summary>
    public int KeyHeads { get; }

    /// <summary>What is dropped of the weights; null for nothing.</summary>
    public DropoutMask? Mask { get; }

    /// <summary>W: a token attends to itself and the W - 1 tokens before it; 0 for all before it.</summary>
    public int Window { get; }

    /// <summary>Hkv D: channels of all keys of a token.</summary>
    internal int KeyWidth => KeyHeads * _headSize;

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
        if (pass.Tape.Purpose == TapePurpose.Decoding)
        {
            foreach (var text in pass.Texts)
                Continue(pass, text);
            return;
        }
        fixed (ulong* keys = KeysOf(pass))
        fixed (int* segments = pass.HasSegments ? pass.Segments : null)
        {
            var shape = ShapeOf(pass.Shape) with { DropoutKeys = keys, QuerySegments = segments, KeySegments = segments };
            BlockedAttention.Forward(pass.Team, shape, Tensors(pass), pass.Scratch);
        }
    }

    internal override unsafe void Backward(CpuPass pass)
    {
        if (pass.Gradient(Inputs[0]) is null)
            return;
        var T = pass.Shape.Tokens;
        var gradients = new AttentionGradients
        {
            Y = Rows(pass.Gradient(Output!), Output!.Columns, T),
            Q = Part(pass.Gradient(InputOf(0)), 0, T),
            K = Part(pass.Gradient(InputOf(1)), 1, T),
            V = Part(pass.Gradient(InputOf(2)), 2, T),
        };
        fixed (ulong* keys = KeysOf(pass))
        fixed (int* segments = pass.HasSegments ? pass.Segments : null)
        {
            var shape = ShapeOf(pass.Shape) with { DropoutKeys = keys, QuerySegments = segments, KeySegments = segments };
            BlockedAttention.Backward(pass.Team, shape, Tensors(pass), gradients, pass.Scratch);
        }
    }

    // The new rows of a text join its cache; then they attend to all that is there. Blocks of keys begin at the same positions as in a pass
    // over the whole text, so the bits are the same.
    private unsafe void Continue(CpuPass pass, CachedText text)
    {
        var (before, rows, cache) = (text.Cache.Tokens.Count, text.Rows, text.Cache);
        HeadRows keys = cache.Keys(_layer), values = cache.Values(_layer);
        HeadRows newKeys = Part(pass[InputOf(1)], 1, rows), newValues = Part(pass[InputOf(2)], 2, rows);
        for (var row = 0; row < rows; row++)
        {
            Ranges.Copy(keys.At(0, before + row, 0), newKeys.At(0, text.FirstRow + row, 0), KeyWidth);
            Ranges.Copy(values.At(0, before + row, 0), newValues.At(0, text.FirstRow + row, 0), KeyWidth);
        }
        var saved = pass.Saved(this) + (long)text.FirstRow * Heads;
        var tensors = new AttentionTensors
        {
            Q = Part(pass[InputOf(0)] + (long)text.FirstRow * InputOf(0).Columns, 0, rows),
            K = keys,
            V = values,
            Y = Rows(pass[Output!] + (long)text.FirstRow * Output!.Columns, Output!.Columns, rows),
            Maxima = saved,
            InverseSums = saved + (long)Output!.Rows * Heads,
        };
        var shape = ShapeOf(pass.Shape) with { Sequences = 1, Queries = rows, Keys = before + rows, CausalOffset = before };
        BlockedAttention.Forward(pass.Team, shape, tensors, pass.Scratch);
    }

    private static unsafe HeadRows Rows(float* data, int columns, int T) => new(data, columns, (long)T * columns);

    // Queries, keys and values: parts 0, 1 and 2.
    private Value InputOf(int part) => Inputs[Inputs.Count == 1 ? 0 : part];

    // A part, where data begins the value that holds it.
    private unsafe HeadRows Part(float* data, int part, int T)
    {
        var first = Inputs.Count > 1 || part == 0 ? 0 : (Heads + (part - 1) * KeyHeads) * _headSize;
        return Rows(data + first, InputOf(part).Columns, T);
    }

    private ulong[] KeysOf(CpuPass pass) => Mask is null ? [] : pass.DropoutKeys(Mask);

    private AttentionShape ShapeOf(BatchShape batch) => new()
    {
        Sequences = batch.MicroBatches * batch.Sequences,
        Queries = batch.Tokens,
        Keys = batch.Tokens,
        Heads = Heads,
        KeyHeads = KeyHeads,
        HeadSize = _headSize,
        IsCausal = true,
        Window = Window,
        FirstHead = _firstHead,
        AllHeads = _allHeads,
        Dropout = Mask?.Rate ?? DropoutRate.None,
        SequencesPerDropoutKey = batch.Sequences,
    };

    private unsafe AttentionTensors Tensors(CpuPass pass)
    {
        var T = pass.Shape.Tokens;
        var saved = pass.Saved(this);
        return new AttentionTensors
        {
            Q = Part(pass[InputOf(0)], 0, T),
            K = Part(pass[InputOf(1)], 1, T),
            V = Part(pass[InputOf(2)], 2, T),
            Y = Rows(pass[Output!], Output!.Columns, T),
            Maxima = saved,
            InverseSums = saved + (long)Output!.Rows * Heads,
        };
    }
}

/// <summary>Records attention.</summary>
public static class CausalAttentionOperator
{
    /// <summary>Records the attention of queries, keys and values that lie side by side, as many heads of each.</summary>
    /// <inheritdoc cref="CausalAttentionOperation"/>
    public static Value CausalAttention(this Tape tape, Value qkv, int heads, DropoutMask? mask)
        => tape.Record(new CausalAttentionOperation(tape, [qkv], heads, heads, mask, window: 0));

    /// <summary>Records the attention of queries, keys and values that come one by one.</summary>
    /// <inheritdoc cref="CausalAttentionOperation"/>
    public static Value CausalAttention(
        this Tape tape, Value q, Value k, Value v, int heads, int keyHeads, DropoutMask? mask, int window = 0)
        => tape.Record(new CausalAttentionOperation(tape, [q, k, v], heads, keyHeads, mask, window));
}
