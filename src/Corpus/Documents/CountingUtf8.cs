using System.Text;

namespace Elastic.Corpus;

/// <summary>
/// Encodings, UTF-8 first of all, that replace invalid bytes by U+FFFD, like the default ones, and count them.
/// </summary>
internal static class CountingUtf8
{
    /// <summary>An encoding that counts into <paramref name="statistics"/>.</summary>
    /// <param name="file">The file that it counts for.</param>
    /// <param name="statistics">Takes the counts.</param>
    /// <param name="other">The encoding, where it is not UTF-8.</param>
    private static Encoding Create(SourceFile file, ReadStatistics statistics, Encoding? other)
    {
        // With its byte order mark, which StreamReader then skips; otherwise StreamReader detects the mark and changes to an encoding that
        // does not count.
        var encoding = (Encoding)(other is null or UTF8Encoding ? new UTF8Encoding(encoderShouldEmitUTF8Identifier: true) : other).Clone();
        encoding.DecoderFallback = new CountingFallback(file, statistics);
        return encoding;
    }

    /// <summary>Decodes in one pass: <see cref="Encoding.GetString(byte[])"/> makes two and would count twice.</summary>
    public static string Decode(ReadOnlySpan<byte> bytes, SourceFile file, ReadStatistics statistics, Encoding? other = null)
    {
        var encoding = Create(file, statistics, other);
        var characters = new char[encoding.GetMaxCharCount(bytes.Length)];
        var count = encoding.GetDecoder().GetChars(bytes, characters, flush: true);
        return new string(characters, 0, count);
    }

    /// <summary>Reads text from a stream, and closes it. Skips a byte order mark; that of UTF-16 or UTF-32 decides the encoding.</summary>
    public static StreamReader Open(Stream stream, SourceFile file, ReadStatistics statistics, Encoding? encoding = null) =>
        new(stream, Create(file, statistics, encoding), detectEncodingFromByteOrderMarks: true, bufferSize: 1 << 16);

    /// <summary>Reads a file as <c>corpus.encoding</c> says, or as UTF-16 where it is that (<see cref="UnmarkedUtf16"/>).</summary>
    public static StreamReader Open(SourceFile file, ReadStatistics statistics)
    {
        var bytes = PackedFile.OpenToDamage(file, statistics);
        // A part does not begin where the file does.
        if (file.Reading.TextEncoding is not null || file.Part is not null)
            return Open(bytes, file, statistics, file.Reading.TextEncoding);
        var whole = RejoinedStream.Peek(bytes, UnmarkedUtf16.Looked);
        return Open(whole, file, statistics, UnmarkedUtf16.Of(whole.Start));
    }

    private sealed class CountingFallback(SourceFile file, ReadStatistics statistics) : DecoderFallback
    {
        public override int MaxCharCount => 1;

        public override DecoderFallbackBuffer CreateFallbackBuffer() => new Buffer(file, statistics);
    }

    private sealed class Buffer(SourceFile file, ReadStatistics statistics) : DecoderFallbackBuffer
    {
        private bool _pending;

        public override int Remaining => _pending ? 1 : 0;

        public override bool Fallback(byte[] bytesUnknown, int index)
        {
            statistics.CountInvalidUtf8(file);
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
