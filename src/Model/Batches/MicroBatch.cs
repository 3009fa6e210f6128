namespace Elastic.Model.Batches;

/// <summary>A training sample: consecutive tokens.</summary>
public readonly record struct Sample(ReadOnlyMemory<int> Tokens)
{
    /// <summary>Cuts consecutive tokens into samples of equal length.</summary>
    public static IReadOnlyList<Sample> Cut(ReadOnlyMemory<int> tokens, int samples)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(samples, 1);
        var length = tokens.Length / samples;
        return [.. Enumerable.Range(0, samples).Select(i => new Sample(tokens.Slice(i * length, length)))];
    }
}

/// <summary>
/// The input of one forward pass: the unit of compute. The loss of a step is the sum over the targets of all its micro-batches, divided by
/// their number, which each micro-batch knows before the first forward pass.
/// </summary>
/// <param name="Index">Its place among the step's micro-batches.</param>
/// <param name="Rows">Sequences.</param>
/// <param name="Inputs">(Rows, T) row-major.</param>
/// <param name="Targets">(Rows, T): the token to predict at each place.</param>
/// <param name="StepTargets">Targets of all the step's micro-batches: the denominator of its loss.</param>
public sealed record MicroBatch(int Index, int Rows, int[] Inputs, int[] Targets, long StepTargets)
{
    /// <summary>T.</summary>
    public int Columns => Inputs.Length / Rows;

    /// <summary>The step's denominator in units of this micro-batch's targets.</summary>
    public double StepShares => (double)StepTargets / Targets.Length;

    /// <summary>True where both go through one network of one shape, and belong to one step.</summary>
    public bool HasShapeOf(MicroBatch other)
    {
        ArgumentNullException.ThrowIfNull(other);
        return Rows == other.Rows && Inputs.Length == other.Inputs.Length && StepTargets == other.StepTargets;
    }
}
