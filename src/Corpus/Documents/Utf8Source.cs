using System.Text;

namespace Elastic.Corpus;

/// <summary>
/// A stream as UTF-8: from UTF-16 where it begins with a byte order mark or a brace of two bytes, otherwise from <c>corpus.encoding</c>.
/// Looks at its first bytes when it is first read, so that damage there is found by who reads.
/// </summary>
internal sealed class Utf8Source(SourceFile file, Stream stream) : ReadOnlyStream
{
    private Stream? _utf8;

    public override int Read(Span<byte> buffer) => (_utf8 ??= Open()).Read(buffer);

    private Stream Open()
    {
        var start = new byte[2];
        var length = stream.ReadAtLeast(start, start.Length, throwOnEndOfStream: false);
        var encoding = start switch
        {
            [0xFF, 0xFE] or [(byte)'{', 0] => Encoding.Unicode,
            [0xFE, 0xFF] or [0, (byte)'{'] => Encoding.BigEndianUnicode,
            [0xEF, 0xBB] => null,
            _ => file.Reading.TextEncoding,
        };
        var whole = new RejoinedStream(start[..length], stream);
        return encoding is null ? whole : Encoding.CreateTranscodingStream(whole, encoding, Encoding.UTF8);
    }
}

/// <summary>A stream whose first bytes were looked at.</summary>
internal sealed class RejoinedStream(byte[] start, Stream rest) : ReadOnlyStream
{
    private int _given;

    public override int Read(Span<byte> buffer)
    {
        if (_given == start.Length)
            return rest.Read(buffer);
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
