using System.Net;
using System.Net.Sockets;
using Elastic.Foundation;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Hosting.Server.Features;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Endpoint = Elastic.Foundation.Endpoint;

namespace Elastic.Transfer;

/// <summary>A Kestrel server of this process on one address: HTTP/1.1 through the process's transport, no signals, no logging.</summary>
public sealed class HttpHost : IAsyncDisposable
{
    private readonly WebApplication _app;
    private readonly TimeSpan _goodbye;

    private HttpHost(WebApplication app, Endpoint endpoint, TimeSpan goodbye) => (_app, Endpoint, _goodbye) = (app, endpoint, goodbye);

    /// <summary>The endpoint as bound, with the host as given.</summary>
    public Endpoint Endpoint { get; }

    /// <param name="name">What listens, for a message: "the data plane".</param>
    /// <param name="host">An address of this machine, or a name of one.</param>
    /// <param name="port">0 = any free one.</param>
    /// <param name="portOption">The option that chooses another port, for a message.</param>
    /// <param name="goodbye">How long requests that are under way may take at the end.</param>
    /// <param name="map">Adds what is served.</param>
    /// <exception cref="ElasticException">The address cannot be bound; says what to change.</exception>
    public static async Task<HttpHost> StartAsync(
        string name, string host, int port, string portOption, Transport transport, TimeSpan goodbye, Action<KestrelServerLimits> limit,
        Action<WebApplication> map, CancellationToken cancel)
    {
        ArgumentNullException.ThrowIfNull(limit);
        ArgumentNullException.ThrowIfNull(map);
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
            limit(kestrel.Limits);
        });
        var app = builder.Build();
        map(app);
        try
        {
            await app.StartAsync(cancel);
        }
        catch (Exception e) when (e is IOException or SocketException)
        {
            await app.DisposeAsync();
            throw new ElasticException($"{name} cannot listen on {Endpoint.Bracketed(host)}:{port} ({e.Message}): " +
                $"give another port with {portOption} (0 takes any free one), or another address of this machine with --host", e);
        }
        catch
        {
            await app.DisposeAsync();
            throw;
        }

        var bound = app.Services.GetRequiredService<IServer>().Features.GetRequiredFeature<IServerAddressesFeature>().Addresses.Single();
        return new HttpHost(app, new Endpoint(host, new Uri(bound).Port), goodbye);
    }

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        using var deadline = new CancellationTokenSource(_goodbye);
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
    /// The generic host's own lifetime would catch SIGTERM and stop this server at once, while the process still needs it to end what is
    /// under way.
    /// </summary>
    private sealed class NoSignals : IHostLifetime
    {
        public Task WaitForStartAsync(CancellationToken cancellationToken) => Task.CompletedTask;

        public Task StopAsync(CancellationToken cancellationToken) => Task.CompletedTask;
    }
}
