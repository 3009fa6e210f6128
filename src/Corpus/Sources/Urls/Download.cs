using System.Net;
using System.Net.Http.Headers;
using System.Net.Sockets;
using System.Text;
using Elastic.Foundation;

namespace Elastic.Corpus;

/// <summary>An attempt failed.</summary>
/// <param name="message">Why.</param>
/// <param name="isFinal">True where the same address will not give the file another time either.</param>
internal sealed class DownloadException(string message, bool isFinal) : Exception(message)
{
    public bool IsFinal => isFinal;
}

/// <summary>One attempt at a file of the web. It goes on with what earlier ones have got, where that is of the same file.</summary>
/// <param name="path">Where the file will be; what there is of it stands beside it.</param>
/// <param name="isVerified">The whole file is compared with a digest, so that parts of any server may be joined.</param>
/// <param name="most">Bytes that are taken at most.</param>
/// <param name="patience">How long the server may say nothing.</param>
internal sealed class Download(HttpClient client, Uri address, string path, bool isVerified, long most, TimeSpan patience)
{
    /// <summary>What there is of a file has this behind its name.</summary>
    public const string PartEnding = ".part";

    private readonly string _part = path + PartEnding;
    private readonly string _tag = path + PartEnding + ".etag";

    /// <exception cref="DownloadException">The file is not whole.</exception>
    public async Task RunAsync(CancellationToken cancel)
    {
        try
        {
            using var deadline = CancellationTokenSource.CreateLinkedTokenSource(cancel);
            await FetchAsync(deadline);
        }
        catch (OperationCanceledException) when (!cancel.IsCancellationRequested)
        {
            throw new DownloadException($"the server said nothing for {patience.TotalSeconds:0.#} seconds", isFinal: false);
        }
        catch (Exception e) when (e is HttpRequestException or HttpIOException or IOException { InnerException: SocketException })
        {
            throw new DownloadException(OneLine.Of(e.Message), isFinal: false);
        }
    }

    private async Task FetchAsync(CancellationTokenSource deadline)
    {
        var have = File.Exists(_part) ? new FileInfo(_part).Length : 0;
        using var request = new HttpRequestMessage(HttpMethod.Get, address);
        if (have > 0 && (isVerified || TagOfPart() is not null))
        {
            request.Headers.Range = new RangeHeaderValue(have, null);
            // Without a digest only the server can say that its file is still the same.
            if (!isVerified)
                request.Headers.IfRange = new RangeConditionHeaderValue(EntityTagHeaderValue.Parse(TagOfPart()!));
        }
        deadline.CancelAfter(patience);
        using var response = await client.SendAsync(request, HttpCompletionOption.ResponseHeadersRead, deadline.Token);
        var goesOn = response.StatusCode == HttpStatusCode.PartialContent && response.Content.Headers.ContentRange?.From == have;
        if (response.StatusCode == HttpStatusCode.RequestedRangeNotSatisfiable
            && response.Content.Headers.ContentRange?.Length == have && isVerified)
            return;     // all of it is there
        if (!goesOn && response.StatusCode != HttpStatusCode.OK)
        {
            if (response.StatusCode is HttpStatusCode.RequestedRangeNotSatisfiable or HttpStatusCode.PartialContent)
                File.Delete(_part);
            throw Answered(response.StatusCode);
        }
        await CopyAsync(response, goesOn ? have : 0, deadline);
    }

    private async Task CopyAsync(HttpResponseMessage response, long have, CancellationTokenSource deadline)
    {
        var length = response.Content.Headers.ContentLength;
        if (have + length > most)
            throw TooLarge();
        if (have == 0)
        {
            // First: a tag beside the part of an older file would say that this part is of the new one.
            File.Delete(_part);
            DurableFile.Write(_tag, Encoding.ASCII.GetBytes(response.Headers.ETag is { IsWeak: false } tag ? tag.Tag : ""));
        }

        await using var body = await response.Content.ReadAsStreamAsync(deadline.Token);
        await using var file = new FileStream(_part, have == 0 ? FileMode.Create : FileMode.Append, FileAccess.Write, FileShare.None);
        var buffer = new byte[1 << 16];
        var got = 0L;
        while (true)
        {
            deadline.CancelAfter(patience);
            var count = await body.ReadAsync(buffer, deadline.Token);
            if (count == 0)
                break;
            if (have + (got += count) > most)
                throw TooLarge();
            await file.WriteAsync(buffer.AsMemory(0, count), deadline.Token);
        }
        file.Flush(flushToDisk: true);
        if (length is { } all && got != all)
            throw new DownloadException($"the connection ended after {got} of {all} bytes", isFinal: false);
    }

    private DownloadException TooLarge() =>
        new($"the file has more than {most} bytes: set largest-download of its source, if it may", isFinal: true);

    private static DownloadException Answered(HttpStatusCode status) => new(
        $"the server answered {(int)status}",
        isFinal: (int)status is >= 400 and < 500 and not (408 or 416 or 425 or 429) || (int)status is >= 300 and < 400);

    private string? TagOfPart() => File.Exists(_tag) && File.ReadAllText(_tag) is { Length: > 0 } tag ? tag : null;
}
