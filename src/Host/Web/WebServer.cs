using System.Buffers.Text;
using System.Net;
using System.Text.Json;
using System.Text.Json.Nodes;
using Elastic.Actors.Control;
using Elastic.Foundation;
using Elastic.Host.Http;
using Elastic.Host.Pbm;
using Elastic.Messages.Settings;
using Elastic.Transfer;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.HttpOverrides;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Endpoint = Elastic.Foundation.Endpoint;

namespace Elastic.Host.Web;

/// <summary>The limits that keep the server answering whatever its clients do.</summary>
/// <param name="Streams">Pages that follow events.</param>
/// <param name="Look">Time between two looks of such a page.</param>
/// <param name="Beat">Time after which a stream that has nothing to say shows that it lives.</param>
internal sealed record WebLimits(int Streams, TimeSpan Look, TimeSpan Beat)
{
    public static readonly WebLimits Default = new(64, TimeSpan.FromSeconds(1), TimeSpan.FromSeconds(10));
}

/// <summary>
/// The HTTP API (/api/v1, described by <c>openapi.json</c>) and the dashboard, which uses nothing else. Who may do what here may do the
/// same by pbm.
/// </summary>
internal sealed class WebServer : IAsyncDisposable
{
    /// <summary>Taken where no port is named and it is free.</summary>
    public const int UsualPort = 4090;

    private const string Api = "/api/v1";
    private static readonly TimeSpan Goodbye = TimeSpan.FromMilliseconds(500);

    private readonly WebContext _web;
    private readonly WebNames _names;
    private readonly Access _access;
    private readonly RunsApi _runs;
    private readonly ClusterApi _cluster;
    private readonly CommandsApi _commands;
    private readonly EventStream _events;
    private readonly IReadOnlyList<IPAddress> _proxies;
    private readonly CancellationTokenSource _ended = new();          // has no timer
    private HttpHost _host = null!;

    private WebServer(IClusterControl control, PbmService service, WebNames names, NodeSettings node, WebLimits limits, TimeProvider time)
    {
        (_web, _names, _access) = (new WebContext(control, service, time), names, new Access(service, names, time));
        (_runs, _cluster, _commands) = (new RunsApi(_web), new ClusterApi(_web), new CommandsApi(_web));
        _events = new EventStream(_web, limits.Streams, limits.Look, limits.Beat);
        _proxies = ProxiesOf(node);
    }

    /// <summary>Where it listens.</summary>
    public Endpoint Endpoint => _host.Endpoint;

    /// <summary>The address of the pages, without a slash at its end.</summary>
    public string Address => _names.Public?.AbsoluteUri.TrimEnd('/') ?? _names.AddressOf(Endpoint);

    /// <summary>
    /// The address of the pages, and for a person at this process's terminal the token, which no server and no log sees; short enough for a
    /// line of it.
    /// </summary>
    public string AddressWithToken => _web.Service.Token is { } token
        ? $"{Address}/#token={Base64Url.EncodeToString(Convert.FromHexString(token.Secret))}" : $"{Address}/";

    /// <param name="host">The address to bind.</param>
    /// <param name="transport">With certificates <see cref="Foundation.Certificates.TlsTransport.ForPbm"/>.</param>
    /// <exception cref="ElasticException">The address cannot be bound.</exception>
    public static async Task<WebServer> StartAsync(
        NodeSettings node, string host, IClusterControl control, PbmService service, Transport transport, WebLimits limits,
        TimeProvider time, CancellationToken cancel)
    {
        var names = new WebNames(host, transport, node.PublicUrl);
        var server = new WebServer(control, service, names, node, limits, time);
        try
        {
            server._host = await ListenAsync(node.DashboardPort ?? UsualPort);
        }
        catch (ElasticException e) when (node.DashboardPort is null && e.InnerException is IOException)
        {
            // Another seed of this machine has it.
            server._host = await ListenAsync(0);
        }

        return server;

        Task<HttpHost> ListenAsync(int port) => HttpHost.StartAsync(
            "the dashboard", host, port, "--dashboard-port", transport, Goodbye, Limit, server.Map, cancel);
    }

    /// <summary>Ends the streams, then the server.</summary>
    public async ValueTask DisposeAsync()
    {
        await _ended.CancelAsync();
        await _host.DisposeAsync();
    }

    private static void Limit(KestrelServerLimits limits)
    {
        limits.MaxRequestBodySize = 64 << 10;
        limits.MaxConcurrentConnections = 512;
    }

    private static IReadOnlyList<IPAddress> ProxiesOf(NodeSettings node) =>
    [
        .. (node.TrustedProxies ?? "").Split(',', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries)
            .Select(text => IPAddress.TryParse(text, out var address) ? address : throw new ElasticException(
                $"node.trusted-proxies: \"{text}\" is no address: name the addresses of proxies, with commas between them")),
    ];

