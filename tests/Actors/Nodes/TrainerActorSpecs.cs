using Akka.Actor;
using Elastic.Actors.Hosting;
using Elastic.Actors.Nodes.Devices;
using Elastic.Messages;
using Elastic.Messages.Settings;
using Elastic.Model.Batches;
using Elastic.Model.Networks;
using Elastic.Model.Tests.Collectives;
using Elastic.Model.Training;
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
            Accumulate(device, settings);
            return device.Roots[0].Gradient;
        }))).Value!;
        if (isOtherLost)
            trainer.Tell(TrainerCommand.Outlive.Instance);
        await AskAsync(new TrainerCommand.Attach(settings, vectors, 2));
        Assert.Equal(isOtherLost, IsThere(gradients));

        Task<TrainerReply> AskAsync(TrainerCommand command) => trainer.Ask<TrainerReply>(command, Deadline);
    }

    // What it was opened for decides, which another learning rate in mid-run is no part of.
    [Fact]
    public async Task A_device_stays_open_where_settings_change_that_it_is_not_opened_with()
    {
        var settings = TinySettings.Of("a");
        using var system = ActorSystem.Create("trainers", AkkaSettings.ForDevices(new DataPaths(Folder)));
        using var vectors = new ReplicaVectors(Architectures.LayoutOf(settings.Model));
        var trainer = system.ActorOf(TrainerActor.Props(new DeviceId("cpu:0")));
        var first = await DeviceForAsync(settings);
        Assert.Same(first, await DeviceForAsync(With(o => o with { LearningRate = 0.5, Kind = "muon" })));
        var smooth = await DeviceForAsync(With(o => o with { LabelSmoothing = 0.25 }));
        Assert.NotSame(first, smooth);
        Assert.NotSame(smooth, await DeviceForAsync(settings));

        TrainingSettings With(Func<OptimizerSettings, OptimizerSettings> change) =>
            settings with { Optimizer = change(settings.Optimizer) };

        async Task<object> DeviceForAsync(TrainingSettings settings)
        {
            await trainer.Ask<TrainerReply>(new TrainerCommand.Attach(settings, vectors, 1), Deadline);
            return (await trainer.Ask<TrainerReply>(new TrainerCommand.Work(device => device), Deadline)).Value!;
        }
    }

    [Fact]
    public async Task A_device_that_gets_on_may_take_hours_for_a_piece_of_work_and_one_that_does_not_is_lost()
    {
        var (settings, clock) = (TinySettings.Of("a"), new HandClock());
        // The device's thread, which ends with the system, still uses them where the test fails.
        using var vectors = new ReplicaVectors(Architectures.LayoutOf(settings.Model));
        using var system = ActorSystem.Create("trainers", AkkaSettings.ForDevices(new DataPaths(Folder)));
        using var goesOn = new ManualResetEventSlim();
        var id = new DeviceId("cpu:0");
        var device = new TrainerThread(id, system.ActorOf(TrainerActor.Props(id)), 1, null, clock);
        await device.AttachAsync(settings, vectors);
        await device.RunAsync(d =>
        {
            for (var part = 0; part < 4; part++)
            {
                clock.Pass(TimeSpan.FromMinutes(25));
                Accumulate(d, settings);
            }
            return true;
        }).WaitAsync(Deadline);

        var hangs = device.RunAsync(_ =>
        {
            clock.Pass(TimeSpan.FromMinutes(32));
            return goesOn.Wait(Deadline);
        });
        var lost = await Assert.ThrowsAsync<DeviceFailedException>(() => hangs.WaitAsync(Deadline));
        goesOn.Set();
        Assert.Equal("cpu:0 did not answer within 31 minutes", lost.Message);
        Assert.True(lost.IsLost);
    }

    private static void Accumulate(TrainingDevice device, TrainingSettings settings)
    {
        var samples = Sample.Cut(new int[settings.Batch.Micro * (settings.Model.Context + 1)], settings.Batch.Micro);
        device.Accumulate(device.Architecture.Batching.MicroBatches(samples, settings.Batch.Micro, default), default);
    }

    private static unsafe bool IsThere(HostVector vector) => vector.Data is not null;
}
