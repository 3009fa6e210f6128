using Elastic.Messages;
using Elastic.Messages.Nodes;
using Elastic.Messages.Work;

namespace Elastic.Coordination;

/// <summary>
/// What the parts of a <see cref="NodeCoordinator"/> share: the node's devices, the runs that it knows, the results that it keeps until
/// they are acknowledged, and the list of what is to be done after the step that is under way.
/// </summary>
internal sealed class NodeCoordinatorContext(NodeFacts facts)
{
    private readonly List<NodeOutput> _outputs = [];
    private int _works;

    public NodeFacts Facts => facts;

    public DevicePool Devices { get; } = new();

    public PendingResults Pending { get; } = new();

    public Dictionary<RunId, OpenedRun> Runs { get; } = [];

    /// <summary>Beats since the process began: the time of a node, which has no clock.</summary>
    public int Beats { get; private set; }

    /// <summary>The run of that id; a new one where the node knows none.</summary>
    public OpenedRun RunOf(RunId id) => Runs.TryGetValue(id, out var run) ? run : Runs[id] = new OpenedRun(id);

    /// <summary>A number for the next work of this node.</summary>
    public int NextWork() => ++_works;

    /// <summary>A beat has passed.</summary>
    public void Beat() => Beats++;

    public void Add(NodeOutput output) => _outputs.Add(output);

    public void Send(IWireMessage message) => _outputs.Add(new NodeOutput.Send(message));

    /// <summary>Sends the outcome of an order.</summary>
    public void Send(WorkOrder order, WorkOutcome outcome) =>
        Send(new WorkResult(order.Job, facts.Id, order.Id, order.Key, order.From, outcome));

    /// <summary>Keeps the outcome of an order until it is acknowledged, and sends it, unless the order is not wanted any more.</summary>
    public void Answer(WorkOrder order, WorkOutcome? outcome)
    {
        if (Pending.Finish(order, outcome))
            Send(order, outcome!);
    }

    /// <summary>Has a run's work on devices hand over at its next step, and drops what waits for devices.</summary>
    public void Stop(OpenedRun run)
    {
        run.IsStopping = true;
        run.Held.RemoveAll(w => w is WorkOrder o && WorkKinds.Of(o.Key).OccupiesDevices);
        foreach (var number in Devices.WorkingFor(run.Id.Job))
            Add(new NodeOutput.Stop(number));
        foreach (var order in Devices.Clear(run.Id.Job))
            Pending.Drop(order.Job, order.Key);
        TellIfIdle(run);
    }

    /// <summary>
    /// Tells a run's supervisor when nothing of it is on devices any more. Only once the supervisor has what was handed over: the run may
    /// end, or be computed further by others, as soon as all are idle.
    /// </summary>
    public void TellIfIdle(OpenedRun run)
    {
        if (run.IsStopping && !Devices.WorkingFor(run.Id.Job).Any() && !Pending.IsAwaited(run.Id.Job))
            Send(new NodeReport.RunIdle(facts.Id, run.Id));
    }

    /// <summary>Ends a step, and returns what is to be done, in this order.</summary>
    public NodeOutput[] End()
    {
        NodeOutput[] outputs = [.. _outputs, .. Devices.Close().Select(d => new NodeOutput.CloseDevice(d))];
        _outputs.Clear();
        return outputs;
    }
}
