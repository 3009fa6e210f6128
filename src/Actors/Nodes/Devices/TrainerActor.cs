using Akka.Actor;
using Elastic.Messages;
using Elastic.Messages.Settings;
using Elastic.Model.Networks;
using Elastic.Model.Training;
using static Elastic.Actors.Nodes.Devices.TrainerCommand;

namespace Elastic.Actors.Nodes.Devices;

/// <summary>
/// One device. It runs on a thread of its own (dispatcher <c>elastic.device-dispatcher</c>), because its work blocks. It never waits for
/// another device. When the actor ends, the garbage collector frees its gradients: another device may still read them.
/// </summary>
internal sealed class TrainerActor : ReceiveActor
{
    private readonly DeviceId _id;
    private TrainingDevice? _device;
    private (ModelSettings, OptimizerSettings, RecomputeMode, int Threads) _model;

    public TrainerActor(DeviceId id)
    {
        _id = id;
        Receive<Attach>(c => Answer(() =>
        {
            DeviceFor(c.Settings, c.Threads).Attach(c.Vectors);
            return null;
        }));
        Receive<TrainerCommand.Work>(c => Answer(
            () => c.Do(_device ?? throw new InvalidOperationException($"{_id} is attached to no replica"))));
    }

    /// <inheritdoc cref="TrainerActor"/>
    public static Props Props(DeviceId id) =>
        Akka.Actor.Props.Create(() => new TrainerActor(id)).WithDispatcher("elastic.device-dispatcher");

    protected override void PostStop() => _device?.Retire();

    private TrainingDevice DeviceFor(TrainingSettings settings, int threads)
    {
        var recompute = settings.Batch.Recompute;
        var model = (settings.Model, settings.Optimizer, recompute, threads);
        if (_device is not null && _model == model)
            return _device;
        _device?.Dispose();
        _device = null;                                               // in case making the next device fails
        _model = model;
        return _device = DeviceBackends.Of(_id).Open(
            _id, Architectures.Open(settings.Model), settings.Optimizer.LabelSmoothing, threads, recompute);
    }

    // A failure is an answer, too: the asker gives the work back, and the device stays.
    private void Answer(Func<object?> work)
    {
        try
        {
            Sender.Tell(new TrainerReply(work()));
        }
        catch (Exception e)
        {
            Sender.Tell(new Status.Failure(e));
        }
    }
}
