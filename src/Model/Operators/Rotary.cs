using Elastic.Kernels;
using Elastic.Model.Cpu;
using Elastic.Model.Tapes;

namespace Elastic.Model.Operators;

/// <summary>
/// The angles of rotary positions, which all layers of a tape share: pair j of a head's channels turns by frequency j for each token.
/// </summary>
/// <param name="frequencies">(P), in radians for each token.</param>
/// <param name="magnitude">What rotated channels are multiplied by; 1 unless a method of stretching says otherwise.</param>
public sealed class RotaryAngles(IReadOnlyList<double> frequencies, double magnitude = 1)
{
    private readonly Lock _gate = new();
    private (float[] Cosines, float[] Sines) _tables = ([], []);

    /// <summary>(P).</summary>
    public IReadOnlyList<double> Frequencies { get; } = frequencies;

    /// <summary>A factor of sines and cosines.</summary>
    public double Magnitude { get; } = magnitude;

    /// <summary>Twice (at least <paramref name="tokens"/>, P), computed when a pass first asks for so many.</summary>
    internal unsafe (float[] Cosines, float[] Sines) Tables(int tokens)
    {
        lock (_gate)
        {
            double[] all = [.. Frequencies];
            if (_tables.Cosines.Length < tokens * all.Length)
            {
                var (cosines, sines) = (new float[tokens * all.Length], new float[tokens * all.Length]);
                fixed (double* f = all)
                fixed (float* c = cosines, s = sines)
                    Rotary.FillTables(c, s, 0, tokens, f, all.Length, Magnitude);
                _tables = (cosines, sines);
            }
            return _tables;
        }
    }
}

/// <summary>
/// Rotary positions (Su et al. 2021, section 3.2.2): rotates pair j of the D = 2 P channels of each head, channels j and j + P as Llama
/// pairs them, by the position times the pair's frequency. (N, H D) -> (N, H D), in place.
/// </summary>
public sealed class RotaryOperation : Operation
{
    internal RotaryOperation(Value x, RotaryAngles angles)
        => (Inputs, Output, Angles) = ([x], Value.Like(this, x), angles);

    /// <summary>By how much.</summary>
    public RotaryAngles Angles { get; }

    internal override Value MadeInPlaceOf => Inputs[0];

    internal override unsafe void Forward(CpuPass pass)
    {
        var y = pass[Output!];
        var tables = Angles.Tables(pass.PositionsEnd);
        pass.ForRows(Output!.Rows, Output.Columns, (first, count) => Rotate(pass, tables, y, (int)first, count, false));
    }

    internal override unsafe void Backward(CpuPass pass)
    {
        float* dy = pass.Gradient(Output!), dx = pass.Gradient(Inputs[0]);
        if (dx is null)
            return;
        var (C, tables) = (Output!.Columns, Angles.Tables(pass.Shape.Tokens));
        pass.ForRows(Output.Rows, C, (first, count) =>
        {
            Ranges.Copy(dx + first * C, dy + first * C, (long)count * C);
            Rotate(pass, tables, dx, (int)first, count, true);
        });
    }

    private unsafe void Rotate(CpuPass pass, (float[] Cosines, float[] Sines) tables, float* x, int first, int count, bool isBackward)
    {
        var (pairs, C) = (Angles.Frequencies.Count, Output!.Columns);
        fixed (int* positions = pass.Positions)
        fixed (float* c = tables.Cosines, s = tables.Sines)
        {
            Rotary.Rotate(
                x + (long)first * C, C, count, C / (2 * pairs), 2 * pairs, positions + first, c, s, pairs, RotaryLayout.Halves, isBackward);
        }
    }
}

/// <summary>Records rotary positions.</summary>
public static class RotaryOperator
{
    /// <inheritdoc cref="RotaryOperation"/>
    /// <param name="x">Nothing else may read it: the result takes its memory.</param>
    public static Value Rotary(this Tape tape, Value x, RotaryAngles angles) => tape.Record(new RotaryOperation(x, angles));
}
