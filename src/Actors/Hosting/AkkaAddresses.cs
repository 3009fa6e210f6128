using Akka.Actor;
using Elastic.Foundation;

namespace Elastic.Actors.Hosting;

/// <summary>Converts Akka's addresses and Elastic's endpoints. Akka keeps an IPv6 host in brackets, an endpoint does not.</summary>
internal static class AkkaAddresses
{
    public static Endpoint ToEndpoint(this Address address) => new(address.Host!, address.Port!.Value);

    /// <summary>The host as an endpoint keeps it; null where it is none: an address on the wire is whatever its sender wrote.</summary>
    public static string? HostOrNull(this Address address) =>
        address.Host is { } host && Endpoint.ProblemOfHost(host) is null ? Endpoint.HostOf(host) : null;

    /// <summary>A member of the cluster.</summary>
    public static Address ToAddress(this Endpoint endpoint) =>
        new("akka.tcp", "elastic", Endpoint.Bracketed(endpoint.Host), endpoint.Port);
}
