namespace Elastic.Coordination;

/// <summary>Judges from the present time, and from how long a replica's round takes, whether a replica takes too long.</summary>
/// <param name="Now">Since the supervisor began.</param>
/// <param name="Median">Median duration of the replicas' rounds that were computed lately; null before the first.</param>
public readonly record struct StragglerDetector(TimeSpan Now, TimeSpan? Median)
{
    /// <summary>A replica that takes longer than so many medians gets a second runner.</summary>
    private const double Straggling = 1.5;

    // Where a round takes milliseconds, a second runner costs more than it gains.
    private static readonly TimeSpan Least = TimeSpan.FromSeconds(1);

    /// <summary>True when work that was given at <paramref name="since"/> takes too long.</summary>
    public bool IsStraggling(TimeSpan since) =>
        Median is { } median && Now - since > (Straggling * median > Least ? Straggling * median : Least);
}

/// <summary>How long the replicas' rounds took that were computed lately.</summary>
public sealed class Timings
{
    private const int Most = 32;
    private readonly Queue<TimeSpan> _latest = new();

    /// <summary>Null before the first.</summary>
    public TimeSpan? Median => _latest.Count == 0 ? null : _latest.Order().ElementAt(_latest.Count / 2);

    public void Note(TimeSpan duration)
    {
        _latest.Enqueue(duration);
        if (_latest.Count > Most)
            _latest.Dequeue();
    }
}
