using Elastic.Foundation;

namespace Elastic.Messages.Nodes;

/// <summary>What can be done about work that failed.</summary>
public enum WorkFailure
{
    /// <summary>Try again.</summary>
    Transient,

    /// <summary>A stored blob is missing or damaged: see what is still whole, and go on from there.</summary>
    Lost,

    /// <summary>Trying again cannot help: a full disk, another model's checkpoint.</summary>
    Permanent,
}

/// <summary>What a node tells the supervisors of its own accord. Not stored: it is true only while the node lives.</summary>
public abstract record NodeReport(NodeId Node) : IWireMessage
{
    /// <summary>The node is there, has these devices and this in hand. Repeated as a heartbeat.</summary>
    /// <param name="Incarnation">Another one means that the node began anew and has nothing in hand.</param>
    /// <param name="Endpoint">Its place on the data plane, "host:port".</param>
    /// <param name="Seed">True for a node that is meant to stay: it is the first choice for checkpoints.</param>
    /// <param name="Version">Of Elastic. Nodes of different versions do not work together.</param>
    /// <param name="Arithmetic">What the bits of its results depend on; empty for a node without devices.</param>
    /// <param name="Works">Given to it and not yet answered.</param>
    /// <param name="Leaving">True once it wants to go: it takes no more work and hands over what it has.</param>
    public sealed record Enlist(
        NodeId Node, DeviceId[] Devices, string Incarnation, string Endpoint, bool Seed, string Version, string Arithmetic,
        RunWork[] Works, bool Leaving) : NodeReport(Node);

    /// <summary>A replica took an inner step.</summary>
    /// <param name="Step">Steps of this round taken so far.</param>
    public sealed record StepTaken(NodeId Node, RunId RunId, int Round, int Replica, int Step, double LossNats, double LearningRate) : NodeReport(Node);

    /// <summary>The node has every chunk of the version and its manifest.</summary>
    public sealed record VersionHeld(NodeId Node, RunId RunId, int Round, Digest Version) : NodeReport(Node);

    /// <summary>The node has this vector set and every chunk of it.</summary>
    public sealed record SetHeld(NodeId Node, RunId RunId, int Round, int Copy, Digest Set) : NodeReport(Node);

    /// <summary>Which of the vector sets that a <see cref="NodeCommand.Survey"/> asked for are whole on this node.</summary>
    public sealed record Surveyed(NodeId Node, RunId RunId, Digest[] Asked, Digest[] Intact, Part Part) : NodeReport(Node);

    /// <summary>The run cannot be opened on this node: its corpus cannot be had, or its settings cannot be read.</summary>
    /// <param name="Why">Null when it was never asked to, as far as it knows.</param>
    public sealed record RunUnopened(NodeId Node, RunId RunId, string? Why) : NodeReport(Node);

    /// <summary>A piece of work could not be done; the supervisor gives it out again.</summary>
    public sealed record WorkFailed(NodeId Node, NodeCommand Work, string Why, WorkFailure Kind) : NodeReport(Node);

    /// <summary>Everything that the node had in hand for the run is handed over or finished.</summary>
    public sealed record RunIdle(NodeId Node, RunId RunId) : NodeReport(Node);
}
