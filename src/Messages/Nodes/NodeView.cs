namespace Elastic.Messages.Nodes;

/// <summary>What a person sees of a node at one moment.</summary>
/// <param name="Seed">True where it may supervise runs.</param>
/// <param name="Devices">E.g. "cpu:0", "cuda:3".</param>
/// <param name="Endpoint">Address of its data plane.</param>
/// <param name="Version">Of Elastic.</param>
/// <param name="State">"up", "suspected", "leaving" or "quarantined".</param>
/// <param name="Work">What it has in hand, in words, e.g. "tiny round 5 replica 0".</param>
/// <param name="Arithmetic">What the bits of its results depend on: kind of device, instruction set, threads.</param>
public sealed record NodeView(
    NodeId Node, bool Seed, string[] Devices, string Endpoint, string Version, string State, string[] Work, string Arithmetic) : IWireMessage;
