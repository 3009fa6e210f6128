using Elastic.Messages.Runs;

namespace Elastic.Messages.Nodes;

/// <summary>What people ask of a node, through the supervising seed. Asking twice is safe.</summary>
public abstract record NodeRequest(Origin Origin) : ISaidBySeed
{
    /// <summary>Have these devices from now on.</summary>
    /// <param name="Node">The node's address, or its id.</param>
    /// <param name="Devices">As <c>node.devices</c>.</param>
    public sealed record UseDevices(string Node, string Devices, Origin Origin) : NodeRequest(Origin);
}

/// <summary>The one answer to each request.</summary>
public abstract record NodeReply : ISaidBySeed
{
    /// <summary>The node has these devices.</summary>
    /// <param name="Address">The node's.</param>
    /// <param name="Notice">What the person who asked should know about it; null for nothing.</param>
    public sealed record HasDevices(string Address, DeviceId[] Devices, string? Notice) : NodeReply;

    /// <summary>Not done, and why.</summary>
    public sealed record Refused(string Why) : NodeReply;
}
