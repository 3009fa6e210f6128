using Akka.Actor;
using Elastic.Messages;
using Elastic.Messages.Settings;
using Elastic.Model.Training;
using Elastic.Model.Vectors;

namespace Elastic.Actors.Nodes.Devices;

/// <summary>Makes a trainer actor a device of the training step.</summary>
/// <param name="threads">Threads of a CPU device.</param>
/// <param name="fault">Called on the device's thread before each piece of work; a test's.</param>
/// <param name="time">For the deadline; null for the system's.</param>
internal sealed class TrainerThread(
    DeviceId id, IActorRef trainer, int threads, Action<DeviceId>? fault, TimeProvider? time = null) : IDeviceThread
{
    // Longer than a part of a step may take: it detects a hung driver in work that has no other deadline.
    private static readonly TimeSpan Deadline = TimeSpan.FromMinutes(31);

    /// <inheritdoc/>
    public DeviceId Id => id;

    /// <summary>Attaches the device to this run's model and these vectors.</summary>
    public Task AttachAsync(TrainingSettings settings, ReplicaVectors vectors) =>
        AskAsync(new TrainerCommand.Attach(settings, vectors, threads), new Progress());

    /// <inheritdoc/>
    public async Task<T> RunAsync<T>(Func<TrainingDevice, T> work)
    {
        var progress = new Progress();
        return (T)(await AskAsync(new TrainerCommand.Work(device =>
        {
            fault?.Invoke(id);
            progress.Begin(device);
            return work(device);
        }), progress)).Value!;
    }

    private async Task<TrainerReply> AskAsync(TrainerCommand command, Progress progress)
    {
        // Not Akka's own timeout: it would count the time in which this process stood still.
        using var limit = new WaitDeadline(time ?? TimeProvider.System, Deadline, () => progress.Parts);
        using var given = new CancellationTokenSource();
        var answer = trainer.Ask<TrainerReply>(command, Timeout.InfiniteTimeSpan, given.Token);
        if (await limit.HasEndedAsync(answer))
            return await answer;
        await given.CancelAsync();
        throw new DeviceFailedException(id, isLost: true, $"{id} did not answer within {Deadline.TotalMinutes} minutes");
    }
}
