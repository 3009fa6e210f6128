namespace Elastic.Bench;

/// <summary>One figure of each turn.</summary>
internal sealed class Samples
{
    private readonly List<double> _values = [];

    public void Add(double value) => _values.Add(value);

    /// <summary>The newest; not a number before the first.</summary>
    public double Last => _values.Count > 0 ? _values[^1] : double.NaN;

    /// <summary>"median (lower quartile to upper quartile)", each times <paramref name="factor"/>; "-" where there is none.</summary>
    public string Text(string format, double factor = 1)
    {
        if (_values.Count == 0)
            return "-";
        string Figure(double share) => (factor * Quantile(share)).ToString(format);
        return $"{Figure(0.5)} ({Figure(0.25)} to {Figure(0.75)})";
    }

    // Between the two nearest, as R's type 7.
    private double Quantile(double share)
    {
        var sorted = _values.Order().ToList();
        var at = share * (sorted.Count - 1);
        var below = (int)at;
        return sorted[below] + (at - below) * (sorted[Math.Min(below + 1, sorted.Count - 1)] - sorted[below]);
    }
}
