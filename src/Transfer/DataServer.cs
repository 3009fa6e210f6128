using System.Net;
using Elastic.Foundation;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Endpoint = Elastic.Foundation.Endpoint;

namespace Elastic.Transfer;

/// <summary>
/// The data plane's server: <c>GET</c> and <c>HEAD /blobs/{sha256}</c> with <c>Range</c>, <c>POST /liveness</c>, <c>GET /stages</c>,
/// <c>GET /health</c>, and <c>POST /leave</c> from the machine itself.
/// </summary>
public sealed class DataServer : IAsyncDisposable
{
    // Receivers resume transfers that still run with another node, so the server waits only briefly for them.
    private static readonly TimeSpan Goodbye = TimeSpan.FromMilliseconds(500);

    private const string LeaveHeader = "Elastic-Leave";

    private readonly HttpHost _host;

    private DataServer(HttpHost host, Task leaveAsked) => (_host, LeaveAsked) = (host, leaveAsked);

    /// <summary>Ends when a program on this machine, e.g. one that learns of a preemption, asks the node to leave.</summary>
    public Task LeaveAsked { get; }

    /// <summary>The endpoint as bound, with the host as given.</summary>
    public Endpoint Endpoint => _host.Endpoint;

    /// <param name="host">An address of this machine, or a name of one.</param>
    /// <param name="port">0 = any free one.</param>
    /// <param name="stages">Accepts connections of stages; null where the process computes no stage.</param>
    /// <exception cref="ElasticException">The address cannot be bound; says what to change.</exception>
    public static async Task<DataServer> StartAsync(
        string host, int port, BlobLocations locations, LivenessConnections connections, Transport transport, CancellationToken cancel,
        StageConnections? stages = null)
    {
        var leave = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        var server = await HttpHost.StartAsync(
            "the data plane", host, port, "--http-port", transport, Goodbye, Limit,
            app => Map(app, host, locations, connections, stages, leave), cancel);
        return new DataServer(server, leave.Task);
    }

    /// <inheritdoc/>
    public ValueTask DisposeAsync() => _host.DisposeAsync();

    private static void Limit(KestrelServerLimits limits)
    {
        // A slow connection is no attack here, and a liveness connection carries four bytes a second. Both have deadlines of their own.
        limits.MinRequestBodyDataRate = null;
        limits.MinResponseDataRate = null;
        limits.MaxRequestBodySize = 64 << 10;
        limits.MaxConcurrentConnections = 4096;
        // Room to read the next piece of a file while the one before it is sent.
        limits.MaxResponseBufferSize = 4 * BlobResponse.PieceBytes;
    }

    private static void Map(
        WebApplication app, string host, BlobLocations locations, LivenessConnections connections, StageConnections? stages,
        TaskCompletionSource leave)
    {
        var local = new LocalNames(host);
        app.Use((context, next) => local.ProblemOf(context) is { } problem ? RefuseAsync(context, problem) : next(context));
        app.MapMethods("/blobs/{sha256}", [HttpMethods.Get, HttpMethods.Head], context => BlobResponse.SendAsync(context, locations));
        app.MapPost("/liveness", context => connections.ServeAsync(context, app.Lifetime.ApplicationStopping));
        if (stages is not null)
            app.MapGet("/stages", context => stages.ServeAsync(context, app.Lifetime.ApplicationStopping));
        app.MapPost("/leave", context =>
        {
            if (context.Connection.RemoteIpAddress is not { } from
                || !(IPAddress.IsLoopback(from) || from.Equals(context.Connection.LocalIpAddress))
                || !context.Request.Headers.ContainsKey(LeaveHeader))
            {
                return RefuseAsync(context, $"only this machine may ask this node to leave, with the header {LeaveHeader}: yes");
            }

            leave.TrySetResult();
            return context.Response.WriteAsync("leaving\n");
        });
        app.MapGet("/health", context => context.Response.WriteAsync("ok\n"));
    }

    private static Task RefuseAsync(HttpContext context, string why)
    {
        context.Response.StatusCode = StatusCodes.Status403Forbidden;
        context.Response.Headers.Connection = "close";                 // its body is not waited for
        return context.Response.WriteAsync(why + "\n");
    }
}
