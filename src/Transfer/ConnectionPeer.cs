using Elastic.Foundation.Certificates;

namespace Elastic.Transfer;

/// <summary>Who has shown a certificate on the connection of a request: a feature of requests where the transport looks at any.</summary>
public sealed record ConnectionPeer(Identity Identity);
