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

    internal EmbedOperation(Tape tape, string table, string? positions, Dropout? dropout)
    {
        (Table, Positions, Dropout) = (table, positions, dropout);
        Parameters = positions is null ? [table] : [table, positions];
        Output = new Value(this, tape.Shape.Rows, (int)tape.Layout[table].Shape[1]);
        _isTied = tape.Layout.IsTied(table);
    }

    /// <summary>(V, C).</summary>
    public string Table { get; }

    /// <summary>(context, C); null for none.</summary>
    public string? Positions { get; }

    /// <summary>What is dropped; null for nothing.</summary>
    public Dropout? Dropout { get; }

    internal override unsafe void Forward(CpuPass pass)
    {
        var (C, T, tokens, probability) = (Output!.Columns, pass.Shape.Tokens, pass.Inputs, Dropout?.Probability ?? 0);
        float* x = pass[Output!], table = pass.Parameter(Table), positions = Positions is null ? null : pass.Parameter(Positions);
        pass.ForRows(Output!.Rows, C, (first, count) =>
        {
            fixed (int* ids = tokens)
                Embedding.Gather(table, positions, ids + first, first, count, T, C, x + (long)first * C);
        });
        if (Dropout is not null)
            pass.ForMask(Dropout, Output!, (key, at, first, count) =>
                DropoutMask.Apply(x + at, key, probability, first, count, x + at));
    }

    internal override unsafe void Backward(CpuPass pass)
    {
        var (C, shape, probability) = (Output!.Columns, pass.Shape, Dropout?.Probability ?? 0);
        var dx = pass.Gradient(Output!);
        if (dx is null)
            return;
        if (Dropout is not null)
            pass.ForMask(Dropout, Output!, (key, at, first, count) =>
                DropoutMask.Apply(dx + at, key, probability, first, count, dx + at));
        var adds = pass.AddsToGradients;
        if (Positions is not null && pass.ParameterGradient(Positions) is var dPositions && dPositions is not null)
        {
            pass.For(shape.Tokens, 8, (first, count) => ColumnSums.AddPositions(
                dPositions + first * C, dx, shape.MicroBatches, shape.Sequences, shape.Tokens, C, (int)first, count, adds));
            // Positions that no sequence reaches.
            var rest = pass.Tape.Layout[Positions].Count - (long)shape.Tokens * C;
            if (!adds)
                pass.ForElements(rest, (first, count) => new Span<float>(dPositions + (long)shape.Tokens * C + first, count).Clear());
        }
        if (pass.ParameterGradient(Table) is var dTable && dTable is not null)
            Scatter(pass, dx, dTable);
    }

    private unsafe void Scatter(CpuPass pass, float* dx, float* dTable)
    {
        var (C, shape, segment) = (Output!.Columns, pass.Shape, pass.Tape.Layout[Table]);
        if (!_isTied && !pass.AddsToGradients)
            pass.ForElements(segment.Count, (first, count) => new Span<float>(dTable + first, count).Clear());
        var scattered = pass.Scattered;
        var tokens = scattered.Prepare(segment.Offset, C, shape.Rows);
        var plan = ScatterPlan.Of(pass.Inputs, shape.RowsOfMicroBatch, tokens);
        var rows = scattered.Rows;
        pass.For(plan.Tokens, 16, (first, count) => plan.Sum(dx, C, first, count, rows));
        scattered.Keep(plan.Tokens);
    }
}

/// <summary>Records embeddings.</summary>
public static class EmbedOperator
{
    /// <inheritdoc cref="EmbedOperation"/>
    public static Value Embed(this Tape tape, string table, string? positions, Dropout? dropout)
    {
        ArgumentNullException.ThrowIfNull(tape);
        return tape.Record(new EmbedOperation(tape, table, positions, dropout));
    }
}
