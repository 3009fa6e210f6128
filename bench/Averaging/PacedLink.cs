using System.Diagnostics;
using Elastic.Foundation;

namespace Elastic.Bench.Mean;

/// <summary>
/// The link of one node, for machines whose kernel shapes no traffic: all connections that the node has opened together take at most so
/// many bytes a second from the network, below TLS where there is any. Nodes fetch what they need, so that this is all that they receive.
/// </summary>
internal sealed class PacedLink(double bytesPerSecond)
{
    // Timers are no finer than a millisecond or so: a read that is early by less does not wait, and the next one waits for both.
    private static readonly TimeSpan Early = TimeSpan.FromMilliseconds(2);

    // What comes while nobody reads waits in the kernel's buffers, so that a reader that is late by so much loses nothing.
    private static readonly TimeSpan Buffered = TimeSpan.FromMilliseconds(20);

    private readonly Lock _gate = new();
    private readonly long _began = Stopwatch.GetTimestamp();
    private TimeSpan _busyUntil;

    /// <summary>The transport over this link.</summary>
    public Transport Below(Transport transport) => transport with
    {
        AsClientAsync = (stream, endpoint, cancel) => transport.AsClientAsync(new Paced(stream, this), endpoint, cancel),
    };

    private async ValueTask PassAsync(int bytes, CancellationToken cancel)
    {
        TimeSpan wait;
        lock (_gate)
        {
            var now = Stopwatch.GetElapsedTime(_began);
            _busyUntil = (_busyUntil > now - Buffered ? _busyUntil : now - Buffered) + TimeSpan.FromSeconds(bytes / bytesPerSecond);
            wait = _busyUntil - now;
        }

        if (wait > Early)
            await Task.Delay(wait, cancel);
    }

    private sealed class Paced(Stream inner, PacedLink link) : Stream
    {
        public override bool CanRead => true;

        public override bool CanSeek => false;

        public override bool CanWrite => true;

        public override long Length => throw new NotSupportedException();

        public override long Position { get => throw new NotSupportedException(); set => throw new NotSupportedException(); }

        public override async ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default)
        {
            var read = await inner.ReadAsync(buffer, cancellationToken);
            await link.PassAsync(read, cancellationToken);
            return read;
        }

        public override Task<int> ReadAsync(byte[] buffer, int offset, int count, CancellationToken cancellationToken) =>
            ReadAsync(buffer.AsMemory(offset, count), cancellationToken).AsTask();

        public override int Read(byte[] buffer, int offset, int count) =>
            ReadAsync(buffer.AsMemory(offset, count)).AsTask().GetAwaiter().GetResult();

        public override void Write(byte[] buffer, int offset, int count) => inner.Write(buffer, offset, count);

        public override ValueTask WriteAsync(ReadOnlyMemory<byte> buffer, CancellationToken cancellationToken = default) =>
            inner.WriteAsync(buffer, cancellationToken);

        public override Task WriteAsync(byte[] buffer, int offset, int count, CancellationToken cancellationToken) =>
            inner.WriteAsync(buffer, offset, count, cancellationToken);

        public override void Flush() => inner.Flush();

        public override Task FlushAsync(CancellationToken cancellationToken) => inner.FlushAsync(cancellationToken);

        public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();

        public override void SetLength(long value) => throw new NotSupportedException();

        protected override void Dispose(bool disposing)
        {
            if (disposing)
                inner.Dispose();
            base.Dispose(disposing);
        }
    }
}
