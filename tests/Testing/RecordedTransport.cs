using System.Collections.Concurrent;
using Elastic.Foundation;

namespace Elastic.Testing;

/// <summary>A transport, and every byte that it puts on the wire.</summary>
public sealed class RecordedTransport
{
    private readonly ConcurrentQueue<byte[]> _sent = [];

    public RecordedTransport(Transport inner)
    {
        ArgumentNullException.ThrowIfNull(inner);
        Transport = inner with
        {
            AsClient = (stream, endpoint) => inner.AsClient(new Recording(stream, _sent), endpoint),
            AsClientAsync = (stream, endpoint, cancel) => inner.AsClientAsync(new Recording(stream, _sent), endpoint, cancel),
            AsServerAsync = (stream, cancel) => inner.AsServerAsync(new Recording(stream, _sent), cancel),
        };
    }

    public Transport Transport { get; }

    /// <summary>What was sent so far, by all connections.</summary>
    public byte[] Sent => [.. _sent.SelectMany(s => s)];

    private sealed class Recording(Stream inner, ConcurrentQueue<byte[]> sent) : Stream
    {
        public override bool CanRead => true;

        public override bool CanSeek => false;

        public override bool CanWrite => true;

        public override long Length => throw new NotSupportedException();

        public override long Position { get => throw new NotSupportedException(); set => throw new NotSupportedException(); }

        public override void Flush() => inner.Flush();

        public override int Read(byte[] buffer, int offset, int count) => inner.Read(buffer, offset, count);

        public override ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default) =>
            inner.ReadAsync(buffer, cancellationToken);

        public override void Write(byte[] buffer, int offset, int count)
        {
            sent.Enqueue(buffer.AsSpan(offset, count).ToArray());
            inner.Write(buffer, offset, count);
        }

        public override ValueTask WriteAsync(ReadOnlyMemory<byte> buffer, CancellationToken cancellationToken = default)
        {
            sent.Enqueue(buffer.ToArray());
            return inner.WriteAsync(buffer, cancellationToken);
        }

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
