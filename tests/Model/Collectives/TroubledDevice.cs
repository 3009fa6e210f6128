using Elastic.Messages;
using Elastic.Model.Training;

namespace Elastic.Model.Tests.Collectives;

/// <summary>A device that fails, hangs or dies in the work that a test says, and does all other work.</summary>
internal sealed class TroubledDevice(IDeviceThread inner) : IDeviceThread
{
    private readonly TaskCompletionSource _hangs = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly TaskCompletionSource _released = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private int _works;

    public DeviceId Id => inner.Id;

    /// <summary>Called before each piece of work with its number, from 0; what it throws is what the work throws.</summary>
    public Action<int>? Before { get; set; }

    /// <summary>How many works were asked for.</summary>
    public int Works => _works;

    /// <summary>The number of the work that never ends; null for none.</summary>
    public int? HangsIn { get; set; }

    /// <summary>Ends when the device hangs.</summary>
    public Task Hangs => _hangs.Task;

    /// <summary>The work that hangs begins after all.</summary>
    public void Release() => _released.TrySetResult();

    public async Task<T> RunAsync<T>(Func<TrainingDevice, T> work)
    {
        var number = _works++;
        if (number == HangsIn)
        {
            _hangs.TrySetResult();
            await _released.Task;
        }
        Before?.Invoke(number);
        return await inner.RunAsync(work);
    }
}
