using Elastic.Kernels;
using Elastic.Model.Cpu;
using Elastic.Model.Tapes;

namespace Elastic.Model.Operators;

/// <summary>Layer normalisation (Ba et al. 2016) of each row, with gain and bias. (N, C) -> (N, C)</summary>
public sealed class LayerNormOperation : Operation
{
    private readonly TensorShare? _share;

    internal LayerNormOperation(Tape tape, Value x, string name, double epsilon)
    {
        _share = tape.Share;
        (Gain, Bias, Epsilon) = (name + ".weight", name + ".bias", epsilon);
        (Inputs, Parameters, Output) = ([x], [Gain, Bias], Value.Like(this, x));
    }

    /// <summary>(C).</summary>
    public string Gain { get; }

    /// <summary>(C).</summary>
    public string Bias { get; }

    /// <summary>Added to the variance.</summary>
    public double Epsilon { get; }

    internal override IEnumerable<Value> KeptForBackward => Inputs;

    internal override bool CanAddToGradients => true;

    internal override bool ReadsRanksBackward => _share is not null;

    internal override long ElementsOfRanks(PassKind kind) => RankNorms.ElementsOfRanks(_share, Inputs[0].AllRows, Inputs[0].Columns, kind);

    internal override long ScratchFloats(BatchShape batch, int threads)
        => RankNorms.ScratchFloats(_share, Inputs[0].AllRows, Inputs[0].Columns);

    // Mean and 1 / deviation of each row.
    internal override long SavedFloats => 2L * Inputs[0].Rows;

    internal override unsafe void Forward(CpuPass pass)
    {
        var (rows, C) = (Inputs[0].Rows, Inputs[0].Columns);
        float* x = pass[Inputs[0]], y = pass[Output!], mean = pass.Saved(this), inverse = mean + rows;
        float* gain = pass.Parameter(Gain), bias = pass.Parameter(Bias);
        pass.ForRows(rows, C, (first, count) => LayerNorm.Forward(
            y + first * C, C, x + first * C, C, gain, bias, mean + first, inverse + first, count, C, (float)Epsilon));
    }

    internal override unsafe void Backward(CpuPass pass)
    {
        var (rows, C) = (Inputs[0].Rows, Inputs[0].Columns);
        float* x = pass[Inputs[0]], dy = pass.Gradient(Output!), dx = pass.Gradient(Inputs[0]), gain = pass.Parameter(Gain);
        float* mean = pass.Saved(this), inverse = mean + rows;
        var adds = pass.AddsTo(this, Inputs[0]);
        if (dx is not null)
        {
            pass.ForRows(rows, C, (first, count) => LayerNorm.Backward(
                dx + first * C, C, dy + first * C, C, x + first * C, C, gain, mean + first, inverse + first, count, C, adds));
        }
        float* dGain = pass.ParameterGradient(Gain), dBias = pass.ParameterGradient(Bias);
        var (parts, ofPart, addsToGradients) = (pass.Shape.MicroBatches, pass.RowsOfMicroBatch(Output!), pass.AddsToGradients);
        if (dGain is not null && _share is not null)
            RankNorms.AddGradients(pass, this, C, 1, dGain, dBias);
        else if (dGain is not null)
        {
            pass.ForColumns(C, (first, count) => NormGradients.Add(
                dGain + first, dBias + first, dy + first, C, x + first, C, mean, inverse, ofPart, parts, count, addsToGradients));
        }
    }
}

/// <summary>Records layer normalisation.</summary>
public static class LayerNormOperator
{
    /// <inheritdoc cref="LayerNormOperation"/>
    /// <param name="name">Name of the normalisation's parameters, without ".weight" and ".bias".</param>
    public static Value LayerNorm(this Tape tape, Value x, string name, double epsilon)
        => tape.Record(new LayerNormOperation(tape, x, name, epsilon));
}
