namespace Elastic.Foundation;

/// <summary>How long to wait before the next attempt: twice as long after each one, up to a longest pause.</summary>
/// <param name="First">After the first attempt, before jitter shortens it.</param>
/// <param name="Longest">The most that doubling gives.</param>
public readonly record struct Backoff(TimeSpan First, TimeSpan Longest)
{
    /// <summary>
    /// The share of a pause that chance may take off, so that processes that failed together do not retry together. Half is the
    /// usual "equal jitter": it spreads well, and never makes a pause vanish.
    /// </summary>
    public double Jitter { get; init; } = 0.5;

    /// <summary>The pause after <paramref name="failures"/> failures in a row.</summary>
    /// <param name="failures">From 0; whatever its size, the pause does not overflow.</param>
    /// <param name="chance">From 0 (the shortest pause) to 1.</param>
    public TimeSpan After(int failures, double chance)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(failures);
        var doubled = Math.Min(Longest.TotalMilliseconds, First.TotalMilliseconds * Math.Pow(2, failures));
        return TimeSpan.FromMilliseconds(doubled * (1 - Jitter + Jitter * chance));
    }

    /// <summary>The pause after <paramref name="failures"/> failures in a row, with a random number of its own.</summary>
    public TimeSpan After(int failures) => After(failures, Random.Shared.NextDouble());
}
