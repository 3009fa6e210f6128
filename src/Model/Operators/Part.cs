using Elastic.Kernels;
using Elastic.Model.Cpu;
using Elastic.Model.Tapes;

namespace Elastic.Model.Operators;

/// <summary>Of the rows of each micro-batch those from <see cref="First"/> on, as many as <see cref="Count"/>. -> (M Count, C)</summary>
public sealed class PartOperation : Operation
{
    internal PartOperation(Value x, int first, int count, int microBatches)
        => (Inputs, First, Count, Output) = ([x], first, count, new Value(this, microBatches * count, x.Columns));

    /// <summary>The first row within a micro-batch.</summary>
    public int First { get; }

    /// <summary>Rows of a micro-batch.</summary>
    public int Count { get; }

    internal override bool StaysWide => Inputs[0].Producer.StaysWide;

    internal override bool CanAddToGradients => true;

    internal override unsafe void Forward(CpuPass pass)
    {
        var (C, ofAll) = (Output!.Columns, pass.RowsOfMicroBatch(Inputs[0]));
        float* x = pass[Inputs[0]], y = pass[Output!];
        pass.ForRows(Output!.Rows, C, (first, count) =>
        {
            for (var row = first; row < first + count; row++)
                Ranges.Copy(y + row * C, x + (row / Count * ofAll + First + row % Count) * C, C);
        });
    }

    // Whoever comes first clears what the others add to.
    internal override unsafe void Backward(CpuPass pass)
    {
        var (C, ofAll, adds) = (Output!.Columns, pass.RowsOfMicroBatch(Inputs[0]), pass.AddsTo(this, Inputs[0]));
        float* dx = pass.Gradient(Inputs[0]), dy = pass.Gradient(Output!);
        if (dx is null)
            return;
        pass.ForRows(Inputs[0].Rows, C, (first, count) =>
        {
            for (var row = first; row < first + count; row++)
            {
                var (microBatch, at) = Math.DivRem(row, ofAll);
                if (at < First || at >= First + Count)
                {
                    if (!adds)
                        Ranges.Clear(dx + row * C, C);
                    continue;
                }
                var from = dy + (microBatch * Count + at - First) * C;
                if (adds)
                    Ranges.Add(dx + row * C, dx + row * C, from, C);
                else
                    Ranges.Copy(dx + row * C, from, C);
            }
        });
    }
}

/// <summary>Records a part.</summary>
public static class PartOperator
{
    /// <inheritdoc cref="PartOperation"/>
    public static Value Part(this Tape tape, Value x, int first, int count)
    {
        ArgumentNullException.ThrowIfNull(tape);
        return tape.Record(new PartOperation(x, first, count, tape.Shape.MicroBatches));
    }
}
