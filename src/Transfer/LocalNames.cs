using System.Net;
using Elastic.Foundation;
using Microsoft.AspNetCore.Http;
using Endpoint = Elastic.Foundation.Endpoint;

namespace Elastic.Transfer;

/// <summary>
/// Tells nodes and programs of this machine from a web page in somebody's browser. A page reaches the loopback and private networks, and by
/// a name of its own that stands for an address of them (DNS rebinding) it may even read the answers; but its requests carry that name as
/// their Host, or the page's address as their Origin.
/// </summary>
/// <param name="host">The host under which other nodes know the server.</param>
public sealed class LocalNames(string host)
{
    /// <summary>Why a request is refused; null for one that is served.</summary>
    public string? ProblemOf(HttpContext context) =>
        context.Request.Headers.Origin.Count > 0 || context.Request.Headers.ContainsKey("Sec-Fetch-Site")
            ? "this is no site: web pages are not served" : ProblemOfHost(context);

    /// <summary>Why a request is refused that is for another server by its Host; null for one of this server's pages, or of a program.
    /// </summary>
    public string? ProblemOfHost(HttpContext context)
    {
        var asked = context.Request.Host.Host.Trim('[', ']');
        return asked.Equals(host, StringComparison.OrdinalIgnoreCase) || IsAddressOf(asked, context.Connection.LocalIpAddress)
            ? null
            : $"the host \"{OneLine.Of(asked, 100)}\" is not this node's: use {Endpoint.Bracketed(host)}";
    }

    // Its number, or the one name of the loopback that no name server can give away.
    private static bool IsAddressOf(string asked, IPAddress? local) => local is not null
        && (IPAddress.TryParse(asked, out var address)
            ? address.Equals(local) || address.Equals(local.IsIPv4MappedToIPv6 ? local.MapToIPv4() : local)
            : IPAddress.IsLoopback(local) && asked.Equals("localhost", StringComparison.OrdinalIgnoreCase));
}
