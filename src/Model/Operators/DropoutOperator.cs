using Elastic.Kernels;
using Elastic.Model.Cpu;
using Elastic.Model.Networks;
using Elastic.Model.Tapes;

namespace Elastic.Model.Operators;

/// <summary>Dropout by itself, where no other operation draws it. (N, C) -> (N, C)</summary>
public sealed class DropoutOperation : Operation
{
    internal DropoutOperation(Value x, DropoutMask mask) => (Inputs, Output, Mask) = ([x], Value.Like(this, x), mask);

    /// <summary>What is dropped.</summary>
    public DropoutMask Mask { get; }

    internal override Value MadeInPlaceOf => Inputs[0];

    internal override unsafe void Forward(CpuPass pass)
    {
        var y = pass[Output!];
        var rate = Mask.Rate;
        pass.ForMask(Mask, Output!, (key, at, first, count) => Dropout.Apply(y + at, y + at, null, key, first, count, rate));
    }

    internal override unsafe void Backward(CpuPass pass)
    {
        float* dy = pass.Gradient(Output!), dx = pass.Gradient(Inputs[0]);
        var rate = Mask.Rate;
        if (dx is not null)
            pass.ForMask(Mask, Output!, (key, at, first, count) => Dropout.Apply(dx + at, dy + at, null, key, first, count, rate));
    }
}

/// <summary>Records dropout.</summary>
public static class DropoutOperator
{
    /// <inheritdoc cref="DropoutOperation"/>
    /// <param name="x">Nothing else may read it: what is left of it takes its memory.</param>
    /// <param name="mask">Null for nothing: x itself.</param>
    public static Value Dropout(this Tape tape, Value x, DropoutMask? mask)
    {
        ArgumentNullException.ThrowIfNull(tape);
        return mask is null ? x : tape.Record(new DropoutOperation(x, mask));
    }
}
