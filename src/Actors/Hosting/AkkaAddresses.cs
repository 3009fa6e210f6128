using Akka.Actor;
using Elastic.Foundation;

namespace Elastic.Actors.Hosting;

/// <summary>Converts Akka's addresses and Elastic's endpoints. Akka keeps an IPv6 host in brackets, an endpoint does not.</summary>
internal static class AkkaAddresses
{
    public static Endpoint ToEndpoint(this Address address) => new(address.Host!, address.Port!.Value);

    /// <summary>A member of the cluster.</summary>
    public static Address ToAddress(this Endpoint endpoint) =>
        new("akka.tcp", "elastic", Endpoint.Bracketed(endpoint.Host), endpoint.Port);
}
