using Elastic.Foundation;
using Elastic.Kernels;
using Elastic.Model.Cpu;
using Elastic.Model.Tapes;

namespace Elastic.Model.Operators;

/// <summary>
/// To every row that row of a table is added that the micro-batch names for it, the first one where it names none: the embedding of a
/// segment (Devlin et al. 2019, section 3), y[n] = x[n] + table[type[n]]. (N, C) (types, C) -> (N, C).
/// </summary>
public sealed class AddRowOperation : Operation
{
    internal AddRowOperation(Tape tape, Value x, string table)
    {
        if (tape.Share is not null)
            throw new ElasticException("an encoder's embedding of segments is not shared by the devices of a tensor group");
        (Inputs, Parameters, Table, Output) = ([x], [table], table, new Value(this, x.Rows, x.Columns));
    }

    /// <summary>(types, C).</summary>
    public string Table { get; }

    internal override bool StaysWide => true;

    internal override Value MadeInPlaceOf => Inputs[0];

    internal override IEnumerable<Value> GradientPassesTo => Inputs;

    internal override unsafe void Forward(CpuPass pass)
    {
        var (C, types) = (Output!.Columns, (int)pass.Tape.Layout[Table].Shape[0]);
        if (pass.Types.AsSpan().ContainsAnyExceptInRange(0, types - 1))
            throw new ArgumentException($"a token is of none of the {types} types that {Table} has", nameof(pass));
        float* y = pass[Output!], table = pass.Parameter(Table);
        pass.ForRows(Output!.Rows, C, (first, count) =>
        {
            for (var row = first; row < first + count; row++)
                Ranges.Add(y + row * C, y + row * C, table + (long)pass.Types[row] * C, C);
        });
    }

    internal override unsafe void Backward(CpuPass pass)
    {
        var (x, C) = (Inputs[0], Output!.Columns);
        float* dy = pass.Gradient(Output!), dx = pass.Gradient(x), dTable = pass.ParameterGradient(Table);
        if (dTable is not null && pass.HasTypes)
            SumTypes(pass, dy, dTable);
        else if (dTable is not null)
            SumRows(pass, dy, dTable);
        if (dx is not null && dx != dy)
            pass.ForElements(x.Count, (first, count) => Ranges.Copy(dx + first, dy + first, count));
    }

    // The gradient of the table's other rows is zero.
    private unsafe void SumRows(CpuPass pass, float* dy, float* dTable)
    {
        var (C, adds, parts, rows) = (Output!.Columns, pass.AddsToGradients, pass.Shape.MicroBatches, pass.RowsOfMicroBatch(Output!));
        pass.ForColumns(C, (first, count) => ColumnSums.Add(
            dTable + first, dy + first, C, rows, (long)rows * C, parts, count, adds));
        if (!adds)
            pass.ForElements(pass.Tape.Layout[Table].Count - C, (first, count) => Ranges.Clear(dTable + C + first, count));
    }

    private unsafe void SumTypes(CpuPass pass, float* dy, float* dTable)
    {
        var (C, adds, parts, rows) = (Output!.Columns, pass.AddsToGradients, pass.Shape.MicroBatches, pass.RowsOfMicroBatch(Output!));
        for (var type = 0; type < pass.Tape.Layout[Table].Shape[0]; type++)
        {
            var kind = type;
            var row = dTable + (long)type * C;
            pass.ForColumns(C, (first, count) =>
            {
                fixed (int* kinds = pass.Types)
                    KindSums.Add(row + first, dy + first, C, kinds, kind, rows, parts, count, adds);
            });
        }
    }
}

/// <summary>Records the sum.</summary>
public static class AddRowOperator
{
    /// <inheritdoc cref="AddRowOperation"/>
    /// <param name="x">Nothing else may read it: the sum takes its memory.</param>
    public static Value AddRow(this Tape tape, Value x, string table)
    {
        ArgumentNullException.ThrowIfNull(tape);
        return tape.Record(new AddRowOperation(tape, x, table));
    }
}
