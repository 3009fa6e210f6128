using System.Diagnostics;
using System.Globalization;
using Elastic.Foundation;

namespace Elastic.Model.Training;

/// <summary>
/// What all devices of a replica do at once. It ends when all have ended, and at once with an error that names the rank when one fails,
/// stays away, or the whole is aborted. What the others do then goes on for a while: nobody uses their memory again.
/// </summary>
/// <param name="devices">The ranks, in order.</param>
/// <param name="aborted">Ends, with the reason, when nobody waits any longer; null where nobody aborts.</param>
internal sealed class Ranks(IReadOnlyList<IDeviceThread> devices, Task<string>? aborted = null)
{
    /// <summary>Gives each rank its work, and returns what they return, in order.</summary>
    /// <param name="what">For messages, e.g. "reduce-scatter".</param>
    /// <param name="deadline">Of all of it.</param>
    /// <param name="behind">How long the others may take once the first has ended; null where only the deadline counts.</param>
    /// <exception cref="DeviceFailedException">A rank failed or stayed away.</exception>
    /// <exception cref="ElasticException">What a rank threw, where that says what to do.</exception>
    public async Task<T[]> RunAsync<T>(
        string what, TimeSpan deadline, Func<TrainingDevice, int, T> work, Func<TimeSpan, TimeSpan>? behind = null)
    {
        var first = NewSignal<bool>();
        var failed = NewSignal<(int Rank, Exception Cause)>();
        var began = Stopwatch.GetTimestamp();
        var ranks = devices.Select((_, rank) => RunAsync(rank)).ToArray();
        var all = Task.WhenAll(ranks);
        if (all.IsCompletedSuccessfully)
            return await all;
        if (behind is not null && devices.Count > 1)
        {
            await AnyAsync(deadline, all, failed.Task, first.Task);
            if (first.Task.IsCompleted)
            {
                var took = Stopwatch.GetElapsedTime(began);
                deadline = deadline < took + behind(took) ? deadline : took + behind(took);
            }
        }

        await AnyAsync(deadline - Stopwatch.GetElapsedTime(began), all, failed.Task);
        if (all.IsCompletedSuccessfully)
            return await all;
        if (failed.Task.IsCompleted)
            throw Failure(failed.Task.Result.Rank, what, failed.Task.Result.Cause);
        if (aborted is { IsCompleted: true })
            throw new OperationCanceledException($"the {what} of {devices.Count} devices was aborted: {aborted.Result}");
        var late = Array.FindIndex(ranks, r => !r.IsCompleted);
        // The last rank may have ended just now.
        return late < 0 ? await all : throw new DeviceFailedException(devices[late].Id, isLost: true, string.Create(
            CultureInfo.InvariantCulture,
            $"{Name(late)} did not end its {what} within {Stopwatch.GetElapsedTime(began).TotalSeconds:0.#} s: it hangs"));

        async Task<T> RunAsync(int rank)
        {
            try
            {
                var result = await devices[rank].RunAsync(d => work(d, rank));
                first.TrySetResult(true);
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

    // Continuations run elsewhere: a device's thread is the device's.
    private static TaskCompletionSource<T> NewSignal<T>() => new(TaskCreationOptions.RunContinuationsAsynchronously);

    private async Task AnyAsync(TimeSpan most, params IReadOnlyList<Task> events)
    {
        using var over = new CancellationTokenSource();
        var timer = Task.Delay(most > TimeSpan.Zero ? most : TimeSpan.Zero, over.Token);
        await Task.WhenAny([.. events, timer, .. aborted is null ? Array.Empty<Task>() : [aborted]]);
        await over.CancelAsync();
    }

    private Exception Failure(int rank, string what, Exception cause) => cause switch
    {
        ElasticException => cause,
        DeviceFailedException { IsLost: true } => new DeviceFailedException(
            devices[rank].Id, isLost: true, $"{Name(rank)} is gone in its {what}: {cause.Message}", cause),
        _ => new DeviceFailedException(devices[rank].Id, isLost: false, $"{Name(rank)} failed in its {what}: {cause.Message}", cause),
    };
}
