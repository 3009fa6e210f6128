using System.Diagnostics;
using Elastic.Foundation;

namespace Elastic.Testing;

/// <summary>
/// The link of one node, for machines whose kernel shapes no traffic: all connections that the node has opened together take at most so
/// many bytes a second from the network, below TLS where there is any. Nodes fetch what they need, so that this is all that they receive.
/// </summary>
public sealed class PacedLink(double bytesPerSecond)
{
    // Timers are no finer than a millisecond or so: a read that is early by less does not wait, and the next one waits for both.
    private static readonly TimeSpan Early = TimeSpan.FromMilliseconds(2);

    // What comes while nobody reads waits in the kernel's buffers, so that a reader that is late by so much loses nothing.
    private static readonly TimeSpan Buffered = TimeSpan.FromMilliseconds(20);

    private readonly Lock _gate = new();
    private readonly long _began = Stopwatch.GetTimestamp();
    private TimeSpan _busyUntil;

    /// <summary>The transport over this link.</summary>
    public Transport Below(Transport transport)
    {
        ArgumentNullException.ThrowIfNull(transport);
        return transport with
        {
            AsClientAsync = (stream, endpoint, cancel) => transport.AsClientAsync(new Paced(stream, this), endpoint, cancel),
        };
    }

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

    private sealed class Paced(Stream inner, PacedLink link) : PassThroughStream(inner)
    {
        protected override ValueTask ReceivedAsync(Memory<byte> bytes, CancellationToken cancel) => link.PassAsync(bytes.Length, cancel);
    }
}
