using Elastic.Foundation;

namespace Elastic.Model.Training;

/// <summary>
/// The time that work of devices may take. Time in which this process stood still does not count (<see cref="AwakeTime"/>).
/// </summary>
public sealed class WaitDeadline : IDisposable
{
    /// <summary>The time between two looks, as a rule.</summary>
    internal static readonly TimeSpan Look = TimeSpan.FromSeconds(5);

    private readonly TaskCompletionSource _passed = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly Lock _lock = new();
    private readonly AwakeTime _time;
    private readonly long _began;
    private readonly ITimer _timer;
    private TimeSpan _limit;

    /// <param name="limit">Counts from now on.</param>
    public WaitDeadline(TimeProvider time, TimeSpan limit)
    {
        ArgumentNullException.ThrowIfNull(time);
        (_time, _limit) = (Awake(time), limit);
        _began = _time.GetTimestamp();
        lock (_lock)
        {
            _timer = time.CreateTimer(_ => LookNow(), null, Timeout.InfiniteTimeSpan, Timeout.InfiniteTimeSpan);
            LookLater();
        }
    }

    /// <summary>Ends when the deadline has passed.</summary>
    public Task Passed => _passed.Task;

    /// <summary>What has been waited so far.</summary>
    public TimeSpan Waited => _time.GetElapsedTime(_began);

    /// <summary>Leaves no more than this from now on.</summary>
    public void Shorten(TimeSpan left)
    {
        lock (_lock)
        {
            if (Waited + left >= _limit)
                return;
            _limit = Waited + left;
            LookLater();
        }
    }

    /// <summary>Time in which devices are waited for, by whoever looks as often.</summary>
    internal static AwakeTime Awake(TimeProvider time) => new(time, Look + TimeSpan.FromSeconds(1));

    public void Dispose() => _timer.Dispose();

    private void LookNow()
    {
        lock (_lock)
        {
            if (Waited < _limit)
                LookLater();
            else
                _passed.TrySetResult();
        }
    }

    private void LookLater()
    {
        var left = _limit - Waited;
        _timer.Change(left > Look ? Look : left > TimeSpan.Zero ? left : TimeSpan.Zero, Timeout.InfiniteTimeSpan);
    }
}
