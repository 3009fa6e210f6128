using Elastic.Messages;

namespace Elastic.Model.Training;

/// <summary>
/// A device together with the thread that runs all of its work: its arithmetic blocks, and libtorch keeps state for each thread.
/// </summary>
public interface IDeviceThread
{
    /// <summary>The device's name.</summary>
    DeviceId Id { get; }

    /// <summary>Does the work after all work that was asked for earlier. The task throws what the work throws, and a
    /// <see cref="DeviceFailedException"/> where the device is gone.</summary>
    Task<T> RunAsync<T>(Func<TrainingDevice, T> work);

    /// <inheritdoc cref="RunAsync{T}"/>
    Task RunAsync(Action<TrainingDevice> work) => RunAsync(device =>
    {
        work(device);
        return true;
    });
}
