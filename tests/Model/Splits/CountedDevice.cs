using Elastic.Messages;
using Elastic.Model.Training;

namespace Elastic.Model.Tests.Splits;

/// <summary>Counts the works that a device has ended.</summary>
internal sealed class CountedDevice(IDeviceThread inner) : IDeviceThread
{
    private readonly Lock _gate = new();
    private readonly Dictionary<int, TaskCompletionSource> _awaited = [];

    public DeviceId Id => inner.Id;

    public int Ended { get; private set; }

    /// <summary>Ends when so many works have ended.</summary>
    public Task WhenEnded(int works) =>
        (_awaited[works] = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously)).Task;

    public Task<T> RunAsync<T>(Func<TrainingDevice, T> work)
    {
        var run = CountAsync(work);
        _ = TellAsync(run);
        return run;
    }

    private async Task<T> CountAsync<T>(Func<TrainingDevice, T> work)
    {
        var result = await inner.RunAsync(work);
        lock (_gate)
            Ended++;
        return result;
    }

    // Once the work's task has ended: a test that moves a clock on then finds nobody who still waits for it.
    private async Task TellAsync(Task run)
    {
        await run;
        lock (_gate)
        {
            foreach (var (_, awaited) in _awaited.Where(a => a.Key <= Ended))
                awaited.TrySetResult();
        }
    }
}
