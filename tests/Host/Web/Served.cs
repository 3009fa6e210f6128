using System.Net;
using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using Elastic.Foundation;
using Elastic.Host.Pbm;
using Elastic.Host.Tests.Pbm;
using Elastic.Host.Web;
using Elastic.Messages.Observations;
using Elastic.Messages.Settings;
using Elastic.Storage;

namespace Elastic.Host.Tests.Web;

/// <summary>A seed's HTTP server in front of a cluster that shows what the test put there.</summary>
internal sealed class Served : IAsyncDisposable
{
    public static readonly DateTimeOffset Noon = new(2026, 11, 26, 12, 0, 0, TimeSpan.Zero);

    private static readonly JsonSerializerOptions Json = new(JsonSerializerDefaults.Web)
    {
        Converters = { new IdText<Messages.RunId>(), new IdText<Messages.NodeId>() },
    };

    private readonly HttpClient _http;
    private readonly WebServer _server;

    private Served(FakeCluster cluster, string folder, WebServer server, HttpClient http) =>
        (Cluster, Folder, _server, _http) = (cluster, folder, server, http);

    public FakeCluster Cluster { get; }

    /// <summary>For tokens and logs.</summary>
    public string Folder { get; }

    public string Log => File.Exists(Path.Combine(Folder, CommandLog.FileName))
        ? File.ReadAllText(Path.Combine(Folder, CommandLog.FileName)) : "";

    public Endpoint Endpoint => _server.Endpoint;

    public string AddressWithToken => _server.AddressWithToken;

    /// <param name="transport">Null for none of its own.</param>
    public static async Task<Served> StartAsync(
        TimeProvider? time = null, NodeSettings? node = null, WebLimits? limits = null, Transport? transport = null,
        Transport? client = null, int? port = 0)
    {
        var (cluster, folder) = (new FakeCluster(), Directory.CreateTempSubdirectory("elastic-test-").FullName);
        var service = TestService.Of(folder, ControlPalettes.Of(cluster, TimeProvider.System));
        WebServer server;
        try
        {
            server = await WebServer.StartAsync(
                (node ?? NodeSettings.Defaults) with { DashboardPort = port }, "127.0.0.1", cluster,
                transport is null ? service : service with { Token = null }, transport ?? Transport.Plain, limits ?? WebLimits.Default,
                time ?? TimeProvider.System, CancellationToken.None);
        }
        catch
        {
            Directory.Delete(folder, recursive: true);
            throw;
        }

        var handler = (client ?? Transport.Plain).HttpHandler();
        return new Served(cluster, folder, server, new HttpClient(handler) { Timeout = TimeSpan.FromSeconds(60) });
    }

    public async ValueTask DisposeAsync()
    {
        _http.Dispose();
        await _server.DisposeAsync();
        Directory.Delete(Folder, recursive: true);
    }

    /// <summary>An answer, as the seed's token gets it.</summary>
    public async Task<JsonObject> GetAsync(string path) =>
        JsonNode.Parse((await SendAsync(HttpMethod.Get, path, headers: Token)).Text)!.AsObject();

    public static readonly (string Name, string Value)[] Token = [("Authorization", $"Bearer {TestService.Token}")];

    public async Task<(HttpStatusCode Status, string Text, HttpResponseMessage Answer)> SendAsync(
        HttpMethod method, string path, string? body = null, params (string Name, string Value)[] headers)
    {
        using var request = new HttpRequestMessage(method, $"http://{_server.Endpoint}{path}");
        if (body is not null)
            request.Content = new StringContent(body, Encoding.UTF8, "application/json");
        foreach (var (name, value) in headers)
            request.Headers.TryAddWithoutValidation(name, value);
        var answer = await _http.SendAsync(request, TestContext.Current.CancellationToken);
        return (answer.StatusCode, await answer.Content.ReadAsStringAsync(), answer);
    }

    /// <summary>The stream of events, from its beginning on.</summary>
    public async Task<StreamReader> FollowAsync(string path, params (string Name, string Value)[] headers)
    {
        using var request = new HttpRequestMessage(HttpMethod.Get, $"http://{_server.Endpoint}{path}");
        foreach (var (name, value) in headers.Concat(Token))
            request.Headers.TryAddWithoutValidation(name, value);
        var answer = await _http.SendAsync(request, HttpCompletionOption.ResponseHeadersRead, TestContext.Current.CancellationToken);
        Assert.Equal(HttpStatusCode.OK, answer.StatusCode);
        return new StreamReader(await answer.Content.ReadAsStreamAsync());
    }

    /// <summary>Exchanges the token for a session, as a browser does.</summary>
    public async Task<(string Cookie, string AntiForgery, string SetCookie)> SignInAsync(params (string Name, string Value)[] headers)
    {
        var (status, text, answer) = await SendAsync(
            HttpMethod.Post, "/api/v1/session", $$"""{"token": "{{TestService.Token}}"}""", headers);
        Assert.Equal(HttpStatusCode.OK, status);
        var set = Assert.Single(answer.Headers.GetValues("Set-Cookie"));
        return (set.Split(';')[0], (string)JsonNode.Parse(text)!["antiForgery"]!, set);
    }

    /// <summary>Observes, a second after the last observation.</summary>
    public void Observe(params Observation[] all)
    {
        foreach (var what in all)
        {
            var (type, id) = (what.GetType(), Cluster.Observed.Count + 1);
            var kind = type.GetCustomAttributes(typeof(ObservedAsAttribute), false).Cast<ObservedAsAttribute>().Single().Kind;
            lock (Cluster.Observed)
                Cluster.Observed.Add(
                    new StoredObservation(id, Noon.AddSeconds(id), kind, JsonSerializer.Serialize(what, type, Json), what));
        }
    }

    private sealed class IdText<T> : System.Text.Json.Serialization.JsonConverter<T>
    {
        public override T Read(ref Utf8JsonReader reader, Type typeToConvert, JsonSerializerOptions options) =>
            throw new NotSupportedException();

        public override void Write(Utf8JsonWriter writer, T value, JsonSerializerOptions options) =>
            writer.WriteStringValue(value!.ToString());
    }
}
