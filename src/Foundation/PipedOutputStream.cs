using System.Runtime.InteropServices;

namespace Elastic.Foundation;

/// <summary>
/// Standard output that ends the process once nobody reads it any more, as <c>| head</c> does. .NET's own stream drops what it is given
/// then, and a command would work on for nobody.
/// </summary>
public sealed partial class PipedOutputStream : Stream
{
    private const int StandardOutput = 1;
    private const short Error = 0x8, HangUp = 0x10;             // POLLERR: of a pipe without a reader; POLLHUP: of a socket

    private readonly Stream _output;
    private readonly int _descriptor;
    private readonly Action _closed;

    /// <param name="descriptor">The file descriptor below <paramref name="output"/>.</param>
    /// <param name="closed">Called before each write that nobody would read.</param>
    internal PipedOutputStream(Stream output, int descriptor, Action closed) =>
        (_output, _descriptor, _closed) = (output, descriptor, closed);

    /// <summary>
    /// Makes <see cref="Console.Out"/> such an output, unless it is a terminal: one that was closed sends a signal of its own. Windows has
    /// no such signal: nothing changes there.
    /// </summary>
    public static void Use()
    {
        if (OperatingSystem.IsWindows() || !Console.IsOutputRedirected)
            return;
        var stream = new PipedOutputStream(Console.OpenStandardOutput(), StandardOutput, ProcessSignals.EndByClosedPipe);
        Console.SetOut(new StreamWriter(stream, Console.Out.Encoding) { AutoFlush = true });
    }

    public override bool CanRead => false;

    public override bool CanSeek => false;

    public override bool CanWrite => true;

    public override long Length => throw new NotSupportedException();

    public override long Position
    {
        get => throw new NotSupportedException();
        set => throw new NotSupportedException();
    }

    public override void Write(ReadOnlySpan<byte> buffer)
    {
        var polled = new Polled { Descriptor = _descriptor };
        if (Poll(ref polled, 1, 0) > 0 && (polled.Found & (Error | HangUp)) != 0)
            _closed();
        _output.Write(buffer);
    }

    public override void Write(byte[] buffer, int offset, int count) => Write(buffer.AsSpan(offset, count));

    public override void Flush() => _output.Flush();

    public override int Read(byte[] buffer, int offset, int count) => throw new NotSupportedException();

    public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();

    public override void SetLength(long value) => throw new NotSupportedException();

    protected override void Dispose(bool disposing)
    {
        if (disposing)
            _output.Dispose();
        base.Dispose(disposing);
    }

    // The pollfd of poll(2).
    [StructLayout(LayoutKind.Sequential)]
    private struct Polled
    {
        public int Descriptor;
        public short Asked;
        public short Found;
    }

    [LibraryImport("libc", EntryPoint = "poll", SetLastError = true)]
    private static partial int Poll(ref Polled polled, nuint count, int milliseconds);
}
