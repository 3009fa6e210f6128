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

    public async Task<T> RunAsync<T>(Func<TrainingDevice, T> work)
    {
        var result = await inner.RunAsync(work);
        lock (_gate)
        {
            if (_awaited.TryGetValue(++Ended, out var awaited))
                awaited.TrySetResult();
        }
        return result;
    }
}
