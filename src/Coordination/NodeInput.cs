using Elastic.Messages;
using Elastic.Messages.Nodes;
using Elastic.Messages.Work;

namespace Elastic.Coordination;

/// <summary>What a node is, besides its devices.</summary>
public sealed record NodeFacts
{
    public required NodeId Id { get; init; }

    /// <summary>A new value for each process.</summary>
    public required string Incarnation { get; init; }

    /// <summary>The node's endpoint on the control plane, "host:port".</summary>
    public required string Address { get; init; }

    /// <summary>The node's endpoint on the data plane, "host:port".</summary>
    public required string Endpoint { get; init; }

    /// <summary>True for a process that is meant to stay.</summary>
    public required bool Seed { get; init; }

    /// <summary>Elastic's version.</summary>
    public required string Version { get; init; }

    /// <summary>What the bits of the node's results depend on; empty without devices.</summary>
    public required string Arithmetic { get; init; }

    /// <summary>Processor cores that the process may use; 0 where that is not known.</summary>
    public int Cores { get; init; }

    /// <summary>The node's labels, as <c>node.labels</c> says.</summary>
    public string[] Labels { get; init; } = [];

    /// <summary>How its devices share a replica.</summary>
    public ReplicaSharing Sharing { get; init; } = ReplicaSharing.Usual;
}

/// <summary>What happens to a node.</summary>
public abstract record NodeInput
{
    /// <summary>These are the devices from now on.</summary>
    /// <param name="Request">The person's request that is answered with them; null where nobody waits for an answer.</param>
    public sealed record HasDevices(IReadOnlyList<DeviceId> Devices, string? Request = null) : NodeInput;

    /// <summary>The work computes on the devices of the last <see cref="NodeOutput.Move"/>, and on no others.</summary>
    public sealed record Moved(int Work) : NodeInput;

    /// <summary>A device hangs, or is gone, and the work has ended with it.</summary>
    /// <param name="RepeatsStep">
    /// The work has not ended: it has its state of before the step, and other devices. Answered by <see cref="NodeOutput.RepeatStep"/>.
    /// </param>
    public sealed record DeviceLost(int Work, DeviceId Device, string Why, bool RepeatsStep = false) : NodeInput;

    public sealed record Ordered(WorkOrder Order) : NodeInput;

    public sealed record Commanded(NodeCommand Command) : NodeInput;

    public sealed record Told(NodeNews News) : NodeInput;

    /// <summary>A run was opened, or could not be, and why. Answers <see cref="NodeOutput.Open"/>.</summary>
    /// <param name="MostDevices">Devices that one of its replicas can use.</param>
    /// <param name="MicroBatches">Micro-batches of a step of a replica: devices beyond them lend their threads.</param>
    /// <param name="Priority">Priority of the run: of two runs, the one of the higher priority gets devices first.</param>
    public sealed record Opened(
        RunId Run, int MostDevices, string? WhyNot, int MicroBatches = int.MaxValue, int Priority = 0) : NodeInput
    {
        /// <summary>
        /// How many devices can have the model once between them, ascending, as this node's settings split it; the last one as often as
        /// there are devices for it.
        /// </summary>
        public IReadOnlyList<int> GroupSizes { get; init; } = [1];
    }

    /// <summary>Work has ended.</summary>
    /// <param name="Outcome">Null when the work was stopped before it had a result.</param>
    public sealed record Ended(int Work, WorkOutcome? Outcome) : NodeInput;

    /// <summary>Put waiting work onto devices. Asked for by <see cref="NodeOutput.Reschedule"/>.</summary>
    public sealed record Schedule : NodeInput;

    /// <summary>A heartbeat is due, or the node has a new link to the supervisors.</summary>
    /// <param name="FreeMemoryBytes">What the process may still take of the machine's memory; 0 where that is not known.</param>
    public sealed record Beat(long FreeMemoryBytes = 0) : NodeInput;

    /// <summary>Hand everything over. Answered by <see cref="NodeOutput.Left"/>.</summary>
    public sealed record Leave : NodeInput;
}

/// <summary>What a node's coordinator wants done, in this order.</summary>
public abstract record NodeOutput
{
    /// <summary>Send this to the supervisors.</summary>
    public sealed record Send(IWireMessage Message) : NodeOutput;

    /// <summary>
    /// Get ready to work for a run. Answered by <see cref="NodeInput.Opened"/>, once for each and in their order, also where the run is
    /// deleted meanwhile.
    /// </summary>
    public sealed record Open(NodeCommand.OpenRun Command) : NodeOutput;

    /// <summary>Blobs that are stored for the run from now on belong to this round.</summary>
    public sealed record BeginRound(RunId Run, int Round) : NodeOutput;

    /// <summary>Fetch from these data planes, too: they have what is needed next.</summary>
    public sealed record UseSources(string[] Endpoints) : NodeOutput;

    /// <summary>Begin. Answered by <see cref="NodeInput.Ended"/>.</summary>
    /// <param name="Devices">None for work that needs none.</param>
    public sealed record Start(int Work, WorkOrder Order, IReadOnlyList<DeviceId> Devices) : NodeOutput;

    /// <summary>
    /// Go on with these devices from the next step boundary on. Answered by <see cref="NodeInput.Moved"/>, unless the work ends before.
    /// </summary>
    public sealed record Move(int Work, IReadOnlyList<DeviceId> Devices) : NodeOutput;

    /// <summary>Repeat the step that a device was lost in with these, and go on with them, whatever it was told to move to.</summary>
    public sealed record RepeatStep(int Work, IReadOnlyList<DeviceId> Devices) : NodeOutput;

    /// <summary>The node has this device no more, and no work is on it.</summary>
    public sealed record CloseDevice(DeviceId Device) : NodeOutput;

    /// <summary>Stop at the next step boundary and hand over.</summary>
    public sealed record Stop(int Work) : NodeOutput;

    /// <summary>Stop, and hand nothing over: the work is no longer needed.</summary>
    public sealed record Abandon(int Work) : NodeOutput;

    /// <summary>Find out which vector sets are intact, and tell the supervisor.</summary>
    public sealed record Survey(NodeCommand.Survey Command) : NodeOutput;

    /// <summary>Delete what nothing refers to.</summary>
    public sealed record Retain(NodeCommand.Retain Command) : NodeOutput;

    /// <summary>Delete all that is stored of a run.</summary>
    public sealed record Delete(RunId Run) : NodeOutput;

    /// <summary>
    /// Give <see cref="NodeInput.Schedule"/> after all messages that have arrived by now, so that devices are shared fairly.
    /// </summary>
    public sealed record Reschedule : NodeOutput;

    /// <summary>Keep a liveness connection to this endpoint.</summary>
    public sealed record PointTo(string Endpoint) : NodeOutput;

    /// <summary>The cluster refuses this node.</summary>
    public sealed record Refused(string Why) : NodeOutput;

    /// <summary>A message for the person at this process.</summary>
    public sealed record Say(string Text) : NodeOutput;

    /// <summary>Others hold all that only this node held: the process may end.</summary>
    public sealed record Left : NodeOutput;
}
