using Elastic.Kernels;
using Elastic.Model.Cpu;
using Elastic.Model.Networks;
using Elastic.Model.Tapes;

namespace Elastic.Model.Operators;

/// <summary>
/// The embeddings of tokens and positions: x[n] = table[token[n]] + positions[n mod T], with dropout. -> (N, C)
/// The gradient of the table is kept apart (<see cref="TokenSums"/>): where the head is tied to the table, the head's share is summed
/// first.
/// </summary>
public sealed class EmbedOperation : Operation
{
    private readonly bool _isTied;
    private readonly TensorShare? _share;

    internal EmbedOperation(Tape tape, string table, string? positions, DropoutMask? mask)
    {
        (Table, Positions, Mask) = (table, positions, mask);
        Parameters = positions is null ? [table] : [table, positions];
        _share = tape.Share;
        Output = Value.RowsOf(this, _share, tape.Shape.Rows, (int)tape.Layout[table].Shape[1]);
        _isTied = tape.Layout.IsTied(table);
    }

    /// <summary>(V, C).</summary>
    public string Table { get; }

    /// <summary>(context, C); null for none.</summary>
    public string? Positions { get; }

    /// <summary>What is dropped; null for nothing.</summary>
    public DropoutMask? Mask { get; }

    internal override IEnumerable<string> ParametersWritten => _isTied ? Parameters.Where(p => p != Table) : Parameters;

    internal override bool StaysWide => true;

    internal override bool SumsRowsApart => true;

    internal override bool ReadsRanksBackward => _share is not null;

    internal override long ElementsOfRanks(PassKind kind)
        => kind == PassKind.Backward ? (long)(Output!.AllRows - Output.Rows) * Output.Columns : 0;

    // A rank of a tensor group sums over all ranks' rows.
    internal override long ScratchFloats(BatchShape batch, int threads)
        => EmbeddingPlan.WorkspaceInts(batch.Rows) + (_share is null ? 0 : (long)Output!.AllRows * Output.Columns);

    internal override unsafe void Forward(CpuPass pass)
    {
        var (C, tokens, rate) = (Output!.Columns, pass.Inputs, Mask?.Rate ?? DropoutRate.None);
        var (places, firstRow) = (pass.Positions, Output!.FirstRow);
        float* x = pass[Output!], table = pass.Parameter(Table), positions = Positions is null ? null : pass.Parameter(Positions);
        pass.ForRows(Output!.Rows, C, (first, count) =>
        {
            fixed (int* ids = tokens, at = places)
                Embedding.Gather(x + first * C, table, ids + firstRow + first, positions, at + firstRow + first, count, C);
        });
        if (Mask is not null)
            pass.ForMask(Mask, Output!, (key, at, first, count) =>
                Dropout.Apply(x + at, x + at, null, key, first, count, rate));
    }

    internal override unsafe void PrepareBackward(CpuPass pass)
    {
        var rate = Mask?.Rate ?? DropoutRate.None;
        var dx = pass.Gradient(Output!);
        if (Mask is not null && dx is not null)
            pass.ForMask(Mask, Output!, (key, at, first, count) =>
                Dropout.Apply(dx + at, dx + at, null, key, first, count, rate));
    }

    internal override unsafe void Backward(CpuPass pass)
    {
        var (C, shape) = (Output!.Columns, pass.Shape);
        var dx = pass.Gradient(Output!);
        if (dx is null)
            return;
        // All ranks' rows.
        var work = pass.Scratch;
        if (_share is not null)
        {
            RankRows.OfGradient(pass, work, 0, C);
            dx = work;
            work += (long)Output.AllRows * C;
        }
        var adds = pass.AddsToGradients;
        if (Positions is not null && pass.ParameterGradient(Positions) is var dPositions && dPositions is not null)
        {
            var (position, positions) = _share?.RowsOf(shape.Tokens) ?? (0, shape.Tokens);
            pass.For(positions, 8, (first, count) => ColumnSums.AddPositions(
                dPositions + (position + first) * C, dx, shape.MicroBatches, shape.Sequences, shape.Tokens, C, position + (int)first,
                count, adds));
            // Positions that no sequence reaches.
            var rest = pass.Tape.Layout[Positions].Count - (long)shape.Tokens * C;
            if (!adds && _share is null or { Rank: 0 })
                pass.ForElements(rest, (first, count) => Ranges.Clear(dPositions + (long)shape.Tokens * C + first, count));
        }
        if (pass.ParameterGradient(Table) is not null)
            TokenSums.Write(pass, Table, _isTied, pass.Inputs, dx, (int*)work);
    }
}

/// <summary>Records embeddings.</summary>
public static class EmbedOperator
{
    /// <inheritdoc cref="EmbedOperation"/>
    public static Value Embed(this Tape tape, string table, string? positions, DropoutMask? mask)
    {
        ArgumentNullException.ThrowIfNull(tape);
        return tape.Record(new EmbedOperation(tape, table, positions, mask));
    }
}
