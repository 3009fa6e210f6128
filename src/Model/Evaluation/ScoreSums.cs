using System.Runtime.InteropServices;

namespace Elastic.Model.Evaluation;

/// <summary>A loss before any division, so that parts of it can be added up: never a mean of means.</summary>
/// <param name="Nats">Sum of the cross-entropies.</param>
/// <param name="Targets">Number of cross-entropies.</param>
[StructLayout(LayoutKind.Auto)]
public readonly record struct ScoreSum(double Nats, long Targets)
{
    /// <summary>Nats per target.</summary>
    public double Mean => Nats / Targets;

    /// <summary>The sum of both.</summary>
    public static ScoreSum operator +(ScoreSum a, ScoreSum b) => Add(a, b);

    /// <inheritdoc cref="op_Addition"/>
    public static ScoreSum Add(ScoreSum left, ScoreSum right) => new(left.Nats + right.Nats, left.Targets + right.Targets);
}

/// <summary>Scores by name. Sums are rounded in the order of merging, so merge in the order of the text.</summary>
public sealed class ScoreSums
{
    private readonly SortedDictionary<string, ScoreSum> _sums = new(StringComparer.Ordinal);

    /// <summary>The sum of that name.</summary>
    public ScoreSum this[string name] => _sums[name];

    /// <summary>Adds to the sum of that name.</summary>
    public void Merge(string name, ScoreSum sum) => _sums[name] = _sums.TryGetValue(name, out var so) ? so + sum : sum;
}
