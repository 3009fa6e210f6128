using Microsoft.AspNetCore.Http;

namespace Elastic.Host.Http;

/// <summary>The token of a request's header <c>Authorization: Bearer TOKEN</c> (RFC 6750, section 2.1).</summary>
internal static class BearerToken
{
    private const string Scheme = "Bearer ";

    /// <summary>What the request shows; null where it has no such header, or one of another scheme.</summary>
    public static string? Of(HttpRequest request) =>
        request.Headers.Authorization.ToString() is var shown && shown.StartsWith(Scheme, StringComparison.Ordinal)
            ? shown[Scheme.Length..] : null;
}
