using Elastic.Kernels;
using Elastic.Kernels.Attention;
using Elastic.Model.Cpu;
using Elastic.Model.Tapes;

namespace Elastic.Model.Operators;

/// <summary>Keeps the keys and values of a source, (M, H D) each, of one layer of the decoder.</summary>
public sealed class KeepSourceOperation : Operation
{
    private readonly int _layer;

    internal KeepSourceOperation(Tape tape, Value k, Value v)
        => (Inputs, _layer) = ([k, v], tape.Operations.Count(o => o is KeepSourceOperation));

    internal override unsafe void Forward(CpuPass pass)
    {
        var (k, v, kept) = (Inputs[0], Inputs[1], pass.Source!);
        Ranges.Copy(kept.Keys(_layer).Data, pass[k], (int)k.Count);
        Ranges.Copy(kept.Values(_layer).Data, pass[v], (int)v.Count);
    }

    internal override void Backward(CpuPass pass) => throw new NotSupportedException("what is kept of a source is not trained");
}

/// <summary>
/// Attention of texts that go on to the keys and values that are kept of their sources, (N, H D) -> (N, H D): the same bits as those of
/// <see cref="AttentionOperation"/> over the whole text. Neighbours that answer one source are computed together.
/// </summary>
public sealed class SourceAttentionOperation : Operation
{
    private readonly int _layer, _heads;

    internal SourceAttentionOperation(Tape tape, Value q, int heads)
    {
        (Inputs, _heads, Output) = ([q], heads, new Value(this, q.Rows, q.Columns));
        _layer = tape.Operations.Count(o => o is SourceAttentionOperation);
    }

    internal override long SavedFloats => 2L * Output!.Rows * _heads;

    internal override long ScratchFloats(BatchShape batch, int threads)
        => BlockedAttention.ForwardWorkspace(ShapeOf(Output!.Rows, 1), threads);

    internal override unsafe void Forward(CpuPass pass)
    {
        var (texts, columns) = (pass.Texts, Output!.Columns);
        for (var i = 0; i < texts.Count;)
        {
            var (first, source, rows) = (texts[i].FirstRow, (SourceKeys)texts[i].Cache.Source!, 0);
            for (; i < texts.Count && ReferenceEquals(texts[i].Cache.Source, source); i++)
                rows += texts[i].Rows;
            var saved = pass.Saved(this) + (long)first * _heads;
            var tensors = new AttentionTensors
            {
                Q = new HeadRows(pass[Inputs[0]] + (long)first * columns, columns, 0),
                K = source.Keys(_layer),
                V = source.Values(_layer),
                Y = new HeadRows(pass[Output!] + (long)first * columns, columns, 0),
                Maxima = saved,
                InverseSums = saved + (long)Output!.Rows * _heads,
            };
            BlockedAttention.Forward(pass.Team, ShapeOf(rows, source.Tokens.Length), tensors, pass.Scratch);
        }
    }

    internal override void Backward(CpuPass pass) => throw new NotSupportedException("texts that go on are not trained");

    private AttentionShape ShapeOf(int queries, int keys) => new()
    {
        Sequences = 1,
        Queries = queries,
        Keys = keys,
        Heads = _heads,
        KeyHeads = _heads,
        HeadSize = Output!.Columns / _heads,
    };
}

/// <summary>Records what decoding an answer does with its source.</summary>
public static class SourceAttentionOperator
{
    /// <inheritdoc cref="KeepSourceOperation"/>
    public static void KeepSource(this Tape tape, Value k, Value v)
    {
        ArgumentNullException.ThrowIfNull(tape);
        tape.Add(new KeepSourceOperation(tape, k, v));
    }

    /// <inheritdoc cref="SourceAttentionOperation"/>
    public static Value SourceAttention(this Tape tape, Value q, int heads)
    {
        ArgumentNullException.ThrowIfNull(tape);
        return tape.Record(new SourceAttentionOperation(tape, q, heads));
    }
}
