namespace Elastic.Model.Batches;

/// <summary>A training sample: consecutive tokens, with what <see cref="Messages.Corpora.SampleElement"/> says of them.</summary>
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
/// The input of one forward pass: the unit of compute. The loss of a step is the sum over the counted targets of all its micro-batches,
/// divided by their number, which each micro-batch knows before the first forward pass.
/// </summary>
/// <param name="Index">Its place among the step's micro-batches.</param>
/// <param name="Rows">Sequences.</param>
/// <param name="Inputs">(Rows, T) row-major.</param>
/// <param name="Targets">(Rows, T): the token to predict at each place; <see cref="NotCounted"/> where none is.</param>
/// <param name="StepTargets">Counted targets of all the step's micro-batches: the denominator of its loss.</param>
public sealed record MicroBatch(int Index, int Rows, int[] Inputs, int[] Targets, long StepTargets)
{
    /// <summary>In place of a target: the place's prediction is not scored.</summary>
    public const int NotCounted = -1;

    /// <summary>(Rows, T): places of a sequence see each other only where this number is the same; null where all do.</summary>
    public int[]? Segments { get; init; }

    /// <summary>(Rows, T): the type of each token, 1 in the second sentence of a pair; null where all are of the first, 0.</summary>
    public int[]? Types { get; init; }

    /// <summary>(Rows, S) row-major: what the encoder of an encoder-decoder reads; null for other networks.</summary>
    public int[]? Sources { get; init; }

    /// <summary>(Rows): the tokens of each source; what stands behind them is seen by none of them, nor by the decoder.</summary>
    public int[] SourceLengths { get; init; } = [];

    /// <summary>S.</summary>
    public int SourceColumns => (Sources?.Length ?? 0) / Rows;

    /// <summary>(Rows, S): 0 inside of a source, 1 behind its end.</summary>
    internal int[] SourceSegments() =>
        [.. SourceLengths.SelectMany(length => Enumerable.Range(0, SourceColumns).Select(place => place < length ? 0 : 1))];

    /// <summary>T.</summary>
    public int Columns => Inputs.Length / Rows;

    /// <summary>True where both go through one network of one shape, and belong to one step.</summary>
    public bool HasShapeOf(MicroBatch other)
    {
        ArgumentNullException.ThrowIfNull(other);
        return Rows == other.Rows && Inputs.Length == other.Inputs.Length && StepTargets == other.StepTargets
            && SourceColumns == other.SourceColumns && Segments is null == other.Segments is null
            && Types is null == other.Types is null;
    }
}
