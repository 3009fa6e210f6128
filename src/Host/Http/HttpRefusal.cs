using System.Text.Json.Nodes;

namespace Elastic.Host.Http;

/// <summary>Why a request is not served. Each API says it in a document of its own.</summary>
/// <param name="status">Status of the HTTP answer.</param>
/// <param name="message">What was wrong, and what to do.</param>
internal abstract class HttpRefusal(int status, string message) : Exception(message)
{
    public int Status { get; } = status;

    /// <summary>The type of the document.</summary>
    public virtual string ContentType => JsonEndpoint.ContentType;

    /// <summary>The document.</summary>
    public abstract JsonObject ToJson();
}
