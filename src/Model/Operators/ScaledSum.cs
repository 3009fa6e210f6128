using Elastic.Kernels;
using Elastic.Model.Cpu;
using Elastic.Model.Tapes;

namespace Elastic.Model.Operators;

/// <summary>y = x + s b, with a constant s: an adapter's share. Twice (N, C) -> (N, C)</summary>
public sealed class ScaledSumOperation : Operation
{
    internal ScaledSumOperation(Value x, Value branch, double scale)
        => (Inputs, Output, Scale) = ([x, branch], Value.Like(this, x), (float)scale);

    /// <summary>(N, C).</summary>
    public Value X => Inputs[0];

    /// <summary>b, (N, C).</summary>
    public Value Branch => Inputs[1];

    /// <summary>s, rounded to fp32 once.</summary>
    public float Scale { get; }

    internal override Value MadeInPlaceOf => Branch;

    internal override IEnumerable<Value> GradientPassesTo => [X];

    internal override bool CanAddToGradients => true;

    internal override unsafe void Forward(CpuPass pass)
    {
        float* x = pass[X], y = pass[Output!];
        pass.ForElements(Output!.Count, (first, count) => Ranges.AddScaled(y + first, x + first, y + first, Scale, count));
    }

    internal override unsafe void Backward(CpuPass pass)
    {
        float* dy = pass.Gradient(Output!), dx = pass.Gradient(X), db = pass.Gradient(Branch);
        bool addsX = pass.AddsTo(this, X), addsB = pass.AddsTo(this, Branch);
        // The branch first: dx may be in the place of dy.
        if (db is not null)
            pass.ForElements(Branch.Count, (first, count) => Share(db + first, dy + first, Scale, count, addsB));
        if (dx is not null && dx != dy)
            pass.ForElements(X.Count, (first, count) => Share(dx + first, dy + first, 1, count, addsX));
    }

    private static unsafe void Share(float* into, float* dy, float scale, long count, bool adds)
    {
        if (adds)
            Ranges.AddScaled(into, into, dy, scale, count);
        else
            Ranges.Scale(into, dy, scale, count);
    }
}

/// <summary>Records the sum with an adapter's share.</summary>
public static class ScaledSumOperator
{
    /// <inheritdoc cref="ScaledSumOperation"/>
    /// <param name="branch">Nothing else may read it: the sum takes its memory.</param>
    public static Value ScaledSum(this Tape tape, Value x, Value branch, double scale)
        => tape.Record(new ScaledSumOperation(x, branch, scale));
}
