using Elastic.Kernels;
using Elastic.Model.Cpu;
using Elastic.Model.Networks;
using Elastic.Model.Tapes;

namespace Elastic.Model.Operators;

/// <summary>x + branch, the branch with dropout: the residual sum (He et al. 2016, section 3.1). Twice (N, C) -> (N, C)</summary>
public sealed class ResidualOperation : Operation
{
    internal ResidualOperation(Value x, Value branch, DropoutMask? mask)
        => (Inputs, Output, Mask) = ([x, branch], Value.Like(this, x), mask);

    /// <summary>(N, C).</summary>
    public Value X => Inputs[0];

    /// <summary>(N, C).</summary>
    public Value Branch => Inputs[1];

    /// <summary>What is dropped of the branch; null for nothing.</summary>
    public DropoutMask? Mask { get; }

    internal override bool StaysWide => true;

    internal override Value MadeInPlaceOf => Branch;

    internal override bool CanAddToGradients => true;

    internal override IEnumerable<Value> GradientPassesTo => Mask is null ? Inputs : [X];

    internal override unsafe void Forward(CpuPass pass)
    {
        float* x = pass[X], y = pass[Output!];
        var rate = Mask?.Rate ?? DropoutRate.None;
        if (Mask is null)
            pass.ForElements(Output!.Count, (first, count) => Ranges.Add(y + first, x + first, y + first, count));
        else
            pass.ForMask(Mask, Output!, (key, at, first, count) =>
                Dropout.Apply(y + at, y + at, x + at, key, first, count, rate));
    }

    internal override unsafe void Backward(CpuPass pass)
    {
        var dy = pass.Gradient(Output!);
        Pass(pass, X, dy);
        if (Mask is null)
        {
            Pass(pass, Branch, dy);
            return;
        }
        var branch = pass.Gradient(Branch);
        var rate = Mask.Rate;
        pass.ForMask(Mask, Branch, (key, at, first, count) =>
            Dropout.Apply(branch + at, dy + at, null, key, first, count, rate));
    }

    private unsafe void Pass(CpuPass pass, Value input, float* dy)
    {
        var dx = pass.Gradient(input);
        if (dx is null || dx == dy)
            return;
        var adds = pass.AddsTo(this, input);
        pass.ForElements(input.Count, (first, count) =>
        {
            if (adds)
                Ranges.Add(dx + first, dx + first, dy + first, count);
            else
                Ranges.Copy(dx + first, dy + first, count);
        });
    }
}

/// <summary>Records the residual sum.</summary>
public static class ResidualOperator
{
    /// <inheritdoc cref="ResidualOperation"/>
    /// <param name="branch">Nothing else may read it: the sum takes its memory.</param>
    public static Value Residual(this Tape tape, Value x, Value branch, DropoutMask? mask)
        => tape.Record(new ResidualOperation(x, branch, mask));
}
