using System.Runtime.InteropServices;

namespace Elastic.Model.Evaluation;

/// <summary>A loss before any division, so that parts of it can be added up: never a mean of means.</summary>
/// <param name="Nats">Sum of the cross-entropies.</param>
/// <param name="Targets">Number of cross-entropies.</param>
/// <param name="Bytes">UTF-8 bytes of the text that the targets are; 0 where that is not known.</param>
[StructLayout(LayoutKind.Auto)]
public readonly record struct ScoreSum(double Nats, long Targets, long Bytes = 0)
{
    /// <summary>Nats per target.</summary>
    public double Mean => Nats / Targets;

    /// <summary>e to the mean: among how many equally likely tokens it would be as hard to choose.</summary>
    public double Perplexity => Math.Exp(Mean);

    /// <summary>Bits per byte of the text (Gao et al. 2020, section 3.1), which compares across tokenizers.</summary>
    public double BitsPerByte => Nats / (Bytes * Math.Log(2));

    /// <summary>The sum of both.</summary>
    public static ScoreSum operator +(ScoreSum a, ScoreSum b) => Add(a, b);

    /// <inheritdoc cref="op_Addition"/>
    public static ScoreSum Add(ScoreSum left, ScoreSum right)
        => new(left.Nats + right.Nats, left.Targets + right.Targets, left.Bytes + right.Bytes);
}

/// <summary>Scores by name. Sums are rounded in the order of merging, so merge in the order of the text.</summary>
public sealed class ScoreSums
{
    private readonly SortedDictionary<string, ScoreSum> _sums = new(StringComparer.Ordinal);

    /// <summary>The names, in ordinal order.</summary>
    public IReadOnlyCollection<string> Names => _sums.Keys;

    /// <summary>The sum of all that was merged, whatever the name.</summary>
    public ScoreSum Total { get; private set; }

    /// <summary>The sum of that name.</summary>
    public ScoreSum this[string name] => _sums[name];

    /// <summary>Adds to the sum of that name.</summary>
    public void Merge(string name, ScoreSum sum)
    {
        _sums[name] = _sums.TryGetValue(name, out var so) ? so + sum : sum;
        Total += sum;
    }
}
