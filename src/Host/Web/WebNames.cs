using Elastic.Foundation;
using Elastic.Transfer;
using Microsoft.AspNetCore.Http;
using Endpoint = Elastic.Foundation.Endpoint;

namespace Elastic.Host.Web;

/// <summary>The addresses under which people reach the pages, and so which requests come from these.</summary>
internal sealed class WebNames
{
    private readonly LocalNames _local;
    private readonly bool _isEncrypted;
    private readonly Func<string, bool> _isNamed;

    /// <param name="host">As given: the host under which the server listens.</param>
    /// <param name="transport">The server's: whether it speaks TLS itself, and for which names.</param>
    /// <param name="publicUrl">Where people reach it through a proxy or under another name; null for none.</param>
    public WebNames(string host, Transport transport, string? publicUrl)
    {
        (_local, _isEncrypted, _isNamed) = (new LocalNames(host), transport.IsEncrypted, transport.IsNamed);
        Public = publicUrl is null ? null : new Uri(publicUrl.TrimEnd('/') + "/");
        PathBase = Public is { AbsolutePath: { Length: > 1 } path } ? path.TrimEnd('/') : "";
    }

    /// <summary>Ends with a slash; null where none is set.</summary>
    public Uri? Public { get; }

    /// <summary>What stands before all paths at the proxy, e.g. "/lm"; else empty.</summary>
    public string PathBase { get; }

    /// <summary>The address of the pages without a proxy.</summary>
    public string AddressOf(Endpoint endpoint) => $"{(_isEncrypted ? "https" : "http")}://{endpoint}";

    /// <summary>Why a request is not for this server; null for one that is.</summary>
    public string? ProblemOfHost(HttpContext context) =>
        !IsPublic(context.Request.Host) && _local.ProblemOfHost(context) is { } problem
        && !_isNamed(context.Request.Host.Host.Trim('[', ']'))
            ? $"{problem}, or set node.public-url to where people reach it by another name" : null;

    /// <summary>Why a request is refused that a page of another site has made; null for one of a page of this server, or of a program.
    /// </summary>
    public string? ProblemOfOrigin(HttpContext context)
    {
        // Also of the same site: another port of this machine is another server.
        if (context.Request.Headers["Sec-Fetch-Site"].ToString() is { Length: > 0 } site and not ("same-origin" or "none"))
            return $"a page of another origin has asked ({OneLine.Of(site, 40)}): open {SchemeOf(context)}://{context.Request.Host} itself";
        return context.Request.Headers.Origin.ToString() is { Length: > 0 } origin
            && !origin.Equals($"{SchemeOf(context)}://{context.Request.Host}", StringComparison.OrdinalIgnoreCase)
            ? $"a page of {OneLine.Of(origin, 100)} has asked: only pages of {SchemeOf(context)}://{context.Request.Host} may" : null;
    }

    /// <summary>True where the browser speaks TLS, to the server or to its proxy.</summary>
    public bool IsEncrypted(HttpContext context) => SchemeOf(context) == Uri.UriSchemeHttps;

    /// <summary>
    /// The path that a browser sends a session for: what stands before all paths at the public address, and nothing at any other one of
    /// this server.
    /// </summary>
    public string CookiePath(HttpContext context) => PathBase.Length > 0 && IsPublic(context.Request.Host) ? PathBase : "/";

    private string SchemeOf(HttpContext context) => IsPublic(context.Request.Host) ? Public!.Scheme : _isEncrypted ? "https" : "http";

    private bool IsPublic(HostString host) => Public is { } address && host.Host.Equals(address.Host, StringComparison.OrdinalIgnoreCase)
        && (host.Port ?? (address.Scheme == Uri.UriSchemeHttps ? 443 : 80)) == address.Port;
}
