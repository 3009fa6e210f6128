using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.ResponseCompression;
using Microsoft.Extensions.Options;

namespace Elastic.Host.Web;

/// <summary>
/// Answers go out compressed to clients that accept it: a long run's curve takes a fraction of its size then. Streams of events do not, for
/// a compressor holds back what a page waits for.
/// </summary>
internal static class Compression
{
    private static readonly string[] Types =
        ["application/json", "text/html", "text/javascript", "text/css", "image/svg+xml"];

    /// <summary>
    /// Says of which requests the answers are compressed. A session's is not: the length of a compressed answer tells something of the
    /// secret in it to those who see the encrypted bytes (the BREACH attack). Problems, which repeat words of the request, are not, either.
    /// </summary>
    /// <param name="api">The path of the API.</param>
    public static Func<HttpContext, bool> MayCompress(string api) =>
        context => !context.Request.Path.StartsWithSegments(api + "/session", StringComparison.OrdinalIgnoreCase);

    /// <summary>Adds the compressor.</summary>
    public static void Use(IApplicationBuilder app)
    {
        ArgumentNullException.ThrowIfNull(app);
        var options = new ResponseCompressionOptions { EnableForHttps = true, MimeTypes = Types };
        app.UseMiddleware<ResponseCompressionMiddleware>(new ResponseCompressionProvider(app.ApplicationServices, Options.Create(options)));
    }
}
