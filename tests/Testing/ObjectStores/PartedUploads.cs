using System.Collections.Concurrent;
using System.Globalization;
using System.Xml.Linq;
using Microsoft.AspNetCore.Http;

namespace Elastic.Testing;

/// <summary>Objects that arrive in parts, as S3 has it: begun, a PUT for each, and joined in the order that the client names.</summary>
internal sealed class PartedUploads(IDictionary<string, byte[]> objects, Action<byte[], IReadOnlyDictionary<string, string>> describe)
{
    private readonly ConcurrentDictionary<string, ConcurrentDictionary<int, byte[]>> _open = new(StringComparer.Ordinal);
    private readonly ConcurrentDictionary<string, IReadOnlyDictionary<string, string>> _metadata = new(StringComparer.Ordinal);
    private int _begun;

    /// <summary>Those that were begun, and neither joined nor forgotten.</summary>
    public int Open => _open.Count;

    /// <summary>How many uploads are joined next with an answer that says it failed.</summary>
    public int LosesJoins { get; set; }

    /// <summary>Answers a request of such an upload.</summary>
    /// <returns>False where it is another request.</returns>
    public async Task<bool> AnswersAsync(HttpRequest request, HttpResponse response, string place)
    {
        if (request.Method == "POST" && request.Query.ContainsKey("uploads"))
        {
            var id = string.Create(CultureInfo.InvariantCulture, $"upload-{Interlocked.Increment(ref _begun)}");
            _open[id] = [];
            _metadata[id] = SmallObjectStore.MetadataOf(request);
            await SmallObjectStore.WriteAsync(response, Element("InitiateMultipartUploadResult", Element("UploadId", id)));
            return true;
        }

        if (request.Query["uploadId"].ToString() is not { Length: > 0 } upload)
            return false;
        if (!_open.TryGetValue(upload, out var parts))
            await SmallObjectStore.RefuseAsync(response, StatusCodes.Status404NotFound, "NoSuchUpload");
        else if (request.Method == "PUT" && await SmallObjectStore.TakeAsync(request, response) is { } part)
        {
            parts[int.Parse(request.Query["partNumber"].ToString(), CultureInfo.InvariantCulture)] = part;
            response.Headers.ETag = SmallObjectStore.TagOf(part);
        }
        else if (request.Method == "DELETE")
        {
            _open.TryRemove(upload, out _);
            response.StatusCode = StatusCodes.Status204NoContent;
        }
        else if (request.Method == "POST")
            await JoinAsync(request, response, place, upload, parts);
        return true;
    }

    private async Task JoinAsync(
        HttpRequest request, HttpResponse response, string place, string upload, ConcurrentDictionary<int, byte[]> parts)
    {
        var asked = await XDocument.LoadAsync(request.Body, LoadOptions.None, CancellationToken.None);
        var joined = new List<byte>();
        foreach (var part in asked.Root!.Elements().Where(e => e.Name.LocalName == "Part"))
        {
            var values = part.Elements().ToDictionary(e => e.Name.LocalName, e => e.Value);
            if (!parts.TryGetValue(int.Parse(values["PartNumber"], CultureInfo.InvariantCulture), out var bytes)
                || values["ETag"].Trim('"') != SmallObjectStore.TagOf(bytes).Trim('"'))
            {
                await SmallObjectStore.RefuseAsync(response, StatusCodes.Status400BadRequest, "InvalidPart");
                return;
            }

            joined.AddRange(bytes);
        }

        objects[place] = [.. joined];
        describe(objects[place], _metadata[upload]);
        _open.TryRemove(upload, out _);
        if (LosesJoins-- > 0)
        {
            await SmallObjectStore.RefuseAsync(response, StatusCodes.Status500InternalServerError, "InternalError");
            return;
        }
        await SmallObjectStore.WriteAsync(
            response, Element("CompleteMultipartUploadResult", Element("ETag", SmallObjectStore.TagOf(objects[place]))));
    }

    private static XElement Element(string name, params object[] content) => new(SmallObjectStore.Names + name, content);
}
