namespace Elastic.Model.Training;

/// <summary>
/// How long this process has waited for a device, in looks. One that was stopped for an hour, or whose machine was, finds a look far too
/// long: it has not waited, and its devices had no time to do anything.
/// </summary>
public sealed class WaitedTime(TimeProvider time)
{
    /// <summary>The most time between two looks, as a rule.</summary>
    internal static readonly TimeSpan Look = TimeSpan.FromSeconds(5);

    private long _since = time.GetTimestamp();

    /// <summary>What has been counted.</summary>
    public TimeSpan Total { get; private set; }

    /// <summary>Looks: counts the time since the last one, unless the process stood still.</summary>
    public void Count()
    {
        var now = time.GetTimestamp();
        var took = time.GetElapsedTime(_since, now);
        _since = now;
        Total += took < 2 * Look ? took : TimeSpan.Zero;
    }
}
