using Akka.Actor;
using Elastic.Actors.Hosting;
using Elastic.Actors.Nodes.Devices;
using Elastic.Messages;
using Elastic.Model.Batches;
using Elastic.Model.Networks;
using Elastic.Model.Vectors;
using Elastic.Storage;
using Elastic.Testing;

namespace Elastic.Actors.Tests.Nodes;

public sealed class TrainerActorSpecs : TemporaryFolder
{
    private static readonly TimeSpan Deadline = TimeSpan.FromSeconds(60);

    // A device that was lost in a sum of gradients may go on with it. Another number of threads needs another device in the actor.
    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task Gradients_are_freed_with_their_device_unless_a_lost_one_may_still_read_them(bool isOtherLost)
    {
        var settings = TinySettings.Of("a");
        using var system = ActorSystem.Create("trainers", AkkaSettings.ForDevices(new DataPaths(Folder)));
        using var vectors = new ReplicaVectors(Architectures.LayoutOf(settings.Model));
        var trainer = system.ActorOf(TrainerActor.Props(new DeviceId("cpu:0")));
        await AskAsync(new TrainerCommand.Attach(settings, vectors, 1));
        var gradients = (HostVector)(await AskAsync(new TrainerCommand.Work(device =>
        {
            var tokens = new int[settings.Batch.Micro * (settings.Model.Context + 1)];
            var samples = Sample.Cut(tokens, settings.Batch.Micro);
            device.Accumulate(device.Architecture.Batching.MicroBatches(samples, settings.Batch.Micro, default), default);
            return device.Roots[0].Gradient;
        }))).Value!;
        if (isOtherLost)
            trainer.Tell(TrainerCommand.Outlive.Instance);
        await AskAsync(new TrainerCommand.Attach(settings, vectors, 2));
        Assert.Equal(isOtherLost, IsThere(gradients));

        Task<TrainerReply> AskAsync(TrainerCommand command) => trainer.Ask<TrainerReply>(command, Deadline);
    }

    private static unsafe bool IsThere(HostVector vector) => vector.Data is not null;
}
