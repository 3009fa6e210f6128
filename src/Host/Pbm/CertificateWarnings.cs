using Elastic.Foundation.Certificates;
using Elastic.Messages.Nodes;

namespace Elastic.Host.Pbm;

/// <summary>Nodes whose certificates expire soon, as each node says of itself.</summary>
internal static class CertificateWarnings
{
    /// <summary>A sentence for each, the most urgent one first.</summary>
    public static IEnumerable<string> Of(IEnumerable<NodeView> nodes, DateTimeOffset now) => nodes
        .Select(n => (Node: n, Expires: ExpiryOf(n))).Where(n => n.Expires is not null).OrderBy(n => n.Expires)
        .Select(n => Expiry.WarningOf($"{n.Node.Address} ({n.Node.Node})", n.Expires!.Value, now, own: null)).OfType<string>();

    /// <summary>The time at which the node's certificate expires; null where it has none.</summary>
    public static DateTimeOffset? ExpiryOf(NodeView node) => node.CertificateExpires is > 0 and var seconds
        // The node has sent the number.
        ? DateTimeOffset.FromUnixTimeSeconds(Math.Min(seconds, DateTimeOffset.MaxValue.ToUnixTimeSeconds()))
        : null;
}
