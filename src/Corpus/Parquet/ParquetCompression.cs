using System.Buffers.Binary;
using System.IO.Compression;
using ZstdSharp;
using ZstdSharp.Unsafe;

namespace Elastic.Corpus.Parquet;

/// <summary>Decompresses pages. What comes out is as long as the page says, or the page is damaged.</summary>
internal static class ParquetCompression
{
    // CompressionCodec of the format.
    private const int None = 0, SnappyCodec = 1, Gzip = 2, Lzo = 3, Brotli = 4, HadoopLz4 = 5, Zstandard = 6, Lz4Raw = 7;

    // The window that zstd's own tools allow.
    private const int LargestWindowLog = 27;

    /// <summary>Null where the codec can be read; otherwise what to do about it.</summary>
    public static string? ProblemOf(int codec) => codec switch
    {
        >= None and <= Lz4Raw and not Lzo => null,
        Lzo => "it is compressed with LZO, which is not read: write the file again with zstd or snappy",
        _ => $"it is compressed in a way that is not known (codec {codec}): write the file again with zstd or snappy",
    };

    /// <summary>Decompresses to exactly <paramref name="length"/> bytes.</summary>
    /// <exception cref="InvalidDataException">The data are damaged, or become more or less.</exception>
    public static ReadOnlyMemory<byte> Decompress(int codec, ReadOnlyMemory<byte> data, int length)
    {
        if (codec == None)
            return data.Length == length ? data : throw new InvalidDataException($"{data.Length} bytes are there, not {length}");
        // A page without values has nothing to decompress, whatever the codec.
        if (data.IsEmpty && length == 0)
            return data;
        var into = new byte[length];
        switch (codec)
        {
            case SnappyCodec:
                Snappy.Decompress(data.Span, into);
                break;
            case Gzip:
                using (var gzip = new GZipStream(Stream(data), CompressionMode.Decompress))
                    ReadAll(gzip, into);
                break;
            case Brotli:
                if (!BrotliDecoder.TryDecompress(data.Span, into, out var written) || written != length)
                    throw new InvalidDataException("the brotli data are damaged");
                break;
            case Zstandard:
                DecompressZstandard(data, into);
                break;
            case HadoopLz4:
                DecompressHadoopLz4(data.Span, into);
                break;
            case Lz4Raw:
                Lz4.Decompress(data.Span, into);
                break;
            default:
                throw new InvalidDataException(ProblemOf(codec));
        }
        return into;
    }

    private static void DecompressZstandard(ReadOnlyMemory<byte> data, byte[] into)
    {
        try
        {
            using var decompressor = new Decompressor();
            decompressor.SetParameter(ZSTD_dParameter.ZSTD_d_windowLogMax, LargestWindowLog);
            using var stream = new DecompressionStream(Stream(data), decompressor);
            ReadAll(stream, into);
        }
        catch (ZstdException e)
        {
            throw new InvalidDataException($"the zstd data are damaged ({e.Message})", e);
        }
    }

    // Hadoop's own framing: [length][compressed length][block]…, the lengths with the highest byte first. Some writers wrote the same
    // codec number over plain blocks.
    private static void DecompressHadoopLz4(ReadOnlySpan<byte> data, Span<byte> into)
    {
        if (!IsHadoopFramed(data, into.Length))
        {
            Lz4.Decompress(data, into);
            return;
        }
        while (!data.IsEmpty)
        {
            var (length, compressed) = FrameOf(data);
            Lz4.Decompress(data.Slice(8, compressed), into[..length]);
            data = data[(8 + compressed)..];
            into = into[length..];
        }
    }

    private static bool IsHadoopFramed(ReadOnlySpan<byte> data, long length)
    {
        while (data.Length >= 8)
        {
            var (becomes, compressed) = FrameOf(data);
            if (becomes < 0 || compressed < 0 || becomes > length || compressed > data.Length - 8)
                return false;
            data = data[(8 + compressed)..];
            length -= becomes;
        }
        return data.IsEmpty && length == 0;
    }

    private static (int Length, int Compressed) FrameOf(ReadOnlySpan<byte> data) =>
        (BinaryPrimitives.ReadInt32BigEndian(data), BinaryPrimitives.ReadInt32BigEndian(data[4..]));

    private static void ReadAll(Stream stream, byte[] into)
    {
        stream.ReadExactly(into);
        if (stream.ReadByte() >= 0)
            throw new InvalidDataException($"the data become more than the {into.Length} bytes that the page says");
    }

