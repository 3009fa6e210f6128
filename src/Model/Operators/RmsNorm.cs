using Elastic.Kernels;
using Elastic.Model.Cpu;
using Elastic.Model.Tapes;

namespace Elastic.Model.Operators;

/// <summary>
/// Root mean square normalisation (Zhang and Sennrich 2019, section 4), with gain. (N, C) -> (N, C). The gain has C channels, or the D
/// channels of a head, of which each is then normalised by itself.
/// </summary>
public sealed class RmsNormOperation : Operation
{
    private readonly TensorShare? _share;

    internal RmsNormOperation(Tape tape, Value x, string name, double epsilon)
    {
        _share = tape.Share;
        (Gain, Epsilon) = (name + ".weight", epsilon);
        (Inputs, Parameters, Output) = ([x], [Gain], Value.Like(this, x));
        Channels = (int)tape.Layout[Gain].Shape[0];
    }

    /// <summary>(<see cref="Channels"/>).</summary>
    public string Gain { get; }

    /// <summary>Channels that are normalised together.</summary>
    public int Channels { get; }

    /// <summary>Added to the mean square.</summary>
    public double Epsilon { get; }

    internal override IEnumerable<Value> KeptForBackward => Inputs;

    internal override bool CanAddToGradients => true;

    internal override bool ReadsRanksBackward => _share is not null;

    internal override long ElementsOfRanks(PassKind kind) => RankNorms.ElementsOfRanks(_share, AllRows, Channels, kind);

    internal override long ScratchFloats(BatchShape batch, int threads) => RankNorms.ScratchFloats(_share, AllRows, Channels);

    // Rows or heads of all ranks.
    private long AllRows => (long)Inputs[0].AllRows * HeadsOfRow * (Inputs[0].AllRows != Inputs[0].Rows ? 1 : _share?.Ranks ?? 1);

    // 1 / root mean square of each row or head.
    internal override long SavedFloats => Inputs[0].Count / Channels;

    private int HeadsOfRow => Inputs[0].Columns / Channels;

    internal override unsafe void Forward(CpuPass pass)
    {
        var D = Channels;
        float* x = pass[Inputs[0]], y = pass[Output!], gain = pass.Parameter(Gain), inverse = pass.Saved(this);
        pass.ForRows(checked(Inputs[0].Rows * HeadsOfRow), D, (first, count) => RmsNorm.Forward(
            y + first * D, D, x + first * D, D, gain, inverse + first, count, D, (float)Epsilon));
    }

    internal override unsafe void Backward(CpuPass pass)
    {
        var D = Channels;
        float* x = pass[Inputs[0]], dy = pass.Gradient(Output!), dx = pass.Gradient(Inputs[0]), gain = pass.Parameter(Gain);
        float* inverse = pass.Saved(this), dGain = pass.ParameterGradient(Gain);
        var adds = pass.AddsTo(this, Inputs[0]);
        if (dx is not null)
        {
            pass.ForRows(Inputs[0].Rows * HeadsOfRow, D, (first, count) => RmsNorm.Backward(
                dx + first * D, D, dy + first * D, D, x + first * D, D, gain, inverse + first, count, D, adds));
        }
        if (dGain is null)
            return;
        if (_share is not null)
        {
            RankNorms.AddGradients(pass, this, D, HeadsOfRow, dGain, null);
            return;
        }
        var (parts, ofPart, addsToGradients) = (pass.Shape.MicroBatches, pass.Shape.RowsOfMicroBatch * HeadsOfRow, pass.AddsToGradients);
        pass.ForColumns(D, (first, count) => NormGradients.Add(
            dGain + first, null, dy + first, D, x + first, D, null, inverse, ofPart, parts, count, addsToGradients));
    }
}

/// <summary>Records root mean square normalisation.</summary>
public static class RmsNormOperator
{
    /// <inheritdoc cref="RmsNormOperation"/>
    /// <param name="name">Name of the normalisation's gain, without ".weight".</param>
    public static Value RmsNorm(this Tape tape, Value x, string name, double epsilon)
        => tape.Record(new RmsNormOperation(tape, x, name, epsilon));
}
