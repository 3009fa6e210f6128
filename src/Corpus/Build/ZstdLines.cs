using ZstdSharp;

namespace Elastic.Corpus.Build;

/// <summary>The lines of a text that is packed by Zstandard.</summary>
internal static class ZstdLines
{
    private const int FirstBytes = 1 << 16;

    /// <summary>The lines one after the other, without what ends them; an array each.</summary>
    /// <param name="mostBytes">The most bytes of a line: a few packed bytes can stand for more than memory holds.</param>
    /// <param name="damaged">Makes what is thrown where the file is damaged or cut short, or a line is longer; takes the reason.</param>
    /// <param name="cancel">Looked at with each line.</param>
    public static IEnumerable<byte[]> Read(string path, int mostBytes, Func<string, Exception> damaged, CancellationToken cancel)
    {
        using var unpacked = new DecompressionStream(File.OpenRead(path), leaveOpen: false);
        var (buffer, length) = (new byte[FirstBytes], 0);
        while (Fill(unpacked, buffer.AsSpan(length), damaged) is var read and > 0)
        {
            var (start, looked) = (0, length);
            length += read;
            while (buffer.AsSpan(looked..length).IndexOf((byte)'\n') is var end and >= 0)
            {
                cancel.ThrowIfCancellationRequested();
                yield return buffer[start..(looked + end)];
                start = looked = looked + end + 1;
            }
            length -= start;
            if (length > mostBytes || length == Array.MaxLength)
                throw damaged($"a line of it has more than {Math.Min(mostBytes, Array.MaxLength)} bytes");
            var rest = buffer.AsSpan(start, length);
            if (length == buffer.Length)
                buffer = new byte[(int)Math.Min(2L * length, Array.MaxLength)];
            rest.CopyTo(buffer);
        }
        if (length > 0)
            yield return buffer[..length];
    }

    private static int Fill(DecompressionStream unpacked, Span<byte> into, Func<string, Exception> damaged)
    {
        try
        {
            return unpacked.Read(into);
        }
        catch (Exception e) when (e is ZstdException or EndOfStreamException)
        {
            throw damaged(e.Message);
        }
    }
}
