using System.Collections.Concurrent;
using System.Globalization;
using System.Net;
using System.Runtime.CompilerServices;
using System.Security.Cryptography;
using System.Text;
using System.Xml.Linq;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Hosting.Server.Features;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.Extensions.DependencyInjection;

namespace Elastic.Testing;

/// <summary>
/// What Elastic uses of the S3 protocol, in this process: lists in pages (ListObjectsV2), GET and HEAD with Range, If-Match and versionId,
/// PUT, also in parts, DELETE; buckets in the path. It refuses what is not signed with the test's key, which it puts into the environment,
/// and can break off, fail, and change an object between two requests.
/// </summary>
public sealed class SmallObjectStore : IAsyncDisposable
{
    private const string MetadataPrefix = "x-amz-meta-";

    private const string AccessKey = "AKIDTEST";

    internal static readonly XNamespace Names = "http://s3.amazonaws.com/doc/2006-03-01/";

    private readonly WebApplication _app;
    private readonly ConcurrentDictionary<string, byte[]> _objects = new(StringComparer.Ordinal);
    private readonly ConcurrentQueue<string> _asked = [];

    // What was stored with an object's bytes: others under the same key lose it.
    private readonly ConditionalWeakTable<byte[], IReadOnlyDictionary<string, string>> _metadata = [];

    private readonly PartedUploads _uploads;

    private SmallObjectStore(WebApplication app) => (_app, _uploads) = (app, new PartedUploads(_objects, Describe));

    /// <summary>Objects by "bucket/key"; a version that is not the newest has "?version" behind.</summary>
    public IDictionary<string, byte[]> Objects => _objects;

    /// <summary>Uploads in parts that it joins next, and then answers that it failed.</summary>
    public int LosesJoins { set => _uploads.LosesJoins = value; }

    /// <summary>Uploads in parts that were begun, and neither joined nor forgotten.</summary>
    public int OpenUploads => _uploads.Open;

    /// <summary>All requests: method, "bucket/key", and the range where there is one.</summary>
    public IReadOnlyCollection<string> Asked => _asked;

    /// <summary>The address of a bucket or of what is in it, with this store's endpoint.</summary>
    public string this[string place] => $"s3://{place}?endpoint={Endpoint}";

    /// <summary>Keys of a page of a list.</summary>
    public int PageKeys { get; set; } = 1000;

    /// <summary>Bytes after which a GET breaks off, if it is not yet at the object's end; for the next so many GETs.</summary>
    public (int After, int Times) Breaks { get; set; } = (int.MaxValue, 0);

    /// <summary>Answers the next requests of other methods than HEAD with a status.</summary>
    public ConcurrentQueue<int> Failures { get; } = [];

    /// <summary>Is told of each request before it is answered: changes what it finds.</summary>
    public Action<string>? Before { get; set; }

    private string Endpoint { get; set; } = "";

    /// <summary>Starts it on a free port of the loopback.</summary>
    public static async Task<SmallObjectStore> StartAsync()
    {
        Environment.SetEnvironmentVariable("AWS_ACCESS_KEY_ID", AccessKey);
        Environment.SetEnvironmentVariable("AWS_SECRET_ACCESS_KEY", "the-secret-of-the-test");
        var builder = WebApplication.CreateEmptyBuilder(new WebApplicationOptions());
        builder.WebHost.UseKestrelCore().ConfigureKestrel(kestrel =>
        {
            kestrel.Listen(IPAddress.Loopback, 0);
            kestrel.Limits.MaxRequestBodySize = null;
        });
        var app = builder.Build();
        var store = new SmallObjectStore(app);
        app.Run(store.AnswerAsync);
        await app.StartAsync();
        var bound = app.Services.GetRequiredService<IServer>().Features.GetRequiredFeature<IServerAddressesFeature>();
        store.Endpoint = bound.Addresses.Single();
        return store;
    }

    /// <inheritdoc/>
    public ValueTask DisposeAsync() => _app.DisposeAsync();

    private async Task AnswerAsync(HttpContext context)
    {
        var (request, response) = (context.Request, context.Response);
        var place = request.Path.Value![1..];
        var asked = $"{request.Method} {place}{(request.Headers.Range.ToString() is { Length: > 0 } range ? $" {range}" : "")}";
        _asked.Enqueue(asked);
        Before?.Invoke(asked);
        if (request.Method != "HEAD" && Failures.TryDequeue(out var failure))
            await RefuseAsync(response, failure, "Failure");
        else if (!request.Headers.Authorization.ToString().Contains($"Credential={AccessKey}/", StringComparison.Ordinal))
            await RefuseAsync(response, StatusCodes.Status403Forbidden, "AccessDenied");
        else if (await _uploads.AnswersAsync(request, response, place))
            return;
        else if (request.Method == "PUT")
            await PutAsync(request, response, place);
        else if (request.Method == "DELETE")
            Delete(response, place);
        else if (request.Query.ContainsKey("list-type"))
            await ListAsync(request, response, place.TrimEnd('/'));
        else
            await GetAsync(request, response, request.Query["versionId"].ToString() is { Length: > 0 } id ? $"{place}?{id}" : place);
    }

