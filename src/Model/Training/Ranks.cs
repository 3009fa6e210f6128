using System.Globalization;
using Elastic.Foundation;

namespace Elastic.Model.Training;

/// <summary>
/// What all devices of a replica do at once. It ends when all have ended, and at once with an error that names the rank when one fails,
/// stays away, or the whole is aborted. What the others do then goes on for a while: nobody uses their memory again.
/// </summary>
/// <param name="devices">The ranks, in order.</param>
/// <param name="time">Measures the deadlines.</param>
/// <param name="aborted">Ends, with the reason, when nobody waits any longer; null where nobody aborts.</param>
/// <param name="waits">Whether a rank only waits for others, so that it is not what hangs; null where none ever does.</param>
internal sealed class Ranks(
    IReadOnlyList<IDeviceThread> devices, TimeProvider time, Task<string>? aborted = null, Func<int, bool>? waits = null)
{
    /// <summary>Gives each rank its work, and returns what they return, in order.</summary>
    /// <param name="what">For messages, e.g. "reduce-scatter".</param>
    /// <param name="deadline">The time that the work of all ranks may take, or each part of it after which a device notes progress.</param>
    /// <param name="behind">How long the others may take once the first has ended; null where only the deadline counts.</param>
    /// <exception cref="DeviceFailedException">A rank failed or stayed away.</exception>
    /// <exception cref="ElasticException">What a rank threw, where that says what to do.</exception>
    public async Task<T[]> RunAsync<T>(
        string what, TimeSpan deadline, Func<TrainingDevice, int, T> work, Func<TimeSpan, TimeSpan>? behind = null)
    {
        var failed = NewSignal<(int Rank, Exception Cause)>();
        var ended = 0;
        var progress = devices.Select(_ => new Progress()).ToArray();
        using var limit = new WaitDeadline(time, deadline, () => progress.Sum(p => p.Parts));
        var ranks = devices.Select((_, rank) => RunAsync(rank)).ToArray();
        var all = Task.WhenAll(ranks);
        await (aborted is null ? Task.WhenAny(all, failed.Task, limit.Passed) : Task.WhenAny(all, failed.Task, limit.Passed, aborted));
        if (all.IsCompletedSuccessfully)
            return await all;
        if (failed.Task.IsCompleted)
            throw Failure(failed.Task.Result.Rank, what, failed.Task.Result.Cause);
        if (aborted is { IsCompleted: true })
            throw new OperationCanceledException($"the {what} of {devices.Count} devices was aborted: {aborted.Result}");
        var late = Enumerable.Range(0, ranks.Length).Where(r => !ranks[r].IsCompleted).ToList();
        // The last rank may have ended just now.
        if (late.Count == 0)
            return await all;
        var within = string.Create(CultureInfo.InvariantCulture, $"within {limit.Waited.TotalSeconds:0.#} s");
        foreach (var hung in late.Where(r => waits?.Invoke(r) != true))
            throw new DeviceFailedException(devices[hung].Id, isLost: true, $"{Name(hung)} did not end its {what} {within}: it hangs");
        throw new DeviceFailedException(
            devices[late[0]].Id, isLost: false, $"the {what} of {devices.Count} devices did not end {within}: each waits for another");

        async Task<T> RunAsync(int rank)
        {
            try
            {
                var result = await devices[rank].RunAsync(d =>
                {
                    progress[rank].Begin(d);
                    return work(d, rank);
                });
                if (behind is not null && devices.Count > 1 && Interlocked.Exchange(ref ended, 1) == 0)
                    limit.Shorten(behind(limit.Waited));
                return result;
            }
            catch (Exception e)
            {
                failed.TrySetResult((rank, e));
                throw;
            }
        }
    }

    /// <summary>How people know a rank, e.g. "rank 1 of 3 (cpu:1)".</summary>
    public string Name(int rank) => $"rank {rank} of {devices.Count} ({devices[rank].Id})";

    // Whoever waits goes on elsewhere: a device's thread is the device's.
    private static TaskCompletionSource<T> NewSignal<T>() => new(TaskCreationOptions.RunContinuationsAsynchronously);

    private Exception Failure(int rank, string what, Exception cause) => cause switch
    {
        ElasticException => cause,
        // Also another one, whose memory this rank has read.
        DeviceFailedException { IsLost: true } lost => new DeviceFailedException(
            lost.Device, isLost: true,
            $"{Name(rank)} {(lost.Device == devices[rank].Id ? "is gone in" : "did not end")} its {what}: {cause.Message}", cause),
        _ => new DeviceFailedException(devices[rank].Id, $"{Name(rank)} failed in its {what}", cause),
    };
}
