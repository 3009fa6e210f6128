using Elastic.Kernels;
using Elastic.Model.Cpu;
using Elastic.Model.Networks;
using Elastic.Model.Tapes;

namespace Elastic.Model.Operators;

/// <summary>x + branch, the branch with dropout: the residual sum (He et al. 2016, section 3.1). Twice (N, C) -> (N, C)</summary>
public sealed class ResidualOperation : Operation
{
    internal ResidualOperation(Value x, Value branch, Dropout? dropout)
        => (Inputs, Output, Dropout) = ([x, branch], new Value(this, x.Rows, x.Columns), dropout);

    /// <summary>(N, C).</summary>
    public Value X => Inputs[0];

    /// <summary>(N, C).</summary>
    public Value Branch => Inputs[1];

    /// <summary>What is dropped of the branch; null for nothing.</summary>
    public Dropout? Dropout { get; }

    internal override Value MadeInPlaceOf => Branch;

    internal override IEnumerable<Value> GradientPassesTo => Dropout is null ? Inputs : [X];

    internal override unsafe void Forward(CpuPass pass)
    {
        float* x = pass[X], y = pass[Output!];
        var probability = Dropout?.Probability ?? 0;
        if (Dropout is null)
            pass.ForElements(Output!.Count, (first, count) => Elements.Add(y + first, x + first, count));
        else
            pass.ForMask(Dropout, Output!, (key, at, first, count) =>
                DropoutMask.ApplyAndAdd(y + at, x + at, key, probability, first, count, y + at));
    }

    internal override unsafe void Backward(CpuPass pass)
    {
        var dy = pass.Gradient(Output!);
        Pass(pass, X, dy);
        if (Dropout is null)
        {
            Pass(pass, Branch, dy);
            return;
        }
        var branch = pass.Gradient(Branch);
        var probability = Dropout.Probability;
        pass.ForMask(Dropout, Branch, (key, at, first, count) =>
            DropoutMask.Apply(dy + at, key, probability, first, count, branch + at));
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
                Elements.Add(dx + first, dy + first, count);
            else
                Elements.Copy(dy + first, dx + first, count);
        });
    }
}

/// <summary>Records the residual sum.</summary>
public static class ResidualOperator
{
    /// <inheritdoc cref="ResidualOperation"/>
    /// <param name="branch">Nothing else may read it: the sum takes its memory.</param>
    public static Value Residual(this Tape tape, Value x, Value branch, Dropout? dropout) => tape.Record(new ResidualOperation(x, branch, dropout));
}
