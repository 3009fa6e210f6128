using Elastic.Kernels;
using Elastic.Model.Cpu;
using Elastic.Model.Tapes;

namespace Elastic.Model.Operators;

/// <summary>
/// The first row of a table added to every row: the embedding of a segment (Devlin et al. 2019, section 3) where all tokens are of the
/// first segment. (N, C) (types, C) -> (N, C). The gradient of the table's other rows is zero.
/// </summary>
public sealed class AddRowOperation : Operation
{
    internal AddRowOperation(Value x, string table)
        => (Inputs, Parameters, Table, Output) = ([x], [table], table, new Value(this, x.Rows, x.Columns));

    /// <summary>(types, C).</summary>
    public string Table { get; }

    internal override bool StaysWide => true;

    internal override Value MadeInPlaceOf => Inputs[0];

    internal override IEnumerable<Value> GradientPassesTo => Inputs;

    internal override unsafe void Forward(CpuPass pass)
    {
        var C = Output!.Columns;
        float* y = pass[Output!], row = pass.Parameter(Table);
        pass.ForRows(Output!.Rows, C, (first, count) =>
        {
            for (var at = y + first * C; count > 0; at += C, count--)
                Ranges.Add(at, at, row, C);
        });
    }

    internal override unsafe void Backward(CpuPass pass)
    {
        var (x, C, adds) = (Inputs[0], Output!.Columns, pass.AddsToGradients);
        float* dy = pass.Gradient(Output!), dx = pass.Gradient(x), dTable = pass.ParameterGradient(Table);
        if (dTable is not null)
        {
            var (parts, rows) = (pass.Shape.MicroBatches, pass.RowsOfMicroBatch(Output!));
            pass.ForColumns(C, (first, count) => ColumnSums.Add(
                dTable + first, dy + first, C, rows, (long)rows * C, parts, count, adds));
            if (!adds)
                pass.ForElements(pass.Tape.Layout[Table].Count - C, (first, count) => Ranges.Clear(dTable + C + first, count));
        }
        if (dx is not null && dx != dy)
            pass.ForElements(x.Count, (first, count) => Ranges.Copy(dx + first, dy + first, count));
    }
}

/// <summary>Records the sum.</summary>
public static class AddRowOperator
{
    /// <inheritdoc cref="AddRowOperation"/>
    /// <param name="x">Nothing else may read it: the sum takes its memory.</param>
    public static Value AddRow(this Tape tape, Value x, string table) => tape.Record(new AddRowOperation(x, table));
}