    private async Task PutAsync(HttpRequest request, HttpResponse response, string place)
    {
        if (await TakeAsync(request, response) is not { } body)
            return;
        _objects[place] = body;
        Describe(body, MetadataOf(request));
        response.Headers.ETag = TagOf(body);
    }

    internal static IReadOnlyDictionary<string, string> MetadataOf(HttpRequest request) => request.Headers
        .Where(h => h.Key.StartsWith(MetadataPrefix, StringComparison.OrdinalIgnoreCase)).ToDictionary(h => h.Key, h => h.Value.ToString());

    private void Describe(byte[] body, IReadOnlyDictionary<string, string> metadata) => _metadata.AddOrUpdate(body, metadata);

    // Null where other bytes have arrived than were sent, which the answer says.
    internal static async Task<byte[]?> TakeAsync(HttpRequest request, HttpResponse response)
    {
        using var body = new MemoryStream();
        await request.Body.CopyToAsync(body);
        // The signature is of this digest, so that what arrived is what was sent.
        if (request.Headers["x-amz-content-sha256"] == Convert.ToHexStringLower(SHA256.HashData(body.ToArray())))
            return body.ToArray();
        await RefuseAsync(response, StatusCodes.Status400BadRequest, "XAmzContentSHA256Mismatch");
        return null;
    }

    private void Delete(HttpResponse response, string place)
    {
        _objects.TryRemove(place, out _);
        response.StatusCode = StatusCodes.Status204NoContent;
    }

    private async Task ListAsync(HttpRequest request, HttpResponse response, string bucket)
    {
        var (prefix, after) = (request.Query["prefix"].ToString(), request.Query["continuation-token"].ToString());
        var found = _objects.Where(o => o.Key.StartsWith($"{bucket}/{prefix}", StringComparison.Ordinal) && !o.Key.Contains('?'))
            .Select(o => (Key: o.Key[(bucket.Length + 1)..], o.Value)).OrderBy(o => o.Key, StringComparer.Ordinal)
            .Where(o => string.CompareOrdinal(o.Key, after) > 0).Take(PageKeys + 1).ToList();
        var isCut = found.Count > PageKeys;
        await WriteAsync(response, new XElement(Names + "ListBucketResult",
            new XElement(Names + "IsTruncated", isCut ? "true" : "false"),
            isCut ? new XElement(Names + "NextContinuationToken", found[PageKeys - 1].Key) : null,
            found.Take(PageKeys).Select(o => new XElement(Names + "Contents",
                new XElement(Names + "Key", o.Key), new XElement(Names + "ETag", TagOf(o.Value)),
                new XElement(Names + "Size", o.Value.Length.ToString(CultureInfo.InvariantCulture))))));
    }

    private async Task GetAsync(HttpRequest request, HttpResponse response, string place)
    {
        if (!_objects.TryGetValue(place, out var bytes))
        {
            await RefuseAsync(response, StatusCodes.Status404NotFound, "NoSuchKey");
            return;
        }

        response.Headers.ETag = TagOf(bytes);
        if (_metadata.TryGetValue(bytes, out var metadata))
        {
            foreach (var (name, value) in metadata)
                response.Headers[name] = value;
        }
        if (request.Headers.IfMatch.ToString() is { Length: > 0 } wanted && wanted != TagOf(bytes))
        {
            await RefuseAsync(response, StatusCodes.Status412PreconditionFailed, "PreconditionFailed");
            return;
        }

        var (from, to) = (0, bytes.Length - 1);
        if (request.GetTypedHeaders().Range?.Ranges.Single() is { } part)
        {
            (from, to) = ((int)part.From!, (int)Math.Min(part.To ?? long.MaxValue, to));
            response.StatusCode = StatusCodes.Status206PartialContent;
            response.Headers.ContentRange = $"bytes {from}-{to}/{bytes.Length}";
        }

        response.ContentLength = to + 1 - from;
        if (request.Method == "HEAD")
            return;
        var breaks = Breaks.Times > 0 && Breaks.After <= to - from;
        if (breaks)
            Breaks = (Breaks.After, Breaks.Times - 1);
        await response.Body.WriteAsync(bytes.AsMemory(from, breaks ? Breaks.After : to + 1 - from));
        // Where that is less than was promised Kestrel closes the connection, behind what it has sent.
        await response.Body.FlushAsync();
    }

    internal static async Task RefuseAsync(HttpResponse response, int status, string code)
    {
        response.StatusCode = status;
        if (response.HttpContext.Request.Method != "HEAD")
            await WriteAsync(response, new XElement("Error", new XElement("Code", code), new XElement("Message", "as the test wants it")));
    }

    internal static async Task WriteAsync(HttpResponse response, XElement answer)
    {
        response.ContentType = "application/xml";
        await response.Body.WriteAsync(Encoding.UTF8.GetBytes(answer.ToString()));
    }

    internal static string TagOf(byte[] bytes) => $"\"{Convert.ToHexStringLower(SHA256.HashData(bytes))[..32]}\"";
}
