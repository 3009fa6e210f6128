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

    private sealed class Recording(Stream inner, ConcurrentQueue<byte[]> sent) : PassThroughStream(inner)
    {
        protected override ReadOnlyMemory<byte> Sent(ReadOnlyMemory<byte> bytes)
        {
            sent.Enqueue(bytes.ToArray());
            return bytes;
        }
    }
}
