namespace Elastic.Model.Training;

/// <summary>
/// The time that work of devices may take. Time in which this process stood still does not count (<see cref="WaitedTime"/>).
/// </summary>
public sealed class WaitDeadline : IDisposable
{
    private readonly TaskCompletionSource _passed = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly Lock _lock = new();
    private readonly WaitedTime _waited;
    private readonly ITimer _timer;
    private TimeSpan _limit;

    /// <param name="limit">Counts from now on.</param>
    public WaitDeadline(TimeProvider time, TimeSpan limit)
    {
        ArgumentNullException.ThrowIfNull(time);
        (_waited, _limit) = (new WaitedTime(time), limit);
        lock (_lock)
        {
            _timer = time.CreateTimer(_ => Look(), null, Timeout.InfiniteTimeSpan, Timeout.InfiniteTimeSpan);
            LookLater();
        }
    }

    /// <summary>Ends when the deadline has passed.</summary>
    public Task Passed => _passed.Task;

    /// <summary>What has been waited so far.</summary>
    public TimeSpan Waited
    {
        get
        {
            lock (_lock)
            {
                _waited.Count();
                return _waited.Total;
            }
        }
    }

    /// <summary>Leaves no more than this from now on.</summary>
    public void Shorten(TimeSpan left)
    {
        lock (_lock)
        {
            _waited.Count();
            if (_waited.Total + left >= _limit)
                return;
            _limit = _waited.Total + left;
            LookLater();
        }
    }

    public void Dispose() => _timer.Dispose();

    private void Look()
    {
        lock (_lock)
        {
            _waited.Count();
            if (_waited.Total < _limit)
                LookLater();
            else
                _passed.TrySetResult();
        }
    }

    private void LookLater()
    {
        var left = _limit - _waited.Total;
        _timer.Change(left < WaitedTime.Look ? left : WaitedTime.Look, Timeout.InfiniteTimeSpan);
    }
}
