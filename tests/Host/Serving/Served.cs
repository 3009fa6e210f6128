using System.Net.Http.Json;
using System.Text.Json;
using Elastic.Foundation;
using Elastic.Host.Generation;
using Elastic.Host.Serving;
using Elastic.Host.Tests.Generation;
using Elastic.Messages;

namespace Elastic.Host.Tests.Serving;

/// <summary>A small model that writes letters at random, and a server of it with a client.</summary>
internal sealed class Served : IAsyncDisposable
{
    private readonly TextModel _model;
    private readonly InferenceEngine _engine;
    private readonly ApiServer _server;

    private Served(TextModel model, InferenceEngine engine, ApiServer server)
    {
        (_model, _engine, _server) = (model, engine, server);
        Client = new HttpClient { BaseAddress = new Uri($"http://{server.Endpoint}") };
    }

    public HttpClient Client { get; }

    public Endpoint Endpoint => _server.Endpoint;

    /// <summary>Problems that the server told of.</summary>
    public required List<string> Said { get; init; }

    public static async Task<Served> StartAsync(
        int context = 64, bool endings = false, int devices = 1, ServeLimits? limits = null, Transport? transport = null,
        TextModel? model = null, string? chatTemplate = null)
    {
        var said = new List<string>();
        model ??= LettersModel.Open(context, endings);
        limits ??= new ServeLimits();
        var engine = await InferenceEngine.StartAsync(
            model, [.. Enumerable.Range(0, devices).Select(d => new DeviceId($"cpu:{d}"))], 1, limits, said.Add);
        var server = await ApiServer.StartAsync(
            "127.0.0.1", 0, model, ModelChat.Of(model, chatTemplate), engine, limits, transport ?? Transport.Plain, TimeProvider.System,
            said.Add, default);
        return new Served(model, engine, server) { Said = said };
    }

    /// <summary>Posts a request to the completions; the whole answer.</summary>
    public async Task<JsonElement> CompleteAsync(object request, string path = "/v1/completions")
    {
        var answer = await Client.PostAsJsonAsync(path, request);
        var text = await answer.Content.ReadAsStringAsync();
        Assert.True(answer.IsSuccessStatusCode, text);
        return JsonDocument.Parse(text).RootElement;
    }

    /// <summary>The same as a stream; the data of its events.</summary>
    public async Task<List<string>> StreamAsync(object request, string path = "/v1/completions")
    {
        using var answer = await Client.PostAsJsonAsync(path, request);
        Assert.Equal("text/event-stream", answer.Content.Headers.ContentType?.MediaType);
        var events = (await answer.Content.ReadAsStringAsync()).Split("\n\n", StringSplitOptions.RemoveEmptyEntries);
        Assert.All(events, e => Assert.StartsWith("data: ", e, StringComparison.Ordinal));
        return [.. events.Select(e => e["data: ".Length..])];
    }

    /// <summary>The texts of an answer.</summary>
    public static string[] Texts(JsonElement answer) =>
        [.. answer.GetProperty("choices").EnumerateArray().Select(c => c.GetProperty("text").GetString()!)];

    public async ValueTask DisposeAsync()
    {
        Client.Dispose();
        await _server.DisposeAsync();
        _engine.Dispose();
        _model.Dispose();
    }
}
