using System.Globalization;
using System.IO.Compression;
using System.Text;
using Elastic.Foundation;
using ZstdSharp;

namespace Elastic.Corpus;

/// <summary>An answer of a web server as a crawler stored it (RFC 9112).</summary>
/// <param name="Status">200 and so on.</param>
/// <param name="Head">Its fields; names without regard to case.</param>
/// <param name="Body">As it was sent.</param>
internal sealed record HttpMessage(int Status, IReadOnlyDictionary<string, string> Head, ReadOnlyMemory<byte> Body)
{
    /// <summary>Reads the head of a message; null where it is none.</summary>
    public static HttpMessage? Read(byte[] block)
    {
        var end = block.AsSpan(0, Math.Min(block.Length, ReadLimits.HeadBytes)).IndexOf("\r\n\r\n"u8);
        var lines = Encoding.Latin1.GetString(block.AsSpan(0, Math.Max(0, end))).Split("\r\n");
        var words = lines[0].Split(' ', 3);
        if (end < 0 || !words[0].StartsWith("HTTP/", StringComparison.Ordinal) || words.Length < 2
            || !int.TryParse(words[1], NumberStyles.None, CultureInfo.InvariantCulture, out var status))
            return null;
        var head = new Dictionary<string, string>(StringComparer.OrdinalIgnoreCase);
        foreach (var line in lines.Skip(1))
            if (line.IndexOf(':', StringComparison.Ordinal) is var colon and > 0)
                head.TryAdd(line[..colon].Trim(), line[(colon + 1)..].Trim());
        return new HttpMessage(status, head, block.AsMemory(end + 4));
    }

    /// <summary>
    /// The body without chunks and compression. Some crawlers store it without them and leave the head as it was: what does not look
    /// chunked or compressed is taken as it is.
    /// </summary>
    /// <exception cref="InvalidDataException">It breaks off, or is compressed in a way that is not known.</exception>
    public byte[] Decoded()
    {
        var body = Head.GetValueOrDefault("Transfer-Encoding", "").Contains("chunked", StringComparison.OrdinalIgnoreCase)
            ? Joined(Body) : Body.ToArray();
        foreach (var coding in Codings().Reverse())
            body = Unpacked(body, coding);
        return body;
    }

    private IEnumerable<string> Codings() => Head.GetValueOrDefault("Content-Encoding", "")
        .Split(',', StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries).Select(c => c.ToLowerInvariant());

    // RFC 9112, section 7.1: a hexadecimal size, perhaps with extensions, and so many bytes, up to a size of 0.
    private static byte[] Joined(ReadOnlyMemory<byte> body)
    {
        using var joined = new MemoryStream();
        for (var rest = body; ;)
        {
            var end = rest.Span[..Math.Min(rest.Length, 1 << 10)].IndexOf("\r\n"u8);
            var size = Encoding.Latin1.GetString(rest.Span[..Math.Max(0, end)]).Split(';')[0].Trim();
            if (end < 0 || !int.TryParse(size, NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out var count) || count < 0)
                return rest.Length == body.Length ? body.ToArray() : throw new InvalidDataException("a chunk does not begin with its size");
            if (count == 0)
                return joined.ToArray();
            rest = rest[(end + 2)..];
            if (rest.Length < count + 2L)
                throw new InvalidDataException($"a chunk of {count} bytes breaks off after {rest.Length}");
            joined.Write(rest.Span[..count]);
            rest = rest[(count + 2)..];
        }
    }

    private static byte[] Unpacked(byte[] body, string coding)
    {
        var bytes = new MemoryStream(body, writable: false);
        Stream? unpacked = coding switch
        {
            "identity" => null,
            "gzip" or "x-gzip" => body is [0x1F, 0x8B, ..] ? new GzipFile(bytes, passesOverRest: true) : null,
            // RFC 9110, section 8.4.1.2: in the frame of zlib, which some servers leave out.
            "deflate" => body is [var first, var second, ..] && (first & 0x0F) == 8 && ((first << 8) | second) % 31 == 0
                ? new ZLibStream(bytes, CompressionMode.Decompress) : new DeflateStream(bytes, CompressionMode.Decompress),
            "br" => new BrotliStream(bytes, CompressionMode.Decompress),
            "zstd" => body is [0x28, 0xB5, 0x2F, 0xFD, ..] ? new DecompressionStream(bytes) : null,
            _ => throw new InvalidDataException($"the Content-Encoding {OneLine.Of(coding, 40)} is not known"),
        };
        if (unpacked is null)
            return body;
        using (unpacked)
        {
            var whole = new MemoryStream();
            var buffer = new byte[1 << 16];
            while (Read(unpacked, buffer) is var count and > 0)
            {
                whole.Write(buffer.AsSpan(0, count));
                if (whole.Length > ReadLimits.RecordBytes)
                    throw new InvalidDataException($"the body becomes more than {ReadLimits.RecordBytes} bytes when it is unpacked");
            }
            return whole.ToArray();
        }
    }

    private static int Read(Stream unpacked, byte[] buffer)
    {
        try
        {
            return unpacked.Read(buffer);
        }
        catch (Exception e) when (e is not (InvalidDataException or OutOfMemoryException))
        {
            throw new InvalidDataException(e.Message, e);
        }
    }
}
