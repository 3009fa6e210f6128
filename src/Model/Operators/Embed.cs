using Elastic.Kernels;
using Elastic.Model.Cpu;
using Elastic.Model.Networks;
using Elastic.Model.Tapes;

namespace Elastic.Model.Operators;

/// <summary>
/// The embeddings of tokens and positions: x[n] = table[token[n]] + positions[n mod T], with dropout. -> (N, C)
/// The gradient of the table is kept apart, row by row (<see cref="Training.ScatteredRows"/>): where the head is tied to the table, the
/// head's share is summed first. Within a micro-batch a token's rows are summed in their order, micro-batches along the tree.
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
        if (_share is not null)
            dx = Gather(pass);
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
        if (pass.ParameterGradient(Table) is var dTable && dTable is not null)
            Scatter(pass, dx, dTable);
    }

    // All ranks' rows.
    private unsafe float* Gather(CpuPass pass)
    {
        var C = Output!.Columns;
        var all = pass.Scratch;
        for (var rank = 0; rank < pass.Ranks.Count; rank++)
        {
            var view = pass.RankAt(rank);
            var its = view.Operation.Output!;
            float* from = view.OutputGradient, into = all + (long)its.FirstRow * C;
            pass.ForElements(its.Count, (first, count) => Ranges.Copy(into + first, from + first, count));
        }
        return all;
    }

    // Of a tensor group each rank sums the rows of its tokens.
    private unsafe void Scatter(CpuPass pass, float* dx, float* dTable)
    {
        var (C, shape, segment) = (Output!.Columns, pass.Shape, pass.Tape.Layout[Table]);
        var (firstToken, ownTokens) = _share?.RowsOf((int)segment.Shape[0]) ?? (0, (int)segment.Shape[0]);
        if (!_isTied && !pass.AddsToGradients)
            pass.ForElements((long)ownTokens * C, (first, count) => Ranges.Clear(dTable + (long)firstToken * C + first, count));
        var scattered = pass.Scattered;
        var plans = pass.Scratch + (_share is null ? 0 : (long)shape.Rows * C);
        var tokens = scattered.Prepare(segment.Offset, C, shape.Rows);
        fixed (int* ids = pass.Inputs)
        {
            var plan = EmbeddingPlan.Build((int*)plans, ids, shape.Rows, (int)segment.Shape[0]);
            var all = new ReadOnlySpan<int>(plan.Tokens, plan.Count);
            var (begin, end) = (IndexOf(all, firstToken), IndexOf(all, firstToken + ownTokens));
            all[begin..end].CopyTo(tokens);
            var rows = scattered.Rows;
            pass.For(end - begin, 16, (first, count) => Embedding.WriteGradients(
                rows + first * C, plan, begin + (int)first, count, dx, shape.RowsOfMicroBatch, shape.MicroBatches, C));
            scattered.Keep(end - begin);
        }
    }

    // Of the first token that is not below this one.
    private static int IndexOf(ReadOnlySpan<int> tokens, int token)
    {
        var at = tokens.BinarySearch(token);
        return at < 0 ? ~at : at;
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
