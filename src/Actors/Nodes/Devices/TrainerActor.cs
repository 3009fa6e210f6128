using Akka.Actor;
using Elastic.Messages;
using Elastic.Messages.Settings;
using Elastic.Model.Networks;
using Elastic.Model.Training;
using static Elastic.Actors.Nodes.Devices.TrainerCommand;

namespace Elastic.Actors.Nodes.Devices;

/// <summary>
/// One device. It runs on a thread of its own (dispatcher <c>elastic.device-dispatcher</c>), because its work blocks. It never waits for
/// another device. When the actor ends, or another device was lost, the garbage collector frees its gradients: that device may still read
/// them.
/// </summary>
internal sealed class TrainerActor : ReceiveActor
{
    private readonly DeviceId _id;
    private TrainingDevice? _device;
    private (ModelSettings, double LabelSmoothing, RecomputeMode, int Threads) _opened;
    private bool _isReadByOthers;

    public TrainerActor(DeviceId id)
    {
        _id = id;
        Receive<Attach>(c => Answer(() =>
        {
            DeviceFor(c.Settings, c.Threads).Attach(c.Vectors);
            return null;
        }));
        Receive<Outlive>(_ => _isReadByOthers |= _device is not null);
        Receive<TrainerCommand.Work>(c => Answer(
            () => c.Do(_device ?? throw new InvalidOperationException($"{_id} is attached to no replica"))));
    }

    /// <inheritdoc cref="TrainerActor"/>
    public static Props Props(DeviceId id) =>
        Akka.Actor.Props.Create(() => new TrainerActor(id)).WithDispatcher("elastic.device-dispatcher");

    protected override void PostStop() => _device?.Retire();

    private TrainingDevice DeviceFor(TrainingSettings settings, int threads)
    {
        var wanted = (settings.Model, settings.Optimizer.LabelSmoothing, settings.Batch.Recompute, threads);
        if (_device is not null && _opened == wanted)
            return _device;
        if (_isReadByOthers)
            _device?.Retire();
        else
            _device?.Dispose();
        _isReadByOthers = false;
        _device = null;                                               // in case making the next device fails
        _opened = wanted;
        return _device = DeviceBackends.Of(_id).Open(
            _id, Architectures.Open(settings.Model), settings.Optimizer.LabelSmoothing, threads, settings.Batch.Recompute);
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
