using System.Net;
using System.Net.Sockets;
using Elastic.Foundation;

namespace Elastic.Actors.Hosting;

/// <summary>
/// The names under which a seed may know itself. Akka drops, without an answer, a message to any other name than the seed's own
/// <c>--host</c>: a person who writes localhost for 127.0.0.1 would wait for ever.
/// </summary>
internal static class SeedNames
{
    // A name server that does not answer must not keep a process from asking under the name that it was given.
    private static readonly TimeSpan Deadline = TimeSpan.FromSeconds(2);

    /// <summary>The endpoint as given, then under the addresses of its name, or under the name of its address.</summary>
    public static async Task<IReadOnlyList<Endpoint>> OfAsync(Endpoint seed, CancellationToken cancel)
    {
        using var limit = CancellationTokenSource.CreateLinkedTokenSource(cancel);
        limit.CancelAfter(Deadline);
        try
        {
            IEnumerable<string> others = IPAddress.TryParse(seed.Host, out var address)
                ? [(await Dns.GetHostEntryAsync(address.ToString(), limit.Token)).HostName]
                : (await Dns.GetHostAddressesAsync(seed.Host, limit.Token)).Select(a => a.ToString());
            return
            [
                seed,
                .. Endpoint.Among(others.Select(host => $"{Endpoint.Bracketed(host)}:{seed.Port}")).Where(e => e != seed).Distinct(),
            ];
        }
        catch (Exception e) when (e is SocketException or ArgumentException
            || (e is OperationCanceledException && !cancel.IsCancellationRequested))
        {
            return [seed];
        }
    }
}
