using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Nodes;
using Elastic.Foundation;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;
using BadHttpRequestException = Microsoft.AspNetCore.Http.BadHttpRequestException;

namespace Elastic.Host.Http;

/// <summary>
/// What the servers have in common that speak JSON, the dashboard's and that of <c>elastic serve</c>: they read bodies, write answers and
/// streams of events, and refuse what they do not serve.
/// </summary>
internal static class JsonEndpoint
{
    public const string ContentType = "application/json; charset=utf-8";

    // Text of all languages as it is: browsers are told that it is JSON, and nothing of an answer is ever part of a web page.
    private static readonly JsonSerializerOptions Json = new() { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    /// <summary>Serves a request. Whatever goes wrong becomes an answer, unless the client has gone.</summary>
    /// <param name="refuse">Makes a refusal of its status and of what was wrong.</param>
    /// <param name="failed">Makes a refusal of a failure.</param>
    public static async Task GuardAsync(
        HttpContext context, Func<Task> serve, Func<int, string, HttpRefusal> refuse, Func<Exception, HttpRefusal> failed)
    {
        try
        {
            await serve();
        }
        catch (HttpRefusal e)
        {
            await RefuseAsync(context, e);
        }
        catch (BadHttpRequestException e)
        {
            var most = context.Features.Get<IHttpMaxRequestBodySizeFeature>()?.MaxRequestBodySize;
            await RefuseAsync(context, refuse(e.StatusCode, e.StatusCode == StatusCodes.Status413PayloadTooLarge && most is { } bytes
                ? $"the body has more than {ByteSize.Text(bytes)}: send less at once" : e.Message));
        }
        catch (OperationCanceledException) when (context.RequestAborted.IsCancellationRequested)
        {
            // The client has gone.
        }
        catch (Exception e)
        {
            await RefuseAsync(context, failed(e));
        }
    }

    /// <summary>The body of a request, which lives as long as the request.</summary>
    /// <param name="depth">Most levels of lists and objects.</param>
    /// <param name="refuse">Makes a refusal of its status and of what was wrong.</param>
    /// <exception cref="HttpRefusal">It is no JSON, a field's name is no text, or it is not said to be JSON: a form of another site's page
    /// never is.</exception>
    public static async Task<JsonElement> BodyAsync(HttpContext context, int depth, Func<int, string, HttpRefusal> refuse)
    {
        if (!context.Request.HasJsonContentType())
        {
            throw refuse(
                StatusCodes.Status415UnsupportedMediaType,
                "the body is not said to be JSON: send the header Content-Type: application/json");
        }
        try
        {
            var document = await JsonDocument.ParseAsync(
                context.Request.Body, new JsonDocumentOptions { MaxDepth = depth }, context.RequestAborted);
            context.Response.RegisterForDispose(document);
            CheckNames(document.RootElement);
            return document.RootElement;
        }
        catch (InvalidOperationException)
        {
            throw refuse(
                StatusCodes.Status400BadRequest,
                "the name of a field has half of a surrogate pair, which is no character: leave it out");
        }
        catch (JsonException e)
        {
            throw refuse(StatusCodes.Status400BadRequest, $"the body is no JSON: {OneLine.Of(e.Message)}");
        }
    }

    // JSON writes what is no character, and whoever looks for a field among such names fails.
    private static void CheckNames(JsonElement element)
    {
        if (element.ValueKind == JsonValueKind.Object)
        {
            foreach (var field in element.EnumerateObject())
            {
                _ = field.Name;
                CheckNames(field.Value);
            }
        }
        else if (element.ValueKind == JsonValueKind.Array)
        {
            foreach (var item in element.EnumerateArray())
                CheckNames(item);
        }
    }

    /// <summary>Answers. Nothing on the way keeps it: it holds what somebody wrote, or how a run stands now.</summary>
    public static Task SendAsync(HttpContext context, JsonObject answer, string type = ContentType)
    {
        context.Response.ContentType = type;
        context.Response.Headers.CacheControl = "no-store";
        return context.Response.WriteAsync(Text(answer), context.RequestAborted);
    }

    /// <summary>Begins an answer that is a stream of server-sent events.</summary>
    public static void BeginEvents(HttpContext context)
    {
        context.Response.ContentType = "text/event-stream; charset=utf-8";
        context.Response.Headers.CacheControl = "no-store";
    }

    /// <summary>Sends events, which do not wait for more of them.</summary>
    /// <param name="events">Each with the empty line that ends it.</param>
    public static async Task SendEventsAsync(HttpContext context, string events, CancellationToken cancel)
    {
        await context.Response.WriteAsync(events, cancel);
        await context.Response.Body.FlushAsync(cancel);
    }

    /// <summary>How JSON is written in answers and events.</summary>
    public static string Text(JsonObject answer) => answer.ToJsonString(Json);

    private static async Task RefuseAsync(HttpContext context, HttpRefusal why)
    {
        if (context.Response.HasStarted)
        {
            context.Abort();
            return;
        }

        var headers = context.Response.Headers;
        context.Response.StatusCode = why.Status;
        if (why.Status == StatusCodes.Status401Unauthorized)
            headers.WWWAuthenticate = "Bearer";
        if (why.Status == StatusCodes.Status503ServiceUnavailable && headers.RetryAfter.Count == 0)
            headers.RetryAfter = "2";
        // The rest of a body is not waited for.
        if (why.Status is StatusCodes.Status413PayloadTooLarge or StatusCodes.Status415UnsupportedMediaType)
            headers.Connection = "close";
        await SendAsync(context, why.ToJson(), why.ContentType);
    }
}
