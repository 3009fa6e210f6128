using System.Text.Json.Nodes;
using Elastic.Foundation.Certificates;
using Elastic.Host.Http;
using Elastic.Host.Pbm;
using Elastic.Transfer;
using Microsoft.AspNetCore.Http;

namespace Elastic.Host.Web;

/// <summary>Who has made a request.</summary>
/// <param name="Who">For logs and journals.</param>
/// <param name="Peer">Identity in the asker's certificate; null for who has the token.</param>
/// <param name="AntiForgery">What a request that changes something has to carry; null where no browser adds by itself what lets it in.
/// </param>
internal sealed record Asker(string Who, Identity? Peer, string? AntiForgery)
{
    /// <summary>False for who may only look.</summary>
    public bool MayChange => Peer is not { Role: Role.Reader };
}

/// <summary>
/// Lets a request in that shows a certificate of the cluster, or where there are none the seed's token or a session that was begun with it.
/// </summary>
internal sealed class Access(PbmService service, WebNames names, TimeProvider time)
{
    /// <summary>The header that requests carry which change something.</summary>
    public const string AntiForgeryHeader = "X-Anti-Forgery";

    private readonly Sessions _sessions = new(service.Token, time);

    /// <summary>Who asks.</summary>
    /// <exception cref="WebProblem">Nobody who may: says what to show.</exception>
    public Asker Of(HttpContext context)
    {
        if (names.ProblemOfOrigin(context) is { } foreign)
            throw Refused(context, WebProblem.Forbidden(foreign));
        var asker = Find(context) ?? throw Refused(context, WebProblem.Unknown(service.Token is { } token
            ? "nobody has signed in: show the seed's token, Authorization: Bearer TOKEN, or exchange it for a session with "
                + $"POST /api/v1/session; it is in {token.Path} on the seed's machine"
            : "no certificate of this cluster was shown"));
        var changes = !HttpMethods.IsGet(context.Request.Method) && !HttpMethods.IsHead(context.Request.Method);
        if (changes && asker.AntiForgery is { } wanted && !Sessions.Same(context.Request.Headers[AntiForgeryHeader].ToString(), wanted))
            throw Refused(context, WebProblem.Forbidden(
                $"the request carries no anti-forgery token of this session: send the header {AntiForgeryHeader} with what "
                + "GET /api/v1/session says"));
        return asker;
    }

    /// <summary>Exchanges the token for a session.</summary>
    /// <param name="shown">The token.</param>
    /// <exception cref="WebProblem">It is another one.</exception>
    public JsonObject Begin(HttpContext context, string? shown)
    {
        if (names.ProblemOfOrigin(context) is { } foreign)
            throw Refused(context, WebProblem.Forbidden(foreign));
        if (PeerOf(context) is not null)
            return Describe(Find(context)!);                           // there is nothing to exchange
        if (service.Token?.Matches(shown) != true)
            throw Refused(context, WebProblem.Unknown(
                $"that is not this seed's token: it is in {service.Token?.Path} on the seed's machine, and each seed has its own"));
        var session = _sessions.Begin();
        context.Response.Cookies.Append(_sessions.CookieName, session, Options(context, Sessions.Lifetime));
        return Describe(OfSession(session));
    }

    /// <summary>Has the browser forget its session.</summary>
    public void End(HttpContext context) =>
        context.Response.Cookies.Append(_sessions.CookieName, "", Options(context, TimeSpan.Zero));

    /// <summary>What a page is told of who has signed in.</summary>
    public static JsonObject Describe(Asker asker) =>
        new() { ["who"] = asker.Who, ["mayChange"] = asker.MayChange, ["antiForgery"] = asker.AntiForgery };

    /// <summary>The client's address, for logs.</summary>
    public static string AddressOf(HttpContext context) => $"{context.Connection.RemoteIpAddress}:{context.Connection.RemotePort}";

    private Asker? Find(HttpContext context)
    {
        if (PeerOf(context) is { } peer)
            return new Asker($"http {peer}", peer, _sessions.AntiForgery($"{peer}"));
        if (context.Request.Headers.Authorization.Count > 0)
            return BearerToken.Of(context.Request) is { } shown && service.Token?.Matches(shown) == true
                ? new Asker("http token", null, null) : null;
        return context.Request.Cookies[_sessions.CookieName] is { } session && service.Token is not null && _sessions.IsValid(session)
            ? OfSession(session) : null;
    }

    private Asker OfSession(string session) => new("http session", null, _sessions.AntiForgery(session));

    private WebProblem Refused(HttpContext context, WebProblem problem)
    {
        // Whoever opens the page asks without a session first.
        if (problem.Status != StatusCodes.Status401Unauthorized || context.Request.Headers.Authorization.Count > 0
            || HttpMethods.IsPost(context.Request.Method))
            service.Commands.Refuse(AddressOf(context), problem.Message);
        return problem;
    }

    private CookieOptions Options(HttpContext context, TimeSpan lifetime) => new()
    {
        HttpOnly = true,
        SameSite = SameSiteMode.Strict,
        Secure = names.IsEncrypted(context),
        Path = names.CookiePath(context),
        MaxAge = lifetime,
    };

    private static Identity? PeerOf(HttpContext context) => context.Features.Get<ConnectionPeer>()?.Identity;
}
