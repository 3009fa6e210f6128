using Elastic.Kernels;
using Elastic.Model.Cpu;
using Elastic.Model.Tapes;

namespace Elastic.Model.Operators;

/// <summary>GELU by its tanh approximation (Hendrycks and Gimpel 2016, section 2), as GPT-2 has it. (N, C) -> (N, C)</summary>
public sealed class GeluOperation : Operation
{
    internal GeluOperation(Value x) => (Inputs, Output) = ([x], Value.Like(this, x));

    internal override IEnumerable<Value> KeptForBackward => Inputs;

    internal override unsafe void Forward(CpuPass pass)
    {
        float* x = pass[Inputs[0]], y = pass[Output!];
        pass.ForElements(Output!.Count, (first, count) => Activations.Forward<GeluTanh>(y + first, x + first, count));
    }

    internal override unsafe void Backward(CpuPass pass)
    {
        float* x = pass[Inputs[0]], dy = pass.Gradient(Output!), dx = pass.Gradient(Inputs[0]);
        if (dx is not null)
            pass.ForElements(Output!.Count, (first, count) => Activations.Backward<GeluTanh>(dx + first, dy + first, x + first, count));
    }
}

/// <summary>Records GELU.</summary>
public static class GeluOperator
{
    /// <inheritdoc cref="GeluOperation"/>
    public static Value Gelu(this Tape tape, Value x) => tape.Record(new GeluOperation(x));
}
