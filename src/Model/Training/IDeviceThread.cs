namespace Elastic.Model.Training;

/// <summary>
/// A device together with the thread that all of its work runs on: its arithmetic blocks, and libtorch keeps state for each thread.
/// </summary>
public interface IDeviceThread
{
    /// <summary>Does the work after all that was asked for before it. What it throws, the task throws.</summary>
    Task<T> RunAsync<T>(Func<TrainingDevice, T> work);

    /// <inheritdoc cref="RunAsync{T}"/>
    Task RunAsync(Action<TrainingDevice> work) => RunAsync(device =>
    {
        work(device);
        return true;
    });
}
