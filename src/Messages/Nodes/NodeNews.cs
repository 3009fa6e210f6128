namespace Elastic.Messages.Nodes;

/// <summary>What the supervising seed tells a node, whatever it computes.</summary>
public abstract record NodeNews : IWireMessage
{
    /// <summary>The answer to each heartbeat.</summary>
    /// <param name="Lifeline">Endpoint to keep a lifeline to: the supervising seed's.</param>
    public sealed record Welcome(string Lifeline) : NodeNews;

    /// <summary>Not yet, and why; the node says again that it is there.</summary>
    public sealed record Wait(string Why) : NodeNews;

    /// <summary>The node cannot be part of this cluster, and why.</summary>
    public sealed record Refused(string Why) : NodeNews;
}
