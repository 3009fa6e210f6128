using Elastic.Foundation;

namespace Elastic.Model.Training;

/// <summary>
/// The time that work of devices may take. Time in which this process stood still does not count (<see cref="AwakeTime"/>), and where the
/// work says how far it is, the time begins anew with each part of it that has ended.
/// </summary>
public sealed class WaitDeadline : IDisposable
{
    /// <summary>
    /// No limit: who only measures. It looks all the while, so that a standstill is no part of <see cref="Waited"/>, whoever else looks.
    /// </summary>
    public static readonly TimeSpan None = TimeSpan.MaxValue;

    /// <summary>The time between two looks, as a rule.</summary>
    internal static readonly TimeSpan Look = TimeSpan.FromSeconds(5);

    private readonly TaskCompletionSource _passed = new(TaskCreationOptions.RunContinuationsAsynchronously);
    // Nobody disposes of it: a timer may ring yet, and it has none of its own.
    private readonly CancellationTokenSource _late = new();
    private readonly Lock _lock = new();
    private readonly AwakeTime _time;
    private readonly long _began;
    private readonly ITimer _timer;
    private readonly Func<long>? _progress;
    private readonly TimeSpan _patience;
    private TimeSpan _limit, _progressAt;
    private long _seen;

    /// <param name="limit">Counts from now on.</param>
    /// <param name="progress">
    /// How many parts of the work have ended: with each the limit counts from then on, but for what <see cref="Shorten"/> leaves. Null
    /// where the work does not say.
    /// </param>
    public WaitDeadline(TimeProvider time, TimeSpan limit, Func<long>? progress = null)
    {
        ArgumentNullException.ThrowIfNull(time);
        (_time, _patience, _limit, _progress, _seen) = (Awake(time), limit, TimeSpan.MaxValue, progress, progress?.Invoke() ?? 0);
        _began = _time.GetTimestamp();
        lock (_lock)
            _timer = time.CreateTimer(_ => LookNow(), null, UntilLook, Timeout.InfiniteTimeSpan);
    }

    /// <summary>Ends when the deadline has passed.</summary>
    public Task Passed => _passed.Task;

    /// <summary>Cancelled when the deadline has passed.</summary>
    public CancellationToken Late => _late.Token;

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
            _timer.Change(UntilLook, Timeout.InfiniteTimeSpan);
        }
    }

    /// <summary>Waits for work: true where it has ended, false where the deadline has passed.</summary>
    public async Task<bool> HasEndedAsync(Task work)
    {
        ArgumentNullException.ThrowIfNull(work);
        return await Task.WhenAny(work, Passed) == work || work.IsCompleted;
    }

    /// <summary>Time in which devices are waited for, by whoever looks as often.</summary>
    internal static AwakeTime Awake(TimeProvider time) => new(time, Look + TimeSpan.FromSeconds(1));

    public void Dispose() => _timer.Dispose();

    private void LookNow()
    {
        lock (_lock)
        {
            if (_progress?.Invoke() is { } now && now != _seen)
                (_seen, _progressAt) = (now, Waited);
            if (UntilLook > TimeSpan.Zero)
            {
                _timer.Change(UntilLook, Timeout.InfiniteTimeSpan);
                return;
            }
        }
        _passed.TrySetResult();
        _late.Cancel();
    }

    private TimeSpan UntilLook
    {
        get
        {
            var end = _progressAt + _patience;
            var left = (end < _limit ? end : _limit) - Waited;
            return left > Look ? Look : left > TimeSpan.Zero ? left : TimeSpan.Zero;
        }
    }
}
