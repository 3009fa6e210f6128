namespace Elastic.Actors.Runs;

/// <summary>
/// Time without the time in which this process stood still (it was stopped, its machine slept): what nodes have said meanwhile is not read
/// yet, and their silence would be this process's own. For who looks several times a second. Thread-safe.
/// </summary>
/// <param name="time">Its time and its frequency.</param>
internal sealed class AwakeTime(TimeProvider time) : TimeProvider
{
    // Longer than a machine that is busy keeps a timer from firing, mostly; shorter than any silence that is counted.
    private static readonly TimeSpan MostBetween = TimeSpan.FromSeconds(2);

    private readonly Lock _gate = new();
    private long _last = time.GetTimestamp();
    private long _stood;

    /// <inheritdoc/>
    public override long TimestampFrequency => time.TimestampFrequency;

    /// <inheritdoc/>
    public override long GetTimestamp()
    {
        lock (_gate)
        {
            var (now, most) = (time.GetTimestamp(), (long)(MostBetween.TotalSeconds * time.TimestampFrequency));
            _stood += Math.Max(0, now - _last - most);
            _last = now;
            return now - _stood;
        }
    }
}
