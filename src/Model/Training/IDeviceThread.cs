namespace Elastic.Model.Training;

/// <summary>
/// A device together with the thread that runs all of its work: its arithmetic blocks, and libtorch keeps state for each thread.
/// </summary>
public interface IDeviceThread
{
    /// <summary>Does the work after all work that was asked for earlier. The task throws what the work throws.</summary>
    Task<T> RunAsync<T>(Func<TrainingDevice, T> work);

    /// <inheritdoc cref="RunAsync{T}"/>
    Task RunAsync(Action<TrainingDevice> work) => RunAsync(device =>
    {
        work(device);
        return true;
    });
}
