using Elastic.Foundation;

namespace Elastic.Corpus;

/// <summary>
/// The bytes of a source file. What the disk does not give is an error that names the file: the readers take every other exception for
/// damage of the text, of which a little may be left out, and a corpus that lacks what a disk did not read would be another corpus.
/// </summary>
/// <param name="inner">Disposed of with this stream.</param>
/// <param name="unreadable">Makes the error.</param>
/// <param name="cancel">Looked at with each read.</param>
internal sealed class SourceStream(Stream inner, Func<Exception, ElasticException> unreadable, CancellationToken cancel)
    : ReadOnlyStream
{
    public override bool CanSeek => inner.CanSeek;

    public override long Length => inner.Length;

    public override long Position
    {
        get => inner.Position;
        set => inner.Position = value;
    }

    public override int Read(Span<byte> buffer)
    {
        cancel.ThrowIfCancellationRequested();
        try
        {
            return inner.Read(buffer);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw unreadable(e);
        }
    }

    public override long Seek(long offset, SeekOrigin origin) => inner.Seek(offset, origin);

    protected override void Dispose(bool disposing)
    {
        if (disposing)
            inner.Dispose();
        base.Dispose(disposing);
    }
}
