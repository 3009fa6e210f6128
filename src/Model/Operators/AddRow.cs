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
    private readonly TensorShare? _share;

    internal AddRowOperation(Tape tape, Value x, string table)
        => (Inputs, Parameters, Table, Output, _share) = ([x], [table], table, Value.Like(this, x), tape.Share);

    /// <summary>(types, C).</summary>
    public string Table { get; }

    internal override bool StaysWide => true;

    internal override Value MadeInPlaceOf => Inputs[0];

    // Of a tensor group each rank reads the others', which stay as they are.
    internal override IEnumerable<Value> GradientPassesTo => _share is null ? Inputs : [];

    internal override bool ReadsRanksBackward => _share is not null;

    internal override long ElementsOfRanks(PassKind kind)
        => kind == PassKind.Backward ? (long)(Output!.AllRows - Output.Rows) * OwnColumns : 0;

    // A rank of a tensor group sums some columns of all ranks' rows, none perhaps.
    internal override long ScratchFloats(BatchShape batch, int threads)
        => _share is null ? 0 : Math.Max(1, (long)Output!.AllRows * OwnColumns);

    private int OwnColumns => _share?.ColumnsOf(Output!.Columns).Count ?? 0;

    internal override unsafe void Forward(CpuPass pass)
    {
        var (C, types, firstRow) = (Output!.Columns, (int)pass.Tape.Layout[Table].Shape[0], Output.FirstRow);
        if (pass.Types.AsSpan().ContainsAnyExceptInRange(0, types - 1))
            throw new ArgumentException($"a token is of none of the {types} types that {Table} has", nameof(pass));
        float* y = pass[Output!], table = pass.Parameter(Table);
        pass.ForRows(Output!.Rows, C, (first, count) =>
        {
            for (var row = first; row < first + count; row++)
                Ranges.Add(y + row * C, y + row * C, table + (long)pass.Types[firstRow + row] * C, C);
        });
    }

    internal override unsafe void Backward(CpuPass pass)
    {
        var (x, C) = (Inputs[0], Output!.Columns);
        float* dy = pass.Gradient(Output!), dx = pass.Gradient(x), dTable = pass.ParameterGradient(Table);
        if (dTable is not null && _share is not null)
        {
            var (column, columns) = _share.ColumnsOf(C);
            RankRows.OfGradient(pass, pass.Scratch, column, columns);
            Sum(pass, pass.Scratch, dTable + column, columns, isFirst: _share.Rank == 0);
        }
        else if (dTable is not null)
        {
            Sum(pass, dy, dTable, C, isFirst: true);
        }
        if (dx is not null && dx != dy)
            pass.ForElements(x.Count, (first, count) => Ranges.Copy(dx + first, dy + first, count));
    }

    // All rows of some columns. Where there are no types, the gradient of the table's other rows is zero.
    private unsafe void Sum(CpuPass pass, float* dy, float* dTable, int columns, bool isFirst)
    {
        var (C, adds, parts) = (Output!.Columns, pass.AddsToGradients, pass.Shape.MicroBatches);
        var rows = Output.AllRows / parts;
        if (!pass.HasTypes)
        {
            pass.ForColumns(columns, (first, count) => ColumnSums.Add(
                dTable + first, dy + first, columns, rows, (long)rows * columns, parts, count, adds));
            if (!adds && isFirst)
                pass.ForElements(pass.Tape.Layout[Table].Count - C, (first, count) => Ranges.Clear(dTable + C + first, count));
            return;
        }
        for (var type = 0; type < pass.Tape.Layout[Table].Shape[0]; type++)
        {
            var kind = type;
            var row = dTable + (long)type * C;
            pass.ForColumns(columns, (first, count) =>
            {
                fixed (int* kinds = pass.Types)
                    KindSums.Add(row + first, dy + first, columns, kinds, kind, rows, parts, count, adds);
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
