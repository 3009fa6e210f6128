using Elastic.Kernels;
using Elastic.Model.Cpu;
using Elastic.Model.Tapes;

namespace Elastic.Model.Operators;

/// <summary>SwiGLU (Shazeer 2020, section 2): silu(gate) · up, silu(x) = x sigmoid(x). Twice (N, F) -> (N, F)</summary>
public sealed class SwiGluOperation : Operation
{
    internal SwiGluOperation(Value gate, Value up) => (Inputs, Output) = ([gate, up], Value.Like(this, gate));

    /// <summary>(N, F).</summary>
    public Value Gate => Inputs[0];

    /// <summary>(N, F).</summary>
    public Value Up => Inputs[1];

    internal override IEnumerable<Value> KeptForBackward => Inputs;

    internal override bool MakesAllGradients => true;

    internal override unsafe void Forward(CpuPass pass)
    {
        var F = Output!.Columns;
        float* gate = pass[Gate], up = pass[Up], y = pass[Output!];
        pass.ForRows(Output.Rows, F, (first, count) =>
            Activations.SwiGlu(y + first * F, F, gate + first * F, F, up + first * F, F, count, F));
    }

    internal override unsafe void Backward(CpuPass pass)
    {
        var F = Output!.Columns;
        float* gate = pass[Gate], up = pass[Up], dy = pass.Gradient(Output!), dGate = pass.Gradient(Gate), dUp = pass.Gradient(Up);
        if (dGate is null)
            return;
        pass.ForRows(Output.Rows, F, (first, count) => Activations.SwiGluBackward(
            dGate + first * F, F, dUp + first * F, F, dy + first * F, F, gate + first * F, F, up + first * F, F, count, F));
    }
}

/// <summary>Records SwiGLU.</summary>
public static class SwiGluOperator
{
    /// <inheritdoc cref="SwiGluOperation"/>
    public static Value SwiGlu(this Tape tape, Value gate, Value up) => tape.Record(new SwiGluOperation(gate, up));
}
