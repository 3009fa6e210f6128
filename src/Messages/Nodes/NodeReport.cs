using Elastic.Foundation;
using Elastic.Messages.Work;

namespace Elastic.Messages.Nodes;

/// <summary>What a node tells the supervisors, besides results. Not stored: it is true only while the node lives.</summary>
public abstract record NodeReport(NodeId Node) : ISaidByNode
{
    /// <summary>The node is there, has these devices and this work. Repeated as a heartbeat.</summary>
    public sealed record Enlist(NodeId Node) : NodeReport(Node)
    {
        public required DeviceId[] Devices { get; init; }

        /// <summary>A new value means a new process, which has no work yet.</summary>
        public required string Incarnation { get; init; }

        /// <summary>The node's endpoint on the control plane, "host:port", by which people know the node.</summary>
        public required string Address { get; init; }

        /// <summary>The node's endpoint on the data plane, "host:port".</summary>
        public required string Endpoint { get; init; }

        /// <summary>True for a node that is meant to stay: checkpoints go to such nodes first.</summary>
        public required bool Seed { get; init; }

        /// <summary>Elastic's version. Nodes of different versions do not work together.</summary>
        public required string Version { get; init; }

        /// <summary>What the bits of the node's results depend on; empty for a node without devices.</summary>
        public required string Arithmetic { get; init; }

        /// <summary>Work that was given to the node and is not acknowledged yet.</summary>
        public required HeldWorks[] Works { get; init; }

        /// <summary>True while the node leaves or drains: it takes no more work for its devices and hands over what they have.</summary>
        public required bool Leaving { get; init; }

        /// <summary>True while it drains: it stays when it has handed everything over, and may be asked to take work again.</summary>
        public bool Draining { get; init; }

        /// <summary>True while it drains and has nothing any more that the others lack: it may be switched off.</summary>
        public bool Drained { get; init; }

        /// <summary>Counts the beginnings and ends of its drains: a release that repeats another number is none.</summary>
        public int Drains { get; init; }

        /// <summary>What the process may still take of the machine's memory; 0 where that is not known.</summary>
        public long FreeMemoryBytes { get; init; }

        /// <summary>Processor cores that the process may use; 0 where that is not known.</summary>
        public int Cores { get; init; }

        /// <summary>The number of the node's list of revoked certificates; 0 where there is none.</summary>
        public long Revocations { get; init; }

        /// <summary>The time at which the node's certificate expires, in seconds of Unix time; 0 for a node without certificates.</summary>
        public long CertificateExpires { get; init; }

        /// <summary>The node's labels, as <c>node.labels</c> says.</summary>
        public string[] Labels { get; init; } = [];

        /// <summary>How many of the devices each job computes on.</summary>
        public DeviceUse[] Uses { get; init; } = [];

        /// <summary>How its devices share a replica.</summary>
        public ReplicaSharing? Sharing { get; init; }

        /// <summary>All of <see cref="Works"/>, one by one.</summary>
        public IEnumerable<HeldWork> Pieces() => Works.SelectMany(w => w.Pieces());
    }

    /// <summary>Devices of a node on which a job computes.</summary>
    public sealed record DeviceUse(JobId Job, int Devices) : IWireMessage;

    /// <summary>The work waits for devices, on which another run computes, or is to compute at once.</summary>
    /// <param name="Behind">The run that the work waits for.</param>
    /// <param name="Priority">Priority of the run <paramref name="Behind"/>.</param>
    public sealed record Queued(NodeId Node, RunId RunId, WorkKey Work, RunId Behind, int Priority) : NodeReport(Node);

    /// <summary>A device died or hangs, and with it the step that it was in.</summary>
    /// <param name="Why">In which part of the step, and what happened.</param>
    /// <param name="RepeatsStep">The others repeat the step; otherwise the work begins anew, or ends with the node's last device.</param>
    public sealed record DeviceLost(
        NodeId Node, RunId RunId, WorkKey Work, DeviceId Device, string Why, bool RepeatsStep) : NodeReport(Node);

    /// <summary>The node's list of revoked certificates, signed by the authority, is newer than the supervising seed's.</summary>
    public sealed record Revoked(NodeId Node, string List) : NodeReport(Node);

