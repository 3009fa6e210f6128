using System.Reflection;
using System.Security.Cryptography;
using System.Text;
using Microsoft.AspNetCore.Http;

namespace Elastic.Host.Web;

/// <summary>The dashboard's files, which are part of the program. A browser loads them from here, and nothing from anywhere else.</summary>
internal static class Pages
{
    private const string Prefix = "web/";

    private static readonly Dictionary<string, string> Types = new(StringComparer.Ordinal)
    {
        [".html"] = "text/html; charset=utf-8",
        [".js"] = "text/javascript; charset=utf-8",
        [".css"] = "text/css; charset=utf-8",
        [".svg"] = "image/svg+xml",
        [".json"] = "application/json",
    };

    private static readonly Dictionary<string, (byte[] Bytes, string Tag)> Files = typeof(Pages).Assembly.GetManifestResourceNames()
        .Where(n => n.StartsWith(Prefix, StringComparison.Ordinal))
        .ToDictionary(n => n[Prefix.Length..], Read, StringComparer.Ordinal);

    /// <summary>The names of all files.</summary>
    public static IReadOnlyCollection<string> Names => Files.Keys;

    /// <summary>A file's text.</summary>
    public static string Text(string name) => Encoding.UTF8.GetString(Files[name].Bytes);

    /// <summary>Sends a file.</summary>
    /// <param name="name">"" for the page itself.</param>
    /// <param name="others">Addresses of other seeds' pages, to which the page may go on when this one does not answer.</param>
    /// <returns>False where there is no such file.</returns>
    public static async Task<bool> TrySendAsync(HttpContext context, string name, IEnumerable<string> others)
    {
        name = name.Length == 0 ? "index.html" : name;
        if (!Files.TryGetValue(name, out var file))
            return false;
        var headers = context.Response.Headers;
        headers.ContentSecurityPolicy = Policy(others);
        headers.CacheControl = "no-cache";
        headers.ETag = file.Tag;
        if (context.Request.Headers.IfNoneMatch == file.Tag)
        {
            context.Response.StatusCode = StatusCodes.Status304NotModified;
            return true;
        }

        context.Response.ContentType = Types[Path.GetExtension(name)];
        context.Response.ContentLength = file.Bytes.Length;
        if (!HttpMethods.IsHead(context.Request.Method))
            await context.Response.Body.WriteAsync(file.Bytes, context.RequestAborted);
        return true;
    }

    private static string Policy(IEnumerable<string> others) =>
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; "
        + $"connect-src {string.Join(' ', others.Prepend("'self'"))}; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

    private static (byte[] Bytes, string Tag) Read(string name)
    {
        using var resource = Assembly.GetExecutingAssembly().GetManifestResourceStream(name)!;
        using var bytes = new MemoryStream();
        resource.CopyTo(bytes);
        // Weak: the same tag stands for the file and for its compressed form.
        return (bytes.ToArray(), $"W/\"{Convert.ToHexStringLower(SHA256.HashData(bytes.ToArray()))[..16]}\"");
    }
}
