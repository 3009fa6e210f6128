namespace Elastic.Messages.Nodes;

/// <summary>What a person sees of a node at one moment.</summary>
public sealed record NodeView : IWireMessage
{
    public required NodeId Node { get; init; }

    /// <summary>Endpoint of the node's control plane, by which people know the node.</summary>
    public required string Address { get; init; }

    /// <summary>True where the node may supervise runs.</summary>
    public required bool Seed { get; init; }

    /// <summary>E.g. "cpu:0", "cuda:3".</summary>
    public required string[] Devices { get; init; }

    /// <summary>Endpoint of the node's data plane.</summary>
    public required string Endpoint { get; init; }

    /// <summary>Elastic's version.</summary>
    public required string Version { get; init; }

    /// <summary>"up", "suspected", "leaving", "draining", "drained" or "quarantined".</summary>
    public required string State { get; init; }

    /// <summary>The node's work, in words, e.g. "tiny-3k9v2mq7 compute 5 replica 0".</summary>
    public required string[] Work { get; init; }

    /// <summary>What the bits of the node's results depend on: kind of device, instruction set, threads.</summary>
    public required string Arithmetic { get; init; }

    /// <summary>What the process may still take of the machine's memory; 0 where that is not known.</summary>
    public long FreeMemoryBytes { get; init; }

    /// <summary>The node's labels, as <c>node.labels</c> says.</summary>
    public string[] Labels { get; init; } = [];

    /// <summary>How many of the devices each job computes on.</summary>
    public NodeReport.DeviceUse[] Uses { get; init; } = [];

    /// <summary>How its devices share a replica.</summary>
    public ReplicaSharing Sharing { get; init; } = ReplicaSharing.Usual;

    /// <summary>The time at which the node's certificate expires, in seconds of Unix time; 0 for a node without certificates.</summary>
    public long CertificateExpires { get; init; }
}
