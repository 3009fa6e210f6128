namespace Elastic.Messages.Nodes;

/// <summary>What a person sees of a node at one moment.</summary>
public sealed record NodeView : IWireMessage
{
    public required NodeId Node { get; init; }

    /// <summary>Of its control plane: what people call it.</summary>
    public required string Address { get; init; }

    /// <summary>True where it may supervise runs.</summary>
    public required bool Seed { get; init; }

    /// <summary>E.g. "cpu:0", "cuda:3".</summary>
    public required string[] Devices { get; init; }

    /// <summary>Of its data plane.</summary>
    public required string Endpoint { get; init; }

    /// <summary>Of Elastic.</summary>
    public required string Version { get; init; }

    /// <summary>"up", "suspected", "leaving" or "quarantined".</summary>
    public required string State { get; init; }

    /// <summary>The work that it has, in words, e.g. "tiny-3k9v2mq7 compute 5 replica 0".</summary>
    public required string[] Work { get; init; }

    /// <summary>What the bits of its results depend on: kind of device, instruction set, threads.</summary>
    public required string Arithmetic { get; init; }
}
