namespace Elastic.Foundation.Certificates;

/// <summary>
/// Says who was refused, ten times in ten seconds at most: whoever reaches a port decides how often it is refused, and must not fill the
/// log. What was left out is counted.
/// </summary>
public sealed class RefusalLog(TimeProvider time)
{
    private const int Most = 10;
    private static readonly TimeSpan Window = TimeSpan.FromSeconds(10);

    private readonly Lock _gate = new();
    private long? _began;
    private int _count;

    /// <summary>The text to say now; null where too much was said already.</summary>
    public string? Of(string refusal)
    {
        lock (_gate)
        {
            var left = 0;
            if (_began is not { } began || time.GetElapsedTime(began) >= Window)
                (left, _began, _count) = (_count - Most, time.GetTimestamp(), 0);
            return ++_count > Most ? null : left > 0 ? $"{refusal} ({left} more refusals before this one are not in the log)" : refusal;
        }
    }
}
