using System.Runtime.ExceptionServices;
using System.Text;
using AngleSharp.Dom;
using AngleSharp.Html.Dom;
using AngleSharp.Html.Parser;
using Elastic.Foundation;

namespace Elastic.Corpus;

/// <summary>
/// Ends the HTML parser at a page that asks too much of it: the time of some pages grows with the square of their size, and the memory of
/// others with the product of two numbers of tags. The parser cannot be cancelled; it calls here for each element and for more bytes.
/// </summary>
/// <param name="clock">Measures how long the parser takes.</param>
internal sealed class PageBounds(SourceFile file, byte[] page, int length, TimeProvider clock)
{
    // How often the depth is looked at: a look walks up to the root, which is at most as far as the parser lets elements nest.
    private const int ElementsPerLook = 256;

    // The parser lets no element be deeper and goes on as if it were; from then on each tag looks through all that are open.
    private const int DeepestElement = 510;
    private const int MostDeepLooks = 16;

    // What the parser allocates: up to 150 bytes for each byte of a page of tags alone, and 200 MB at the depth above. Unclosed <font>s,
    // repeated for each paragraph, take the product of two numbers of tags.
    private const long AllocatedPerByte = 512;
    private const long AllocatedAlways = 256 << 20;

    // The parser calls itself for each of these that directly follows another one, until its stack is full and the process dies.
    private static readonly byte[][] Recursive = ["</>"u8.ToArray(), "--!"u8.ToArray()];
    private const int MostRecursive = 1000;

    private readonly TimeSpan _longest = ReadLimits.TimePerMiB * (1 + length / (1 << 20));
    private long _start;
    private long _allocated;
    private int _elements;
    private int _deepLooks;
    private IElement? _last;

    /// <summary>Parses the page within the bounds.</summary>
    /// <exception cref="RejectedFileException">The page is beyond one of them, whoever parses it.</exception>
    /// <exception cref="SlowPageException">
    /// It takes too long here: whether a document is in a corpus is never decided by a clock.
    /// </exception>
    public IHtmlDocument Parse()
    {
        foreach (var repeated in Recursive)
            if (LongestRun(page.AsSpan(0, length), repeated) > MostRecursive)
                throw ReadLimits.Exceeded(file, $"repeats {Encoding.ASCII.GetString(repeated)} more often than the HTML parser bears");
        (_start, _allocated) = (clock.GetTimestamp(), GC.GetAllocatedBytesForCurrentThread());
        try
        {
            return new HtmlParser(new HtmlParserOptions { OnCreated = (element, _) => Count(element) })
                .ParseDocument(new Watched(this, new MemoryStream(page, 0, length)));
        }
        catch (AggregateException e) when (e.GetBaseException() is ElasticException or OperationCanceledException)
        {
            // The parser waits for a task that reads: what ends the reading there is no fault of the page either.
            ExceptionDispatchInfo.Throw(e.GetBaseException());
            throw;
        }
    }

    // Zero bytes do not count: in UTF-16 they stand between the others.
    private static int LongestRun(ReadOnlySpan<byte> bytes, ReadOnlySpan<byte> repeated)
    {
        var (longest, matched) = (0, 0);
        foreach (var b in bytes)
            if (b == repeated[matched % repeated.Length])
                longest = Math.Max(longest, ++matched);
            else if (b != 0)
                matched = b == repeated[0] ? 1 : 0;
        return longest / repeated.Length;
    }

    private void Count(IElement element)
    {
        if (GC.GetAllocatedBytesForCurrentThread() - _allocated > AllocatedAlways + AllocatedPerByte * length)
            throw ReadLimits.Exceeded(file, $"leaves so many tags open that its {length} bytes fill the memory");
        if (++_elements % ElementsPerLook == 0)
            Look();
        _last = element;
    }

    private void Look()
    {
        CheckTime();
        var depth = 0;
        // The last element: the new one is in no tree yet.
        for (INode? node = _last; node is not null; node = node.Parent)
            depth++;
        if (depth > DeepestElement && ++_deepLooks > MostDeepLooks)
            throw ReadLimits.Exceeded(file, $"has more than {MostDeepLooks * ElementsPerLook} elements more than {DeepestElement} deep");
    }

    private void CheckTime()
    {
        file.Cancel.ThrowIfCancellationRequested();
        if (clock.GetElapsedTime(_start) > _longest)
            throw new SlowPageException(
                $"the HTML parser has not ended {file.Shown} after {_longest.TotalSeconds:0} seconds: this machine may have been busy with "
                + "other work, so give the same command again; where the page itself is the reason, leave it out "
                + $"({file.LeftOutBy})");
    }

    private sealed class Watched(PageBounds bounds, Stream bytes) : ReadOnlyStream
    {
        public override int Read(Span<byte> buffer)
        {
            bounds.CheckTime();
            return bytes.Read(buffer);
        }
    }
}
