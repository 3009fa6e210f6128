using System.Text.Json.Nodes;
using Elastic.Host.Http;
using Microsoft.AspNetCore.Http;

namespace Elastic.Host.Serving;

/// <summary>Why a request is not served, in the API's words.</summary>
/// <param name="status">Status of the HTTP answer.</param>
/// <param name="message">What was wrong, and what to do.</param>
/// <param name="param">The field that is meant; null for none.</param>
/// <param name="code">The API's short name of the problem; null for none.</param>
/// <param name="type">The kind of problem.</param>
internal sealed class ApiException(
    int status, string message, string? param = null, string? code = null, string type = "invalid_request_error")
    : HttpRefusal(status, message)
{
    public string? Param { get; } = param;

    /// <summary>A field that is not as it should be.</summary>
    public static ApiException Invalid(string param, string message, string? code = null) =>
        new(StatusCodes.Status400BadRequest, message, param, code);

    /// <summary>The text could not be written, which is not the client's fault.</summary>
    public static ApiException Failed() => new(
        StatusCodes.Status500InternalServerError, "the text could not be written; the server's console says why", type: "server_error");

    /// <summary>The server is asked to end.</summary>
    public static ApiException Ending() => new(
        StatusCodes.Status503ServiceUnavailable, "the server ends: ask again when it is up", type: "server_error");

    /// <inheritdoc/>
    public override JsonObject ToJson() => new()
    {
        ["error"] = new JsonObject { ["message"] = Message, ["type"] = type, ["param"] = Param, ["code"] = code },
    };
}
