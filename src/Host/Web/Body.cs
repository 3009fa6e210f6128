using System.Text.Json;
using Elastic.Foundation;
using Elastic.Host.Http;
using Microsoft.AspNetCore.Http;

namespace Elastic.Host.Web;

/// <summary>Reads the body of a request: an object of JSON, or nothing.</summary>
internal static class Body
{
    private const int MostDepth = 4;

    /// <summary>A string of the body.</summary>
    /// <param name="name">Its field, for the message.</param>
    /// <exception cref="WebProblem">It has half of a surrogate pair, which is no character.</exception>
    public static string Text(string name, JsonElement value)
    {
        try
        {
            return value.GetString()!;
        }
        catch (InvalidOperationException)
        {
            throw WebProblem.Invalid($"{OneLine.Of(name, 40)} has half of a surrogate pair, which is no character: leave it out");
        }
    }

    /// <summary>The body; undefined where there is none.</summary>
    /// <exception cref="WebProblem">It is no object, or is not said to be JSON: a form of another site's page never is.</exception>
    public static async Task<JsonElement> ReadAsync(HttpContext context)
    {
        if (context.Request.ContentLength is null or 0 && !context.Request.Headers.ContainsKey("Transfer-Encoding"))
            return default;
        var body = await JsonEndpoint.BodyAsync(context, MostDepth, (status, why) => new WebProblem(status, why));
        return body.ValueKind == JsonValueKind.Object
            ? body : throw WebProblem.Invalid("the body is no object: send {}, or an object with the command's values");
    }
}
