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

    private sealed class Scrambled(Stream inner) : PassThroughStream(inner)
    {
        protected override ValueTask ReceivedAsync(Memory<byte> bytes, CancellationToken cancel)
        {
            Turn(bytes.Span);
            return ValueTask.CompletedTask;
        }

        protected override ReadOnlyMemory<byte> Sent(ReadOnlyMemory<byte> bytes)
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
