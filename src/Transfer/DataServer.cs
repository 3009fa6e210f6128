using System.Net;
using System.Net.Sockets;
using Elastic.Foundation;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Hosting.Server.Features;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Endpoint = Elastic.Foundation.Endpoint;

namespace Elastic.Transfer;

/// <summary>
/// The data plane's server: <c>GET</c> and <c>HEAD /blobs/{sha256}</c> with <c>Range</c>, <c>POST /liveness</c>, <c>GET /health</c>, and
/// <c>POST /leave</c> from the machine itself.
/// </summary>
public sealed class DataServer : IAsyncDisposable
{
    // Receivers resume transfers that still run with another node, so the server waits only briefly for them.
    private static readonly TimeSpan Goodbye = TimeSpan.FromMilliseconds(500);

    private const string LeaveHeader = "Elastic-Leave";

    private readonly WebApplication _app;

    private DataServer(WebApplication app, Endpoint endpoint, Task leaveAsked) =>
        (_app, Endpoint, LeaveAsked) = (app, endpoint, leaveAsked);

    /// <summary>Ends when a program on this machine, e.g. one that learns of a preemption, asks the node to leave.</summary>
    public Task LeaveAsked { get; }

    /// <summary>The endpoint as bound, with the host as given.</summary>
    public Endpoint Endpoint { get; }

    /// <param name="host">An address of this machine, or a name of one.</param>
    /// <param name="port">0 = any free one.</param>
    /// <exception cref="ElasticException">The address cannot be bound; says what to change.</exception>
    public static async Task<DataServer> StartAsync(
        string host, int port, BlobLocations locations, LivenessConnections connections, Transport transport, CancellationToken cancel)
    {
        var address = await AddressAsync(host, cancel);
        var builder = WebApplication.CreateEmptyBuilder(new WebApplicationOptions());
        builder.Services.AddRoutingCore().AddSingleton<IHostLifetime, NoSignals>();
        builder.WebHost.UseKestrelCore().ConfigureKestrel(kestrel =>
        {
            kestrel.Listen(address, port, listener =>
            {
                listener.Protocols = HttpProtocols.Http1;
                listener.UseTransport(transport);
            });
            kestrel.AddServerHeader = false;
            kestrel.AllowSynchronousIO = false;
            // A slow connection is no attack here, and a liveness connection carries four bytes a second. Both have deadlines of their own.
            kestrel.Limits.MinRequestBodyDataRate = null;
            kestrel.Limits.MinResponseDataRate = null;
            kestrel.Limits.MaxRequestBodySize = 64 << 10;
            kestrel.Limits.MaxConcurrentConnections = 4096;
            // Room to read the next piece of a file while the one before it is sent.
            kestrel.Limits.MaxResponseBufferSize = 4 * BlobResponse.PieceBytes;
        });

        var app = builder.Build();
        var local = new LocalNames(host);
        app.Use((context, next) => local.ProblemOf(context) is { } problem ? RefuseAsync(context, problem) : next(context));
        app.MapMethods("/blobs/{sha256}", [HttpMethods.Get, HttpMethods.Head], context => BlobResponse.SendAsync(context, locations));
        app.MapPost("/liveness", context => connections.ServeAsync(context, app.Lifetime.ApplicationStopping));
        var leave = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
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
        try
        {
            await app.StartAsync(cancel);
        }
        catch (Exception e) when (e is IOException or SocketException)
        {
            await app.DisposeAsync();
            throw new ElasticException($"the data plane cannot listen on {Endpoint.Bracketed(host)}:{port} ({e.Message}): " +
                "give another port with --http-port (0 takes any free one), or another address of this machine with --host", e);
        }
        catch
        {
            await app.DisposeAsync();
            throw;
        }

        var bound = app.Services.GetRequiredService<IServer>().Features.GetRequiredFeature<IServerAddressesFeature>().Addresses.Single();
        return new DataServer(app, new Endpoint(host, new Uri(bound).Port), leave.Task);
    }

    private static Task RefuseAsync(HttpContext context, string why)
    {
        context.Response.StatusCode = StatusCodes.Status403Forbidden;
        context.Response.Headers.Connection = "close";                 // its body is not waited for
        return context.Response.WriteAsync(why + "\n");
    }

    public async ValueTask DisposeAsync()
    {
        using var deadline = new CancellationTokenSource(Goodbye);
        try
        {
            await _app.StopAsync(deadline.Token);
        }
        catch (OperationCanceledException)
        {
            // The server has closed the connections that were still busy.
        }

        await _app.DisposeAsync();
    }

    private static async Task<IPAddress> AddressAsync(string host, CancellationToken cancel)
    {
        if (IPAddress.TryParse(host, out var address))
            return address;
        try
        {
            var addresses = await Dns.GetHostAddressesAsync(host, cancel);
            // The other nodes resolve the same name, and IPv4 is what most networks agree on.
            return addresses.OrderBy(a => a.AddressFamily == AddressFamily.InterNetwork ? 0 : 1).First();
        }
        catch (Exception e) when (e is SocketException or InvalidOperationException)
        {
            throw new ElasticException($"the host \"{host}\" has no address ({e.Message}): give one of this machine with --host", e);
        }
    }

    /// <summary>
    /// The generic host's own lifetime would catch SIGTERM and stop this server at once, while the node still needs it to hand
    /// its work over.
    /// </summary>
    private sealed class NoSignals : IHostLifetime
    {
        public Task WaitForStartAsync(CancellationToken cancellationToken) => Task.CompletedTask;

        public Task StopAsync(CancellationToken cancellationToken) => Task.CompletedTask;
    }
}
