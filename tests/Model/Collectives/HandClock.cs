namespace Elastic.Model.Tests.Collectives;

/// <summary>A clock that stands still until a test sets it forward.</summary>
internal sealed class HandClock : TimeProvider
{
    private readonly List<HandTimer> _timers = [];
    private readonly Lock _gate = new();
    private TaskCompletionSource _changed = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private long _ticks = 1;
    private int _made;

    public override long TimestampFrequency => TimeSpan.TicksPerSecond;

    public override long GetTimestamp() => Interlocked.Read(ref _ticks);

    /// <summary>The process stands still for so long: what is due rings once, at the end.</summary>
    public void Advance(TimeSpan by)
    {
        HandTimer[] due;
        lock (_gate)
        {
            var now = Interlocked.Add(ref _ticks, by.Ticks);
            due = [.. _timers.Where(t => t.At <= now)];
        }

        foreach (var timer in due)
            timer.Ring();
    }

    /// <summary>The process runs for so long: each timer rings when it is due.</summary>
    public void Pass(TimeSpan by)
    {
        for (var end = GetTimestamp() + by.Ticks; GetTimestamp() < end;)
        {
            long next;
            lock (_gate)
                next = _timers.Select(t => t.At).Where(at => at > _ticks && at < end).DefaultIfEmpty(end).Min();
            Advance(TimeSpan.FromTicks(next - GetTimestamp()));
        }
    }

    /// <summary>Ends when a timer is set the next time.</summary>
    public Task NextTimerChange()
    {
        lock (_gate)
            return (_changed = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously)).Task;
    }

    /// <summary>How many timers were set so far.</summary>
    public int Timers => Volatile.Read(ref _made);

    /// <summary>Ends when so many timers were set.</summary>
    public async Task UntilTimers(int count)
    {
        for (var change = NextTimerChange(); Timers < count; change = NextTimerChange())
            await change.WaitAsync(TimeSpan.FromMinutes(1));
    }

    public override ITimer CreateTimer(TimerCallback callback, object? state, TimeSpan dueTime, TimeSpan period)
    {
        var timer = new HandTimer(this, () => callback(state));
        timer.Change(dueTime, period);
        return timer;
    }

    private sealed class HandTimer(HandClock clock, Action ring) : ITimer
    {
        private bool _isDisposed;

        public long At { get; private set; }

        public void Ring() => ring();

        public bool Change(TimeSpan dueTime, TimeSpan period)
        {
            lock (clock._gate)
            {
                if (_isDisposed)
                    return false;
                At = dueTime == Timeout.InfiniteTimeSpan ? long.MaxValue : clock.GetTimestamp() + dueTime.Ticks;
                if (!clock._timers.Contains(this))
                {
                    clock._timers.Add(this);
                    clock._made++;
                }
                clock._changed.TrySetResult();
            }
            return true;
        }

        public void Dispose()
        {
            lock (clock._gate)
            {
                _isDisposed = true;
                clock._timers.Remove(this);
            }
        }

        public ValueTask DisposeAsync()
        {
            Dispose();
            return ValueTask.CompletedTask;
        }
    }
}
