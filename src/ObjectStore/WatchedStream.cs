using Elastic.Foundation;

namespace Elastic.ObjectStore;

/// <summary>
/// A stream to be sent, which tells each time that some of it is taken: whoever waits for its end knows that it goes on. That it cannot be
/// read is a <see cref="LocalFileException"/>.
/// </summary>
internal sealed class WatchedStream(Stream inner, Action taken) : ReadOnlyStream
{
    public override bool CanSeek => true;

    public override long Length => inner.Length;

    public override long Position
    {
        get => inner.Position;
        set => inner.Position = value;
    }

    public override int Read(Span<byte> buffer)
    {
        taken();
        try
        {
            return inner.Read(buffer);
        }
        catch (IOException e)
        {
            throw new LocalFileException(e);
        }
    }

    public override Task<int> ReadAsync(byte[] buffer, int offset, int count, CancellationToken cancellationToken) =>
        ReadAsync(buffer.AsMemory(offset, count), cancellationToken).AsTask();

    public override async ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default)
    {
        taken();
        try
        {
            return await inner.ReadAsync(buffer, cancellationToken);
        }
        catch (IOException e)
        {
            throw new LocalFileException(e);
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
