using Elastic.Foundation;

namespace Elastic.Host.Web;

/// <summary>
/// What the supervisors, or the database, said a moment ago: however many pages look, each question is asked once in a while, and who comes
/// meanwhile waits for the same answer. Thread-safe.
/// </summary>
/// <param name="age">How long an answer is good for, a failure included.</param>
/// <param name="deadline">How long to wait for one.</param>
internal sealed class Latest<T>(Func<CancellationToken, Task<T>> ask, TimeSpan age, TimeSpan deadline, TimeProvider time)
{
    private readonly Lock _gate = new();
    private Task<T>? _asked;
    private long _at;

    /// <summary>The answer.</summary>
    /// <exception cref="UnavailableException">None came in time.</exception>
    public Task<T> GetAsync(CancellationToken cancel)
    {
        lock (_gate)
        {
            if (_asked is null || (_asked.IsCompleted && time.GetElapsedTime(_at) >= age))
                (_asked, _at) = (AskAsync(), time.GetTimestamp());
            return _asked.WaitAsync(cancel);
        }
    }

    private async Task<T> AskAsync()
    {
        await Task.Yield();                                            // not within the lock
        using var over = new CancellationTokenSource(deadline);
        try
        {
            return await ask(over.Token).WaitAsync(deadline);
        }
        catch (Exception e) when (e is TimeoutException or OperationCanceledException)
        {
            throw new UnavailableException(
                $"there was no answer within {deadline.TotalSeconds:0.#} s: the supervisors may be moving to another seed, or the database "
                + "may be slow; try again in a moment", e);
        }
    }
}

/// <summary>What was said a moment ago of each of some things, e.g. runs, as <see cref="Latest{T}"/> keeps it of one.</summary>
/// <param name="most">How many are remembered.</param>
internal sealed class LatestOf<TKey, T>(
    Func<TKey, CancellationToken, Task<T>> ask, TimeSpan age, TimeSpan deadline, int most, TimeProvider time) where TKey : notnull
{
    private readonly Dictionary<TKey, Latest<T>> _latest = [];       // guarded by itself

    /// <inheritdoc cref="Latest{T}.GetAsync"/>
    public Task<T> GetAsync(TKey key, CancellationToken cancel)
    {
        Latest<T>? latest;
        lock (_latest)
        {
            if (!_latest.TryGetValue(key, out latest))
            {
                if (_latest.Count >= most)
                    _latest.Clear();
                _latest[key] = latest = new Latest<T>(c => ask(key, c), age, deadline, time);
            }
        }

        return latest.GetAsync(cancel);
    }
}
