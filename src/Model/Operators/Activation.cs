using Elastic.Kernels;
using Elastic.Model.Cpu;
using Elastic.Model.Tapes;

namespace Elastic.Model.Operators;

/// <summary>A function of single numbers.</summary>
public enum Activation
{
    /// <summary>GELU (Hendrycks and Gimpel 2016) with the error function, x Φ(x), as BERT has it.</summary>
    GeluErf,

    /// <summary>max(x, 0), as in Vaswani et al. 2017, equation 2.</summary>
    Relu,
}

/// <summary>A function of each number. (N, C) -> (N, C)</summary>
public sealed class ActivationOperation : Operation
{
    internal ActivationOperation(Value x, Activation function)
        => (Inputs, Output, Function) = ([x], Value.Like(this, x), function);

    /// <summary>The function.</summary>
    public Activation Function { get; }

    internal override IEnumerable<Value> KeptForBackward => Inputs;

    internal override unsafe void Forward(CpuPass pass)
    {
        float* x = pass[Inputs[0]], y = pass[Output!];
        pass.ForElements(Output!.Count, (first, count) =>
        {
            if (Function == Activation.Relu)
                Activations.Forward<Relu>(y + first, x + first, count);
            else
                Activations.Forward<GeluErf>(y + first, x + first, count);
        });
    }

    internal override unsafe void Backward(CpuPass pass)
    {
        float* x = pass[Inputs[0]], dy = pass.Gradient(Output!), dx = pass.Gradient(Inputs[0]);
        if (dx is null)
            return;
        pass.ForElements(Output!.Count, (first, count) =>
        {
            if (Function == Activation.Relu)
                Activations.Backward<Relu>(dx + first, dy + first, x + first, count);
            else
                Activations.Backward<GeluErf>(dx + first, dy + first, x + first, count);
        });
    }
}

/// <summary>Records a function of each number.</summary>
public static class ActivationOperator
{
    /// <inheritdoc cref="ActivationOperation"/>
    public static Value Activate(this Tape tape, Value x, Activation function) => tape.Record(new ActivationOperation(x, function));
}