    private static MemoryStream Stream(ReadOnlyMemory<byte> data) => new(data.ToArray(), writable: false);
}

/// <summary>Snappy's raw format: literals, and copies of what came before.</summary>
internal static class Snappy
{
    /// <summary>Fills <paramref name="into"/>.</summary>
    /// <exception cref="InvalidDataException">The data are damaged, or become more or less.</exception>
    public static void Decompress(ReadOnlySpan<byte> data, Span<byte> into)
    {
        var position = 0;
        if (Varint.Read(data, ref position) != (ulong)into.Length)
            throw new InvalidDataException($"the snappy data do not become the {into.Length} bytes that the page says");
        var output = new BlockOutput(into);
        while (position < data.Length)
        {
            var tag = data[position++];
            if ((tag & 3) == 0)
            {
                var length = (tag >> 2) + 1;
                if (length > 60)                                                // 61 to 64: the length stands in 1 to 4 bytes of its own
                    length = (int)Math.Min(int.MaxValue, Number(data, ref position, length - 60) + 1);
                output.Literal(data, ref position, length);
                continue;
            }
            var (count, distance) = (tag & 3) switch
            {
                1 => (((tag >> 2) & 7) + 4, ((long)(tag >> 5) << 8) | Number(data, ref position, 1)),
                2 => ((tag >> 2) + 1, Number(data, ref position, 2)),
                _ => ((tag >> 2) + 1, Number(data, ref position, 4)),
            };
            output.Copy(distance, count);
        }
        output.Complete();
    }

    private static long Number(ReadOnlySpan<byte> data, ref int position, int bytes)
    {
        if (bytes > data.Length - position)
            throw new InvalidDataException("the snappy data end too early");
        var number = 0L;
        for (var i = 0; i < bytes; i++)
            number |= (long)data[position++] << (8 * i);
        return number;
    }
}

/// <summary>LZ4's block format.</summary>
internal static class Lz4
{
    private const int ShortestCopy = 4;

    /// <summary>Fills <paramref name="into"/>.</summary>
    /// <exception cref="InvalidDataException">The data are damaged, or become more or less.</exception>
    public static void Decompress(ReadOnlySpan<byte> data, Span<byte> into)
    {
        var position = 0;
        var output = new BlockOutput(into);
        while (position < data.Length)
        {
            var token = data[position++];
            output.Literal(data, ref position, Length(data, ref position, token >> 4));
            if (position == data.Length)
                break;                                                          // the last sequence has literals only
            if (data.Length - position < 2)
                throw new InvalidDataException("the LZ4 data end too early");
            var distance = BinaryPrimitives.ReadUInt16LittleEndian(data[position..]);
            position += 2;
            output.Copy(distance, Length(data, ref position, token & 15) + ShortestCopy);
        }
        output.Complete();
    }

    // 15 is followed by bytes to be added, up to the first one below 255.
    private static int Length(ReadOnlySpan<byte> data, ref int position, int first)
    {
        var length = first;
        for (byte next = 255; first == 15 && next == 255;)
        {
            if (position == data.Length)
                throw new InvalidDataException("the LZ4 data end too early");
            next = data[position++];
            length = (int)Math.Min(int.MaxValue / 2, (long)length + next);
        }
        return length;
    }
}

/// <summary>The bytes that a block becomes. Nothing is written or copied outside of them.</summary>
internal ref struct BlockOutput(Span<byte> into)
{
    private readonly Span<byte> _into = into;
    private int _written;

    /// <summary>Takes bytes of the block as they are.</summary>
    public void Literal(ReadOnlySpan<byte> data, ref int position, int length)
    {
        if (length > data.Length - position || length > _into.Length - _written)
            throw new InvalidDataException("the compressed data are damaged");
        data.Slice(position, length).CopyTo(_into[_written..]);
        position += length;
        _written += length;
    }

    /// <summary>Repeats bytes that were written before, perhaps some that this call writes.</summary>
    public void Copy(long distance, int length)
    {
        if (distance <= 0 || distance > _written || length > _into.Length - _written)
            throw new InvalidDataException("the compressed data are damaged");
        var from = _written - (int)distance;
        if (distance >= length)
            _into.Slice(from, length).CopyTo(_into[_written..]);
        else
            for (var i = 0; i < length; i++)
                _into[_written + i] = _into[from + i];
        _written += length;
    }

    /// <summary>Checks that nothing is missing.</summary>
    public readonly void Complete()
    {
        if (_written < _into.Length)
            throw new InvalidDataException($"the compressed data become {_written} bytes and not {_into.Length}");
    }
}
