using System.Text;
using Elastic.Foundation;

namespace Elastic.Corpus;

/// <summary>
/// A stream as UTF-8: from UTF-16 where it begins with a byte order mark or a brace of two bytes, or looks like it
/// (<see cref="UnmarkedUtf16"/>), otherwise from <c>corpus.encoding</c>. Looks at its first bytes when it is first read, so that damage
/// there is found by who reads.
/// </summary>
internal sealed class Utf8Source(SourceFile file, Stream stream) : ReadOnlyStream
{
    private Stream? _utf8;

    public override int Read(Span<byte> buffer) => (_utf8 ??= Open()).Read(buffer);

    private Stream Open()
    {
        var whole = RejoinedStream.Peek(stream, UnmarkedUtf16.Looked);
        var encoding = whole.Start switch
        {
            [0xFF, 0xFE, ..] or [(byte)'{', 0, ..] => Encoding.Unicode,
            [0xFE, 0xFF, ..] or [0, (byte)'{', ..] => Encoding.BigEndianUnicode,
            [0xEF, 0xBB, ..] => null,
            // A part does not begin where the file does.
            _ => file.Reading.TextEncoding ?? (file.Part is null ? UnmarkedUtf16.Of(whole.Start) : null),
        };
        return encoding is null ? whole : Encoding.CreateTranscodingStream(whole, encoding, Encoding.UTF8);
    }
}
