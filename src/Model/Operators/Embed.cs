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

    internal EmbedOperation(Tape tape, string table, string? positions, DropoutMask? mask)
    {
        (Table, Positions, Mask) = (table, positions, mask);
        Parameters = positions is null ? [table] : [table, positions];
        Output = new Value(this, tape.Shape.Rows, (int)tape.Layout[table].Shape[1]);
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

    internal override long ScratchFloats(BatchShape batch, int threads) => EmbeddingPlan.WorkspaceInts(batch.Rows);

    internal override unsafe void Forward(CpuPass pass)
    {
        var (C, tokens, rate) = (Output!.Columns, pass.Inputs, Mask?.Rate ?? DropoutRate.None);
        var places = pass.Positions;
        float* x = pass[Output!], table = pass.Parameter(Table), positions = Positions is null ? null : pass.Parameter(Positions);
        pass.ForRows(Output!.Rows, C, (first, count) =>
        {
            fixed (int* ids = tokens, at = places)
                Embedding.Gather(x + first * C, table, ids + first, positions, at + first, count, C);
        });
        if (Mask is not null)
            pass.ForMask(Mask, Output!, (key, at, first, count) =>
                Dropout.Apply(x + at, x + at, null, key, first, count, rate));
    }

    internal override unsafe void Backward(CpuPass pass)
    {
        var (C, shape, rate) = (Output!.Columns, pass.Shape, Mask?.Rate ?? DropoutRate.None);
        var dx = pass.Gradient(Output!);
        if (dx is null)
            return;
        if (Mask is not null)
            pass.ForMask(Mask, Output!, (key, at, first, count) =>
                Dropout.Apply(dx + at, dx + at, null, key, first, count, rate));
        var adds = pass.AddsToGradients;
        if (Positions is not null && pass.ParameterGradient(Positions) is var dPositions && dPositions is not null)
        {
            pass.For(shape.Tokens, 8, (first, count) => ColumnSums.AddPositions(
                dPositions + first * C, dx, shape.MicroBatches, shape.Sequences, shape.Tokens, C, (int)first, count, adds));
            // Positions that no sequence reaches.
            var rest = pass.Tape.Layout[Positions].Count - (long)shape.Tokens * C;
            if (!adds)
                pass.ForElements(rest, (first, count) => Ranges.Clear(dPositions + (long)shape.Tokens * C + first, count));
        }
        if (pass.ParameterGradient(Table) is var dTable && dTable is not null)
            Scatter(pass, dx, dTable);
    }

    private unsafe void Scatter(CpuPass pass, float* dx, float* dTable)
    {
        var (C, shape, segment) = (Output!.Columns, pass.Shape, pass.Tape.Layout[Table]);
        if (!_isTied && !pass.AddsToGradients)
            pass.ForElements(segment.Count, (first, count) => Ranges.Clear(dTable + first, count));
        var scattered = pass.Scattered;
        var tokens = scattered.Prepare(segment.Offset, C, shape.Rows);
        fixed (int* ids = pass.Inputs)
        {
            var plan = EmbeddingPlan.Build((int*)pass.Scratch, ids, shape.Rows, (int)segment.Shape[0]);
            new ReadOnlySpan<int>(plan.Tokens, plan.Count).CopyTo(tokens);
            var rows = scattered.Rows;
            pass.For(plan.Count, 16, (first, count) => Embedding.WriteGradients(
                rows + first * C, plan, (int)first, count, dx, shape.RowsOfMicroBatch, shape.MicroBatches, C));
            scattered.Keep(plan.Count);
        }
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
