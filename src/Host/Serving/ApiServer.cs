using System.Text.Json;
using System.Text.Json.Nodes;
using Elastic.Foundation;
using Elastic.Host.Generation;
using Elastic.Host.Http;
using Elastic.Transfer;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Endpoint = Elastic.Foundation.Endpoint;

namespace Elastic.Host.Serving;

/// <summary>
/// OpenAI's API, as existing clients speak it: <c>POST /v1/completions</c>, <c>POST /v1/chat/completions</c>, <c>GET /v1/models</c>; and
/// <c>GET /health</c>. Every answer is JSON, errors included, or a stream of server-sent events.
/// </summary>
internal sealed class ApiServer : IAsyncDisposable
{
    private const string Completions = "/v1/completions", ChatCompletions = "/v1/chat/completions";

    // A prompt may be a list of lists; tools, which are refused by name, are deeper.
    private const int MostDepth = 8, MostDepthOfChat = 64;

    private readonly TextModel _model;
    private readonly ModelChat? _chat;
    private readonly InferenceEngine _engine;
    private readonly ServeLimits _limits;
    private readonly TimeProvider _time;
    private readonly Action<string> _say;
    private readonly LocalNames? _names;
    private readonly DateTimeOffset _began;
    private HttpHost _host = null!;

    private ApiServer(
        TextModel model, ModelChat? chat, InferenceEngine engine, ServeLimits limits, LocalNames? names, TimeProvider time,
        Action<string> say) =>
        (_model, _chat, _engine, _limits, _names, _time, _say, _began) =
        (model, chat, engine, limits, names, time, say, time.GetUtcNow());

    /// <summary>Where it listens.</summary>
    public Endpoint Endpoint => _host.Endpoint;

    /// <param name="port">0 for any free one.</param>
    /// <param name="chat">How the model talks; null where it has no chat template.</param>
    /// <param name="say">Is told of defects.</param>
    /// <exception cref="ElasticException">The address cannot be bound.</exception>
    public static async Task<ApiServer> StartAsync(
        string host, int port, TextModel model, ModelChat? chat, InferenceEngine engine, ServeLimits limits, Transport transport,
        TimeProvider time, Action<string> say, CancellationToken cancel)
    {
        // Whoever has shown a certificate is no web page.
        var server = new ApiServer(model, chat, engine, limits, transport.Credentials is null ? new LocalNames(host) : null, time, say);
        server._host = await HttpHost.StartAsync(
            "the server", host, port, "--port", transport, limits.Goodbye, server.Limit, app => app.Run(server.ServeAsync), cancel);
        return server;
    }

    /// <summary>Texts that are under way have <see cref="ServeLimits.Goodbye"/> to end.</summary>
    public ValueTask DisposeAsync() => _host.DisposeAsync();

    private void Limit(KestrelServerLimits limits)
    {
        limits.MaxRequestBodySize = _limits.BodyBytes;
        limits.MaxConcurrentConnections = 1024;
    }

    private Task ServeAsync(HttpContext context) => JsonEndpoint.GuardAsync(context, () =>
    {
        if (_names?.ProblemOf(context) is { } problem)
            throw new ApiException(StatusCodes.Status403Forbidden, problem);
        return RouteAsync(context);
    }, Refuse, e =>
    {
        _say($"a request failed, which is a defect of Elastic: {e}");
        return ApiException.Failed();
    });

    private static ApiException Refuse(int status, string why) => new(status, why);

    private Task RouteAsync(HttpContext context)
    {
        var (method, path) = (context.Request.Method, context.Request.Path.Value ?? "/");
        const string Models = "/v1/models/";
        return path switch
        {
            Completions when HttpMethods.IsPost(method) => CompleteAsync(
                context, MostDepth, body => CompletionRequest.Parse(body, _model, _limits, Random.Shared)),
            ChatCompletions when HttpMethods.IsPost(method) => CompleteAsync(
                context, MostDepthOfChat, body => ChatRequest.Parse(body, _model, _chat, _limits, Random.Shared)),
            "/v1/models" when HttpMethods.IsGet(method) =>
                JsonEndpoint.SendAsync(context, new JsonObject { ["object"] = "list", ["data"] = new JsonArray(Model()) }),
            "/health" when HttpMethods.IsGet(method) => JsonEndpoint.SendAsync(context, new JsonObject { ["status"] = "ok" }),
            _ when path.StartsWith(Models, StringComparison.Ordinal) && HttpMethods.IsGet(method) =>
                path[Models.Length..] == _model.ServedName
                    ? JsonEndpoint.SendAsync(context, Model()) : throw CompletionRequest.UnknownModel(path[Models.Length..], _model),
            Completions or ChatCompletions or "/v1/models" or "/health" => throw new ApiException(
                StatusCodes.Status405MethodNotAllowed,
                $"{OneLine.Of(method, 20)} is not served at {path}: use {(path is Completions or ChatCompletions ? "POST" : "GET")}"),
            _ => throw new ApiException(
                StatusCodes.Status404NotFound,
                $"nothing is served at {OneLine.Of(path, 100)}: use POST {Completions}, POST {ChatCompletions}, GET /v1/models or GET "
                    + "/health",
                code: "unknown_url"),
        };
    }

    private JsonObject Model() => new()
    {
        ["id"] = _model.ServedName,
        ["object"] = "model",
        ["created"] = _began.ToUnixTimeSeconds(),
        ["owned_by"] = "elastic",
    };

    private async Task CompleteAsync(HttpContext context, int depth, Func<JsonElement, CompletionRequest> parse)
    {
        var request = parse(await JsonEndpoint.BodyAsync(context, depth, Refuse));
        var completion = new Completion(request, _model, _time.GetUtcNow());
        if (!_engine.TrySubmit(completion.Jobs))
        {
            context.Response.Headers.RetryAfter = "1";
            throw new ApiException(
                StatusCodes.Status429TooManyRequests, $"{_limits.Queue} texts wait already: ask again in a moment", null,
                "rate_limit_exceeded", "requests");
        }
        try
        {
            if (request.Streams)
                await StreamAsync(context, request, completion);
            else
                await JsonEndpoint.SendAsync(context, completion.Whole(await CollectAsync(completion, context.RequestAborted)));
        }
        finally
        {
            foreach (var job in completion.Jobs)
                job.Cancel();
        }
    }

    private static async Task<List<CompletionPiece>> CollectAsync(Completion completion, CancellationToken cancel)
    {
        var pieces = new List<CompletionPiece>();
        await foreach (var piece in completion.PiecesAsync(cancel))
            pieces.Add(piece);
        return pieces;
    }

    private static async Task StreamAsync(HttpContext context, CompletionRequest request, Completion completion)
    {
        JsonEndpoint.BeginEvents(context);
        var (tokens, cancel) = (0, context.RequestAborted);
        try
        {
            await foreach (var piece in completion.PiecesAsync(cancel))
            {
                tokens += piece.Tokens;
                if (piece.Text.Length > 0 || piece.Ending is not null)
                    await SendEventAsync(JsonEndpoint.Text(completion.Event(piece)));
            }
        }
        catch (ApiException e)
        {
            // It is too late for a status: the stream ends with the error, and without its last line.
            await SendEventAsync(JsonEndpoint.Text(e.ToJson()));
            return;
        }
        if (request.StreamsUsage)
            await SendEventAsync(JsonEndpoint.Text(completion.UsageEvent(tokens)));
        await SendEventAsync("[DONE]");

        Task SendEventAsync(string data) => JsonEndpoint.SendEventsAsync(context, $"data: {data}\n\n", cancel);
    }
}
