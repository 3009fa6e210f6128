using System.Text.Json.Nodes;
using Elastic.Foundation;
using Elastic.Host.Http;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.WebUtilities;

namespace Elastic.Host.Web;

/// <summary>Why a request is not served: a problem document (RFC 9457).</summary>
/// <param name="status">Status of the HTTP answer.</param>
/// <param name="detail">What was wrong, and what to do.</param>
internal sealed class WebProblem(int status, string detail) : HttpRefusal(status, detail)
{
    /// <inheritdoc/>
    public override string ContentType => "application/problem+json";

    /// <summary>A part of the request that is not as it should be.</summary>
    public static WebProblem Invalid(string detail) => new(StatusCodes.Status400BadRequest, detail);

    /// <summary>Nobody has said who asks.</summary>
    public static WebProblem Unknown(string detail) => new(StatusCodes.Status401Unauthorized, detail);

    /// <summary>The asker may not, or the request is not one of a page of this server.</summary>
    public static WebProblem Forbidden(string detail) => new(StatusCodes.Status403Forbidden, detail);

    public static WebProblem NotFound(string detail) => new(StatusCodes.Status404NotFound, detail);

    /// <summary>Any failure, in the words in which a command line would tell it.</summary>
    /// <param name="logFile">Where the details of a defect go.</param>
    public static WebProblem Of(Exception e, string logFile)
    {
        if (e is WebProblem problem)
            return problem;
        var (code, lines) = ErrorReport.Of(e, logFile);
        var status = code switch
        {
            ExitCodes.WrongUsage => StatusCodes.Status400BadRequest,
            ExitCodes.NotFound => StatusCodes.Status404NotFound,
            ExitCodes.Unreachable => StatusCodes.Status503ServiceUnavailable,
            _ => ElasticException.In(e) is not null ? StatusCodes.Status409Conflict : StatusCodes.Status500InternalServerError,
        };
        return new WebProblem(status, string.Join('\n', lines));
    }

    /// <inheritdoc/>
    public override JsonObject ToJson() => new()
    {
        ["type"] = "about:blank",
        ["title"] = ReasonPhrases.GetReasonPhrase(Status),
        ["status"] = Status,
        ["detail"] = Message,
    };
}