    /// <summary>A replica took an inner step.</summary>
    /// <param name="Step">Steps of this round taken so far.</param>
    public sealed record StepTaken(
        NodeId Node, RunId RunId, int Round, int Replica, int Step, double LossNats, double LearningRate) : NodeReport(Node)
    {
        /// <summary>Null where the loss is not scaled.</summary>
        public LossScaling? Scaling { get; init; }

        /// <summary>Why the model is split over fewer devices than <c>node.split</c> asks for; null where it is not.</summary>
        public string? SplitNotice { get; init; }
    }

    /// <summary>What became of a replica's steps in a precision that scales the loss.</summary>
    /// <param name="Scale">What the loss is multiplied by from the next step on.</param>
    /// <param name="Skipped">Steps that overflowed and were skipped, of those that this node has taken in the round.</param>
    /// <param name="SkippedInAll">Skipped steps among all steps of the replica, on whichever node.</param>
    public sealed record LossScaling(double Scale, int Skipped, long SkippedInAll) : IWireMessage;

    /// <summary>What the work needs is being fetched, and bytes have come.</summary>
    /// <param name="Bytes">Bytes that this process has received since the fetch began.</param>
    /// <param name="OfBytes">Bytes of the vectors that were not whole here when the fetch began; 0 where that is not known.</param>
    public sealed record Fetching(NodeId Node, RunId RunId, WorkKey Work, long Bytes, long OfBytes) : NodeReport(Node);

    /// <summary>Which of the vector sets that a <see cref="NodeCommand.Survey"/> asked for are intact on this node.</summary>
    /// <param name="Number">The survey's.</param>
    public sealed record Surveyed(NodeId Node, RunId RunId, OrderId Number, Digest[] Asked, Digest[] Intact, Part Part) : NodeReport(Node);

    /// <summary>The run cannot be opened on this node: its corpus cannot be fetched, or its settings cannot be read.</summary>
    /// <param name="Why">Null where no OpenRun has reached the node.</param>
    public sealed record RunUnopened(NodeId Node, RunId RunId, string? Why) : NodeReport(Node);

    /// <summary>All work of the run on the node's devices is handed over or finished.</summary>
    public sealed record RunIdle(NodeId Node, RunId RunId) : NodeReport(Node);

    /// <summary>The node has these devices from now on, as a person has asked.</summary>
    /// <param name="Request">The request that it answers.</param>
    /// <param name="Notice">What the person should know about it; null for nothing.</param>
    public sealed record DevicesUsed(NodeId Node, string Request, DeviceId[] Devices, string? Notice) : NodeReport(Node);

    /// <summary>The node drains from now on, or takes work again, as a person has asked.</summary>
    /// <param name="Request">The request that it answers.</param>
    public sealed record DrainChanged(NodeId Node, string Request, bool IsDraining) : NodeReport(Node);

    /// <summary>What the node's threads and its work do, as a person has asked.</summary>
    /// <inheritdoc cref="NodeReply.Threads"/>
    /// <param name="Request">The request that it answers.</param>
    public sealed record ThreadsShown(NodeId Node, string Request, int Process, string[] Lines, ThreadView[] Views) : NodeReport(Node);

    /// <summary>The files that the node has below a path, as a build has asked.</summary>
    /// <inheritdoc cref="NodeReply.Files"/>
    /// <param name="Request">The request that it answers.</param>
    /// <param name="Why">Why it gives none; null where it does, or is on it.</param>
    public sealed record FilesListed(NodeId Node, string Request, Digest? Listing, string Endpoint, string? Why) : NodeReport(Node);

    /// <summary>The node has nothing of a corpus any more, as a person has asked.</summary>
    /// <param name="Request">The request that it answers.</param>
    /// <param name="Bytes">What it had of it; 0 for nothing.</param>
    /// <param name="Why">Why it still has some of it; null where it has none.</param>
    public sealed record CorpusDeleted(NodeId Node, string Request, long Bytes, string? Why) : NodeReport(Node);

    /// <summary>The node cannot have the devices that a person has asked for, and why.</summary>
    public sealed record DevicesRefused(NodeId Node, string Request, string Why) : NodeReport(Node);
}
