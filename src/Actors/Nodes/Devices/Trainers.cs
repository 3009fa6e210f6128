using Akka.Actor;
using Elastic.Actors.Hosting;
using Elastic.Foundation;
using Elastic.Messages;
using Elastic.Model.Training;

namespace Elastic.Actors.Nodes.Devices;

/// <summary>
/// The trainers of a node, one for each device that has had work since the node got it. Part of the node agent: used on its mailbox only.
/// </summary>
internal sealed class Trainers(IActorContext actors, NodeContext context)
{
    private readonly Dictionary<DeviceId, IActorRef> _trainers = [];
    private readonly Dictionary<DeviceId, int> _opened = [];
    private string _text = context.Devices;

    /// <summary>The devices that the node has.</summary>
    public IReadOnlyList<DeviceId> Devices => DeviceNames.Parse(_text);

    /// <summary>Threads of each by itself.</summary>
    public int ThreadsPerDevice => context.ThreadsPerDevice(_text);

    /// <summary>Takes other devices from now on.</summary>
    /// <param name="devices">As <c>node.devices</c>.</param>
    /// <param name="problemOf">Why there is no room for them; null where there is.</param>
    /// <exception cref="ElasticException">The node cannot have them; it keeps those that it has.</exception>
    public void Use(string devices, Func<IReadOnlyList<DeviceId>, string?> problemOf)
    {
        var parsed = DeviceNames.Parse(devices, "-d");
        if (parsed.Count == 0)
            throw new ElasticException("a node in a run has at least one device: name one, or stop the node to take it out of the run");
        // People asked whether it computes when it started: its role and its place in the cluster follow from the answer.
        if (DeviceNames.Parse(context.Devices) is not [var first, ..])
            throw new ElasticException("this node was started with --devices none, and only stores: start it again with devices");
        var (arithmetic, other) = (Arithmetic.Of(first), Arithmetic.OfAll(parsed));
        if (arithmetic != other)
        {
            throw new ElasticException(
                $"this node computes by \"{arithmetic}\", and {devices} by \"{other}\", which gives other bits: " +
                "start another node for them");
        }

        if (problemOf(parsed) is { } problem)
            throw new ElasticException(problem);
        _text = devices;
        DeviceBackends.Measure(parsed);
    }

    /// <summary>These devices together, with as many threads as the devices of the node have now; see <see cref="LentThreads"/>.</summary>
    /// <param name="pieces">What the work can be divided into: micro-batches of a step.</param>
    public DeviceGroup Group(IReadOnlyList<DeviceId> devices, int pieces)
    {
        var threads = LentThreads.Of(devices.Count, ThreadsPerDevice, pieces);
        return new DeviceGroup(
            [.. devices.Zip(threads, (d, t) => new TrainerThread(d, Of(d), t, context.Faults.BeforeDeviceWork))], devices.Count);
    }

    /// <summary>A device is lost, and may go on some time with what it read of the others.</summary>
    public void Outlive(DeviceId lost)
    {
        foreach (var (_, other) in _trainers.Where(t => t.Key != lost))
            other.Tell(TrainerCommand.Outlive.Instance);
    }

    /// <summary>Ends a device. One that hangs ends when it goes on; until then its thread stays.</summary>
    public void Close(DeviceId device)
    {
        if (_trainers.Remove(device, out var trainer))
            actors.Stop(trainer);
    }

    // A device that comes back while the trainer that it had is ending gets another name.
    private IActorRef Of(DeviceId device)
    {
        if (_trainers.TryGetValue(device, out var trainer))
            return trainer;
        var times = _opened[device] = _opened.GetValueOrDefault(device) + 1;
        var name = $"trainer-{device.Value.Replace(':', '-').Replace('#', '_')}{(times > 1 ? $"-{times}" : "")}";
        return _trainers[device] = actors.ActorOf(TrainerActor.Props(device), name);
    }
}
