using Elastic.Foundation;

namespace Elastic.Testing;

/// <summary>
/// A transport that turns every bit of every byte around, and counts: who speaks through another one is not understood, so a test that
/// passes shows that each side asked this one.
/// </summary>
public sealed class ScrambledTransport
{
    private int _opened, _accepted;

    public ScrambledTransport() => Transport = new Transport
    {
        AsClient = (stream, _) => Open(stream),
        AsClientAsync = (stream, _, _) => ValueTask.FromResult<Stream>(Open(stream)),
        AsServerAsync = (stream, _) =>
        {
            Interlocked.Increment(ref _accepted);
            return ValueTask.FromResult<Stream>(new Scrambled(stream));
        },
    };

    public Transport Transport { get; }

    /// <summary>Connections that this process opened.</summary>
    public int Opened => _opened;

    /// <summary>Connections that this process accepted.</summary>
    public int Accepted => _accepted;

    private Scrambled Open(Stream stream)
    {
        Interlocked.Increment(ref _opened);
        return new Scrambled(stream);
    }

    private sealed class Scrambled(Stream inner) : Stream
    {
        public override bool CanRead => true;

        public override bool CanSeek => false;

        public override bool CanWrite => true;

        public override long Length => throw new NotSupportedException();

        public override long Position { get => throw new NotSupportedException(); set => throw new NotSupportedException(); }

        public override void Flush() => inner.Flush();

        public override Task FlushAsync(CancellationToken cancellationToken) => inner.FlushAsync(cancellationToken);

        public override int Read(byte[] buffer, int offset, int count)
        {
            var read = inner.Read(buffer, offset, count);
            Turn(buffer.AsSpan(offset, read));
            return read;
        }

        public override async ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default)
        {
            var read = await inner.ReadAsync(buffer, cancellationToken);
            Turn(buffer.Span[..read]);
            return read;
        }

        public override Task<int> ReadAsync(byte[] buffer, int offset, int count, CancellationToken cancellationToken) =>
            ReadAsync(buffer.AsMemory(offset, count), cancellationToken).AsTask();

        public override void Write(byte[] buffer, int offset, int count) => inner.Write(Turned(buffer.AsSpan(offset, count)));

        public override async ValueTask WriteAsync(ReadOnlyMemory<byte> buffer, CancellationToken cancellationToken = default) =>
            await inner.WriteAsync(Turned(buffer.Span), cancellationToken);

        public override Task WriteAsync(byte[] buffer, int offset, int count, CancellationToken cancellationToken) =>
            WriteAsync(buffer.AsMemory(offset, count), cancellationToken).AsTask();

        public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();

        public override void SetLength(long value) => throw new NotSupportedException();

        protected override void Dispose(bool disposing)
        {
            if (disposing)
                inner.Dispose();
            base.Dispose(disposing);
        }

        private static byte[] Turned(ReadOnlySpan<byte> bytes)
        {
            var turned = bytes.ToArray();
            Turn(turned);
            return turned;
        }

        private static void Turn(Span<byte> bytes)
        {
            foreach (ref var b in bytes)
                b = (byte)~b;
        }
    }
}
