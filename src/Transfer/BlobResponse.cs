using System.Globalization;
using Elastic.Foundation;
using Microsoft.AspNetCore.Http;
using Microsoft.Win32.SafeHandles;

namespace Elastic.Transfer;

/// <summary>Answers <c>GET</c> and <c>HEAD</c> for one blob: whole, or the one range that is asked for.</summary>
public static class BlobResponse
{
    /// <summary>Bytes read and sent at a time: enough that system calls cost little, few enough to stay in the processor's cache.</summary>
    public const int PieceBytes = 256 << 10;

    // A receiver that takes no bytes for this long is dead, even if its connection is not closed.
    private static readonly TimeSpan MostPerPiece = TimeSpan.FromSeconds(60);

    public static async Task SendAsync(HttpContext context, BlobLocations locations)
    {
        var response = context.Response;
        var hex = context.Request.RouteValues["sha256"] as string ?? "";
        if (!Digest.IsDigest(hex) || Open(await locations.FindAsync(new Digest(hex), context.RequestAborted)) is not { } file)
        {
            response.StatusCode = StatusCodes.Status404NotFound;
            return;
        }

        using (file)
        {
            var length = RandomAccess.GetLength(file);
            response.Headers.AcceptRanges = "bytes";
            response.ContentType = "application/octet-stream";
            var (first, count) = (0L, length);
            switch (RangeOf(context.Request, length))
            {
                case (_, 0):
                    response.StatusCode = StatusCodes.Status416RangeNotSatisfiable;
                    response.Headers.ContentRange = string.Create(CultureInfo.InvariantCulture, $"bytes */{length}");
                    return;
                case { } range:
                    (first, count) = range;
                    response.StatusCode = StatusCodes.Status206PartialContent;
                    response.Headers.ContentRange = string.Create(
                        CultureInfo.InvariantCulture, $"bytes {first}-{first + count - 1}/{length}");
                    break;
            }

            response.ContentLength = count;
            if (HttpMethods.IsGet(context.Request.Method))
                await CopyAsync(context, file, first, count);
        }
    }

    private static async Task CopyAsync(HttpContext context, SafeFileHandle file, long offset, long count)
    {
        using var deadline = CancellationTokenSource.CreateLinkedTokenSource(context.RequestAborted);
        // After the response has started, the writer gives the connection's memory: a file's bytes are copied once, from the page cache.
        await context.Response.StartAsync(deadline.Token);
        var writer = context.Response.BodyWriter;
        while (count > 0)
        {
            var memory = writer.GetMemory(PieceBytes)[..(int)Math.Min(count, PieceBytes)];
            // Synchronous on purpose: on Linux the asynchronous form is this same call on another thread of the pool.
            var read = RandomAccess.Read(file, memory.Span, offset);
            if (read == 0)
            {
                context.Abort();    // The file became shorter: only a broken connection can still report that.
                return;
            }

            writer.Advance(read);
            offset += read;
            count -= read;
            deadline.CancelAfter(MostPerPiece);
            try
            {
                if ((await writer.FlushAsync(deadline.Token)).IsCompleted)
                    return;
            }
            catch (OperationCanceledException)
            {
                context.Abort();
                return;
            }
        }
    }

    // Null: the whole blob. A count of 0: the range holds no byte of the blob. Several ranges get the whole blob, as RFC 9110 allows.
    private static (long First, long Count)? RangeOf(HttpRequest request, long length)
    {
        if (request.GetTypedHeaders().Range is not { Unit.Value: "bytes", Ranges: { Count: 1 } ranges })
            return null;
        return ranges.Single() switch
        {
            { From: { } from, To: var to } => from >= length ? (from, 0) : (from, Math.Min(to ?? length - 1, length - 1) - from + 1),
            { To: { } last } => (Math.Max(0, length - last), Math.Min(last, length)),
            _ => null,
        };
    }

    private static SafeFileHandle? Open(string? path)
    {
        try
        {
            // Retention may delete the file meanwhile; an open file stays readable.
            return path is null ? null : DurableFile.OpenShared(path);
        }
        catch (Exception e) when (e is FileNotFoundException or DirectoryNotFoundException)
        {
            return null;
        }
    }
}
