using System.Runtime.ExceptionServices;
using Elastic.Foundation;

namespace Elastic.Corpus;

/// <summary>A stream whose first bytes were looked at.</summary>
/// <param name="damage">Why there are no more than these; null where the rest follows.</param>
internal sealed class RejoinedStream(byte[] start, Stream rest, ExceptionDispatchInfo? damage = null) : ReadOnlyStream
{
    private int _given;

    /// <summary>The bytes that were looked at.</summary>
    public ReadOnlySpan<byte> Start => start;

    /// <summary>Looks at the first bytes of a stream. Damage among them is found by who reads up to there.</summary>
    /// <param name="rest">Disposed of with the new stream.</param>
    /// <param name="most">How many bytes, where there are that many.</param>
    public static RejoinedStream Peek(Stream rest, int most)
    {
        var (start, length) = (new byte[most], 0);
        ExceptionDispatchInfo? damage = null;
        try
        {
            while (length < most && rest.Read(start.AsSpan(length)) is var count and > 0)
                length += count;
        }
        catch (InvalidDataException e)
        {
            damage = ExceptionDispatchInfo.Capture(e);
        }
        catch
        {
            rest.Dispose();
            throw;
        }
        return new RejoinedStream(start[..length], rest, damage);
    }

    public override int Read(Span<byte> buffer)
    {
        if (_given == start.Length)
        {
            damage?.Throw();
            return rest.Read(buffer);
        }
        var count = Math.Min(buffer.Length, start.Length - _given);
        start.AsSpan(_given, count).CopyTo(buffer);
        _given += count;
        return count;
    }

    protected override void Dispose(bool disposing)
    {
        if (disposing)
            rest.Dispose();
        base.Dispose(disposing);
    }
}
