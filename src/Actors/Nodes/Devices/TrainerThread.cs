using Akka.Actor;
using Elastic.Messages.Settings;
using Elastic.Model.Training;
using Elastic.Model.Vectors;

namespace Elastic.Actors.Nodes.Devices;

/// <summary>A trainer, asked as a device: what the training step is given in the product.</summary>
internal sealed class TrainerThread(IActorRef trainer) : IDeviceThread
{
    // Far beyond any step: it ends a hung driver, not a slow model.
    private static readonly TimeSpan Deadline = TimeSpan.FromMinutes(30);

    /// <summary>Makes the device one that trains this run's model, on these vectors.</summary>
    public Task AttachAsync(TrainingSettings settings, ReplicaVectors vectors) => AskAsync(new TrainerCommand.Attach(settings, vectors));

    /// <inheritdoc/>
    public async Task<T> RunAsync<T>(Func<TrainingDevice, T> work) =>
        (T)(await AskAsync(new TrainerCommand.Work(device => work(device)))).Value!;

    private Task<TrainerReply> AskAsync(TrainerCommand command) => trainer.Ask<TrainerReply>(command, Deadline);
}
