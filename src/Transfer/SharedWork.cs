using Elastic.Foundation;

namespace Elastic.Transfer;

/// <summary>
/// Does work once that several callers want at the same time. Stops the work when the last caller has given up; that caller waits for the
/// end, so that two jobs of one key never overlap.
/// </summary>
public sealed class SharedWork<TKey, TResult> where TKey : notnull
{
    private readonly Lock _gate = new();
    private readonly Dictionary<TKey, Job> _jobs = [];

    /// <param name="closing">Stops the work for all callers.</param>
    /// <param name="cancel">Stops this caller's waiting.</param>
    public async Task<TResult> JoinAsync(
        TKey key, Func<CancellationToken, Task<TResult>> work, CancellationToken closing, CancellationToken cancel)
    {
        while (true)
        {
            Job? job;
            bool joined;
            lock (_gate)
            {
                if (!_jobs.TryGetValue(key, out job))
                    _jobs.Add(key, job = new Job(work, closing));
                joined = !job.Abandoned;
                if (joined)
                    job.Waiting++;
            }

            if (joined)
                return await WaitAsync(key, job, cancel);
            await job.Gone.Task.WaitAsync(cancel);
        }
    }

    private async Task<TResult> WaitAsync(TKey key, Job job, CancellationToken cancel)
    {
        try
        {
            return await job.Result.WaitAsync(cancel);
        }
        finally
        {
            bool last;
            lock (_gate)
                last = job.Abandoned = --job.Waiting == 0;
            if (last)
            {
                await job.StopAsync();
                lock (_gate)
                    _jobs.Remove(key);
                job.Gone.SetResult();
            }
        }
    }

    // The lock guards the fields that change.
    private sealed class Job
    {
        private readonly CancellationTokenSource _stop;

        public Job(Func<CancellationToken, Task<TResult>> work, CancellationToken closing)
        {
            _stop = CancellationTokenSource.CreateLinkedTokenSource(closing);
            Result = Task.Run(() => work(_stop.Token));
        }

        public Task<TResult> Result { get; }

        public int Waiting { get; set; }

        public bool Abandoned { get; set; }

        public TaskCompletionSource Gone { get; } = new(TaskCreationOptions.RunContinuationsAsynchronously);

        public async Task StopAsync()
        {
            await _stop.CancelAsync();
            await ((Task)Result).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            _stop.Dispose();
        }
    }
}

/// <summary>
/// Shared downloads into memory: the first caller for a blob downloads into its own memory; callers that come meanwhile get a copy before
/// the first call returns. So no memory is touched after the call of its owner has returned.
/// </summary>
public sealed class SharedReads
{
    private readonly Lock _gate = new();
    private readonly Dictionary<(Digest, int Bytes), List<Follower>> _running = [];

    /// <param name="download">Fills <paramref name="into"/> and verifies it.</param>
    public async Task ReadAsync(Digest digest, Memory<byte> into, Func<CancellationToken, Task> download, CancellationToken cancel)
    {
        var key = (digest, into.Length);
        while (true)
        {
            cancel.ThrowIfCancellationRequested();
            Follower? follower = null;
            lock (_gate)
            {
                if (_running.TryGetValue(key, out var followers))
                    followers.Add(follower = new Follower(into));
                else
                    _running.Add(key, []);
            }

            if (follower is null)
            {
                await LeadAsync(key, into, download, cancel);
                return;
            }

            if (await FollowAsync(key, follower, cancel))
                return;
        }
    }

    private async Task LeadAsync((Digest, int) key, Memory<byte> from, Func<CancellationToken, Task> download, CancellationToken cancel)
    {
        Exception? failure = null;
        try
        {
            await download(cancel);
        }
        catch (Exception e)
        {
            failure = e;
            throw;
        }
        finally
        {
            lock (_gate)
            {
                _running.Remove(key, out var followers);
                foreach (var follower in followers!)
                {
                    if (failure is null)
                        from.CopyTo(follower.Into);
                    if (failure is null or OperationCanceledException)
                        follower.Done.SetResult(failure is null);
                    else
                        follower.Done.SetException(failure);
                }
            }
        }
    }

    // Returns false when the downloading caller gave up.
    private async Task<bool> FollowAsync((Digest, int) key, Follower follower, CancellationToken cancel)
    {
        try
        {
            return await follower.Done.Task.WaitAsync(cancel);
        }
        catch (OperationCanceledException)
        {
            lock (_gate)
                _running.GetValueOrDefault(key)?.Remove(follower);
            throw;
        }
    }

    private sealed class Follower(Memory<byte> into)
    {
        public Memory<byte> Into { get; } = into;

        public TaskCompletionSource<bool> Done { get; } = new(TaskCreationOptions.RunContinuationsAsynchronously);
    }
}
