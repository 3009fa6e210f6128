using Elastic.Kernels;
using Elastic.Model.Cpu;
using Elastic.Model.Tapes;

namespace Elastic.Model.Operators;

/// <summary>
/// Takes the rows of each micro-batch from <see cref="First"/> on, as many as <see cref="Count"/>. -> (M Count, C)
/// A rank of a tensor group has some of these rows, and reads them where the ranks have them that have them of x.
/// </summary>
public sealed class PartOperation : Operation
{
    private readonly int _ofAll;
    private readonly TensorShare? _share;

    internal PartOperation(Tape tape, Value x, int first, int count)
    {
        (Inputs, First, Count, _share) = ([x], first, count, tape.Share);
        _ofAll = x.AllRows / tape.Shape.MicroBatches;
        Output = Value.RowsOf(this, _share, tape.Shape.MicroBatches * count, x.Columns);
    }

    /// <summary>The first row within a micro-batch.</summary>
    public int First { get; }

    /// <summary>Rows of a micro-batch.</summary>
    public int Count { get; }

    internal override bool StaysWide => Inputs[0].Producer.StaysWide;

    internal override bool CanAddToGradients => true;

    internal override bool ReadsRanks => _share is not null;

    internal override bool ReadsRanksBackward => _share is not null;

    // All of its rows at most.
    internal override long ElementsOfRanks(PassKind kind) => _share is null ? 0 : Output!.Count;

    internal override unsafe void Forward(CpuPass pass)
    {
        var (C, firstRow) = (Output!.Columns, Output.FirstRow);
        var y = pass[Output];
        var x = _share is null ? [(0, Inputs[0].Rows, (nint)pass[Inputs[0]])]
            : Ranks(pass, view => (view.Operation.Inputs[0], (nint)view.Input(0)));
        pass.ForRows(Output.Rows, C, (first, count) =>
        {
            for (var row = first; row < first + count; row++)
            {
                var (microBatch, at) = Math.DivRem(firstRow + row, Count);
                Ranges.Copy(y + row * C, RowOf(x, microBatch * _ofAll + First + at, C), C);
            }
        });
    }

    // Whoever comes first clears what the others add to.
    internal override unsafe void Backward(CpuPass pass)
    {
        var (C, firstRow, adds) = (Output!.Columns, Inputs[0].FirstRow, pass.AddsTo(this, Inputs[0]));
        var dx = pass.Gradient(Inputs[0]);
        if (dx is null)
            return;
        var dy = _share is null ? [(0, Output.Rows, (nint)pass.Gradient(Output))]
            : Ranks(pass, view => (view.Operation.Output!, (nint)view.OutputGradient));
        pass.ForRows(Inputs[0].Rows, C, (first, count) =>
        {
            for (var row = first; row < first + count; row++)
            {
                var (microBatch, at) = Math.DivRem(firstRow + row, _ofAll);
                if (at < First || at >= First + Count)
                {
                    if (!adds)
                        Ranges.Clear(dx + row * C, C);
                    continue;
                }
                var from = RowOf(dy, microBatch * Count + at - First, C);
                if (adds)
                    Ranges.Add(dx + row * C, dx + row * C, from, C);
                else
                    Ranges.Copy(dx + row * C, from, C);
            }
        });
    }

    // Which rows each rank has, and where.
    private static (int First, int Count, nint Data)[] Ranks(CpuPass pass, Func<RankView, (Value Value, nint Data)> of) =>
    [
        .. Enumerable.Range(0, pass.Ranks.Count).Select(rank =>
        {
            var (value, data) = of(pass.RankAt(rank));
            return (value.FirstRow, value.Rows, data);
        }),
    ];

    private static unsafe float* RowOf((int First, int Count, nint Data)[] ranks, long row, int columns)
    {
        var rank = 0;
        while (row >= ranks[rank].First + ranks[rank].Count)
            rank++;
        return (float*)ranks[rank].Data + (row - ranks[rank].First) * columns;
    }
}

/// <summary>Records a part.</summary>
public static class PartOperator
{
    /// <inheritdoc cref="PartOperation"/>
    public static Value Part(this Tape tape, Value x, int first, int count)
    {
        ArgumentNullException.ThrowIfNull(tape);
        return tape.Record(new PartOperation(tape, x, first, count));
    }
}
