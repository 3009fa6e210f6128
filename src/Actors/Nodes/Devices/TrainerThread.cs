using Akka.Actor;
using Elastic.Messages.Settings;
using Elastic.Model.Training;
using Elastic.Model.Vectors;

namespace Elastic.Actors.Nodes.Devices;

/// <summary>Makes a trainer actor a device of the training step.</summary>
internal sealed class TrainerThread(IActorRef trainer) : IDeviceThread
{
    // Far longer than any step: it detects a hung driver, not a slow model.
    private static readonly TimeSpan Deadline = TimeSpan.FromMinutes(30);

    /// <summary>Attaches the device to this run's model and these vectors.</summary>
    public Task AttachAsync(TrainingSettings settings, ReplicaVectors vectors) => AskAsync(new TrainerCommand.Attach(settings, vectors));

    /// <inheritdoc/>
    public async Task<T> RunAsync<T>(Func<TrainingDevice, T> work) =>
        (T)(await AskAsync(new TrainerCommand.Work(device => work(device)))).Value!;

    private Task<TrainerReply> AskAsync(TrainerCommand command) => trainer.Ask<TrainerReply>(command, Deadline);
}