    private void Map(WebApplication app)
    {
        if (_proxies.Count > 0)
        {
            var forwarded = new ForwardedHeadersOptions { ForwardedHeaders = ForwardedHeaders.XForwardedFor };
            forwarded.KnownIPNetworks.Clear();
            forwarded.KnownProxies.Clear();
            foreach (var proxy in _proxies)
                forwarded.KnownProxies.Add(proxy);
            app.UseForwardedHeaders(forwarded);
        }

        app.Use(GuardAsync);
        if (_names.PathBase.Length > 0)
            app.UsePathBase(_names.PathBase);
        app.UseWhen(Compression.MayCompress(Api), Compression.Use);
        app.UseRouting();
        Get("/runs", _runs.ListAsync);
        Get("/runs/{run}", _runs.ShowAsync);
        Get("/runs/{run}/losses", _runs.LossesAsync);
        Get("/runs/{run}/rounds", _runs.RoundsAsync);
        Get("/runs/{run}/replicas", _runs.ReplicasAsync);
        Get("/comparison", _runs.CompareAsync);
        Get("/nodes", _cluster.NodesAsync);
        Get("/nodes/{node}/load", _cluster.LoadAsync);
        Get("/cluster", _cluster.ClusterAsync);
        Get("/observations", _cluster.ObservationsAsync);
        Get("/commands", _ => Task.FromResult(_commands.List()));
        Get("/session", context => Task.FromResult(Access.Describe(_access.Of(context))));
        app.MapGet(Api + "/events", context =>
        {
            _access.Of(context);
            return _events.ServeAsync(context, _ended.Token);
        });
        app.MapPost(Api + "/session", BeginSessionAsync);
        app.MapDelete(Api + "/session", context =>
        {
            _access.Of(context);
            _access.End(context);
            context.Response.StatusCode = StatusCodes.Status204NoContent;
            return Task.CompletedTask;
        });
        foreach (var path in new[] { "runs", "nodes" })
            app.MapPost($"{Api}/{path}/{{subject}}/{{command}}", async context =>
                await JsonEndpoint.SendAsync(context, await _commands.RunAsync(context, path, _access.Of(context))));
        // What the API is, and that this seed lives: for everybody, also for pages of other seeds.
        app.MapGet(Api + "/openapi.json", context => SendFileAsync(context, "openapi.json"));
        app.MapGet("/alive", context => context.Response.WriteAsync("ok\n"));
        app.MapMethods("/{file?}", [HttpMethods.Get, HttpMethods.Head], context => SendFileAsync(
            context, (string?)context.Request.RouteValues["file"] ?? ""));
        app.Map("/{**path}", (HttpContext context) => Task.FromException(Nowhere(context)));

        void Get(string path, Func<HttpContext, Task<JsonObject>> answer) => app.MapGet(Api + path, async context =>
        {
            _access.Of(context);
            await JsonEndpoint.SendAsync(context, await answer(context));
        });
    }

    // Around everything: headers that hold for every answer, requests that are not for this server, and failures.
    private async Task GuardAsync(HttpContext context, RequestDelegate next)
    {
        var headers = context.Response.Headers;
        headers.XContentTypeOptions = "nosniff";
        headers["Referrer-Policy"] = "no-referrer";
        headers["Cross-Origin-Opener-Policy"] = "same-origin";
        await JsonEndpoint.GuardAsync(context, () =>
        {
            if (_names.ProblemOfHost(context) is { } problem)
                throw WebProblem.Forbidden(problem);
            return next(context);
        }, (status, why) => new WebProblem(status, why), e => WebProblem.Of(e, _web.Service.LogFile));
    }

    private async Task BeginSessionAsync(HttpContext context)
    {
        var body = await Body.ReadAsync(context);
        var shown = body.ValueKind == JsonValueKind.Object && body.TryGetProperty("token", out var token)
            && token.ValueKind == JsonValueKind.String ? Body.Text("token", token).Trim() : null;
        await JsonEndpoint.SendAsync(context, _access.Begin(context, shown));
    }

    private async Task SendFileAsync(HttpContext context, string name)
    {
        // The names of the other files follow from the page's own address, which ends with a slash.
        if (name.Length == 0 && !context.Request.Path.HasValue)
            context.Response.Redirect($"{context.Request.PathBase}/");
        else if (!await Pages.TrySendAsync(context, name, await OthersAsync(context.RequestAborted)))
            throw Nowhere(context);
    }

    private async Task<IReadOnlyList<string>> OthersAsync(CancellationToken cancel)
    {
        try
        {
            return await _web.Dashboards.GetAsync(cancel);
        }
        catch (ElasticException)
        {
            return [];
        }
    }

    private static WebProblem Nowhere(HttpContext context) => WebProblem.NotFound(
        $"{OneLine.Of(context.Request.Method, 20)} {OneLine.Of(context.Request.Path.Value ?? "", 100)} is nothing that is served here: "
        + $"GET {Api}/openapi.json describes what is");
}
