using System.Net;
using Elastic.Foundation;
using Elastic.Foundation.Certificates;
using Elastic.Host.Http;
using Elastic.Transfer;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using OpenTelemetry.Metrics;
using Endpoint = Elastic.Foundation.Endpoint;

namespace Elastic.Host.Ops;

/// <summary>
/// The ops port, for probes and scrapers that have no certificate: <c>GET /healthz/live</c>, <c>GET /healthz/ready</c> and
/// <c>GET /metrics</c>. Plain HTTP, and nothing that changes anything.
/// </summary>
internal sealed class OpsServer : IAsyncDisposable
{
    private static readonly TimeSpan Goodbye = TimeSpan.FromMilliseconds(500);

    private readonly Func<string?> _unready;
    private readonly SecretToken _token;
    private readonly LocalNames _names;
    private HttpHost _host = null!;

    private OpsServer(string host, Func<string?> unready, SecretToken token) =>
        (_unready, _token, _names) = (unready, token, new LocalNames(host));

    /// <summary>Where it listens.</summary>
    public Endpoint Endpoint => _host.Endpoint;

    /// <param name="port">0 for any free one.</param>
    /// <param name="unready">Why the process is of no use now; null where it is.</param>
    /// <param name="token">What requests for metrics show that come over another address than the loopback.</param>
    /// <exception cref="ElasticException">The address cannot be bound.</exception>
    public static async Task<OpsServer> StartAsync(
        string host, int port, Func<string?> unready, SecretToken token, MeterProvider metrics, CancellationToken cancel)
    {
        var server = new OpsServer(host, unready, token);
        server._host = await HttpHost.StartAsync(
            "the ops port", host, port, "--ops-port", Transport.Plain, Goodbye, Limit, app => server.Map(app, metrics), cancel);
        return server;
    }

    public ValueTask DisposeAsync() => _host.DisposeAsync();

    private static void Limit(KestrelServerLimits limits)
    {
        limits.MaxRequestBodySize = 0;
        limits.MaxConcurrentConnections = 256;
    }

    private void Map(WebApplication app, MeterProvider metrics)
    {
        app.Use((context, next) => Problem(context) is { } problem ? AnswerAsync(context, problem.Status, problem.Why) : next(context));
        app.UseOpenTelemetryPrometheusScrapingEndpoint(metrics, null, "/metrics", null, null);
        app.MapGet("/healthz/live", context => context.Response.WriteAsync("ok\n"));
        app.MapGet("/healthz/ready", context => _unready() is { } why
            ? AnswerAsync(context, StatusCodes.Status503ServiceUnavailable, why)
            : context.Response.WriteAsync("ok\n"));
    }

    // Anybody may learn that the process lives. What it does is for those of this machine, if they are no web page, and for those who have
    // the token.
    internal (int Status, string Why)? Problem(HttpContext context)
    {
        // As the exporter compares its path.
        if (!context.Request.Path.StartsWithSegments("/metrics", StringComparison.OrdinalIgnoreCase))
            return null;
        if (context.Connection.LocalIpAddress is { } local && IPAddress.IsLoopback(local))
            return _names.ProblemOf(context) is { } problem ? (StatusCodes.Status403Forbidden, problem) : null;
        if (BearerToken.Of(context.Request) is { } shown && _token.Matches(shown))
            return null;
        context.Response.Headers.WWWAuthenticate = "Bearer";
        return (StatusCodes.Status401Unauthorized,
            $"metrics want a token from other machines: Authorization: Bearer TOKEN, with what {Path.GetFileName(_token.Path)} on this "
            + "node's machine holds (node.ops-token-file names another file)");
    }

    private static Task AnswerAsync(HttpContext context, int status, string why)
    {
        context.Response.StatusCode = status;
        return context.Response.WriteAsync(why + "\n");
    }
}
