namespace Elastic.Foundation;

/// <summary>
/// Time without the time in which this process stood still (it was stopped, its machine slept): what others have said meanwhile is not read
/// yet, its devices had no time to do anything, and their silence would be this process's own. For who looks again and again. Thread-safe.
/// </summary>
/// <param name="time">Its time and its frequency.</param>
/// <param name="mostBetween">
/// What counts between two looks at most: longer than a busy machine keeps a timer from firing, shorter than any silence that is counted.
/// </param>
public sealed class AwakeTime(TimeProvider time, TimeSpan mostBetween) : TimeProvider
{
    private readonly Lock _gate = new();
    private long _last = time.GetTimestamp();
    private long _stood;

    /// <inheritdoc/>
    public override long TimestampFrequency => time.TimestampFrequency;

    /// <inheritdoc/>
    public override ITimer CreateTimer(TimerCallback callback, object? state, TimeSpan dueTime, TimeSpan period) =>
        time.CreateTimer(callback, state, dueTime, period);

    /// <inheritdoc/>
    public override long GetTimestamp()
    {
        lock (_gate)
        {
            var (now, most) = (time.GetTimestamp(), (long)(mostBetween.TotalSeconds * time.TimestampFrequency));
            _stood += Math.Max(0, now - _last - most);
            _last = now;
            return now - _stood;
        }
    }
}
