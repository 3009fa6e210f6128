using System.Text;

namespace Elastic.Corpus;

/// <summary>UTF-8 that replaces invalid bytes by U+FFFD, like the default encoding, and counts them.</summary>
internal static class CountingUtf8
{
    /// <summary>An encoding that counts into <paramref name="statistics"/>.</summary>
    public static Encoding Create(ReadStatistics statistics)
    {
        // With its byte order mark, which StreamReader then skips; otherwise StreamReader detects the mark and changes to an encoding that
        // does not count.
        var encoding = (Encoding)new UTF8Encoding(encoderShouldEmitUTF8Identifier: true).Clone();
        encoding.DecoderFallback = new CountingFallback(statistics);
        return encoding;
    }

    /// <summary>Decodes in one pass: <see cref="Encoding.GetString(byte[])"/> makes two and would count twice.</summary>
    public static string Decode(ReadOnlySpan<byte> bytes, ReadStatistics statistics)
    {
        var characters = new char[bytes.Length + 1];
        var count = Create(statistics).GetDecoder().GetChars(bytes, characters, flush: true);
        return new string(characters, 0, count);
    }

    /// <summary>Reads text from a stream, and closes it. Skips a byte order mark; that of UTF-16 or UTF-32 decides the encoding.</summary>
    public static StreamReader Open(Stream stream, ReadStatistics statistics) =>
        new(stream, Create(statistics), detectEncodingFromByteOrderMarks: true, bufferSize: 1 << 16);

    /// <inheritdoc cref="Open(Stream, ReadStatistics)"/>
    public static StreamReader Open(SourceFile file, ReadStatistics statistics) => Open(file.OpenRead(), statistics);

    private sealed class CountingFallback(ReadStatistics statistics) : DecoderFallback
    {
        public override int MaxCharCount => 1;

        public override DecoderFallbackBuffer CreateFallbackBuffer() => new Buffer(statistics);
    }

    private sealed class Buffer(ReadStatistics statistics) : DecoderFallbackBuffer
    {
        private bool _pending;

        public override int Remaining => _pending ? 1 : 0;

        public override bool Fallback(byte[] bytesUnknown, int index)
        {
            statistics.CountInvalidUtf8();
            return _pending = true;
        }

        public override char GetNextChar()
        {
            var next = _pending ? '\uFFFD' : '\0';
            _pending = false;
            return next;
        }

        public override bool MovePrevious() => false;

        public override void Reset() => _pending = false;
    }
}
