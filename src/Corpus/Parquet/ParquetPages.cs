using System.IO.Hashing;

namespace Elastic.Corpus.Parquet;

/// <summary>Reads the values of a column in one row group, page by page, as bytes; a row without a value has none.</summary>
internal sealed class ParquetPages(Stream stream, long pagesEnd, ReadBudget budget)
{
    // A header without statistics has some 20 bytes; statistics may hold the page's smallest and largest text.
    private const int UsualHeader = 1 << 10, LargestHeader = 16 << 20;
    private const int DataPage = 0, DictionaryPage = 2, DataPageV2 = 3;
    private const int RunLengths = 3;
    private const int BytesPerValue = 4;                    // what a text costs besides its bytes, as in a plain page

    /// <summary>The texts or numbers of <paramref name="chunk"/>, as many as its pages have.</summary>
    /// <exception cref="InvalidDataException">A page is damaged, or of a kind that is not read; the values before it were good.</exception>
    /// <exception cref="EndOfStreamException">The same: it ends too early.</exception>
    public IEnumerable<ReadOnlyMemory<byte>> Values(ColumnChunk chunk, ParquetField field)
    {
        ValueDictionary? dictionary = null;
        var (place, left) = (chunk.Start, chunk.Values);
        while (left > 0)
        {
            var header = ReadHeader(ref place);
            var bytes = ReadBytes(header, ref place);
            switch (header.Type)
            {
                case DictionaryPage when dictionary is null:
                    dictionary = new ValueDictionary(
                        Decompress(chunk.Codec, bytes, header.UncompressedBytes), header.Values, field.Width);
                    break;
                case DictionaryPage:
                    throw new InvalidDataException("there are two dictionary pages");
                case DataPage or DataPageV2:
                    budget.Spend((long)header.Values * BytesPerValue);
                    var page = header.Type == DataPage
                        ? Open(chunk.Codec, header, bytes, field.IsOptional)
                        : OpenV2(chunk.Codec, header, bytes, field.IsOptional);
                    foreach (var value in Values(page, header, dictionary, field.Width))
                    {
                        budget.Spend(value.Length);
                        yield return value;
                    }
                    left -= header.Values;
                    break;
                default:
                    break;                                  // an index page
            }
        }
    }

    // Levels say which rows have a value; null where all have.
    private static IEnumerable<ReadOnlyMemory<byte>> Values(
        (ReadOnlyMemory<byte>? Levels, ReadOnlyMemory<byte> Values) page, PageHeader header, ValueDictionary? dictionary, int width)
    {
        if (page.Levels is not { } levels)
            return ParquetEncodings.Values(header.Encoding, page.Values, header.Values, dictionary, width);
        var present = ParquetEncodings.Numbers(levels, 1, header.Values).Count(level => level == 1);
        return Spread(ParquetEncodings.Numbers(levels, 1, header.Values),
            present == 0 ? [] : ParquetEncodings.Values(header.Encoding, page.Values, present, dictionary, width));
    }

    private static IEnumerable<ReadOnlyMemory<byte>> Spread(IEnumerable<uint> levels, IEnumerable<ReadOnlyMemory<byte>> texts)
    {
        using var text = texts.GetEnumerator();
        foreach (var level in levels)
            yield return level == 1 && text.MoveNext() ? text.Current : ReadOnlyMemory<byte>.Empty;
    }

    private (ReadOnlyMemory<byte>? Levels, ReadOnlyMemory<byte> Values) Open(
        int codec, PageHeader header, ReadOnlyMemory<byte> bytes, bool isOptional)
    {
        var page = Decompress(codec, bytes, header.UncompressedBytes);
        if (!isOptional)
            return (null, page);
        if (header.LevelEncoding != RunLengths)
            throw new InvalidDataException($"levels in encoding {header.LevelEncoding} are not read: write the file again");
        var position = 0;
        var length = Varint.ReadLength(page.Span, ref position);
        return (page.Slice(position, length), page[(position + length)..]);
    }

    // The levels come first and are not compressed. A page of nulls has nothing after them, and nothing to decompress.
    private (ReadOnlyMemory<byte>? Levels, ReadOnlyMemory<byte> Values) OpenV2(
        int codec, PageHeader header, ReadOnlyMemory<byte> bytes, bool isOptional)
    {
        var (repetition, definition) = (header.RepetitionBytes, header.DefinitionBytes);
        if (repetition < 0 || definition < 0 || (long)repetition + definition > bytes.Length)
            throw new InvalidDataException("its levels are longer than the page");
        var values = bytes[(repetition + definition)..];
        if (header.IsCompressed && !values.IsEmpty)
            values = Decompress(codec, values, header.UncompressedBytes - repetition - definition);
        return (isOptional ? bytes.Slice(repetition, definition) : null, values);
    }

    private ReadOnlyMemory<byte> Decompress(int codec, ReadOnlyMemory<byte> bytes, int length)
    {
        budget.SpendPage(length, bytes.Length);
        return ParquetCompression.Decompress(codec, bytes, length);
    }

    private PageHeader ReadHeader(ref long place)
    {
        for (var size = UsualHeader; ; size = LargestHeader)
        {
            var bytes = ReadBytes(place, (int)Math.Min(size, Math.Max(0, pagesEnd - place)));
            try
            {
                var header = PageHeader.Read(bytes, out var length);
                place += length;
                return header;
            }
            catch (EndOfStreamException) when (size < LargestHeader && bytes.Length == size)
            {
                // Statistics with long texts: once more with more bytes.
            }
        }
    }

    private byte[] ReadBytes(PageHeader header, ref long place)
    {
        var bytes = ReadBytes(place, header.CompressedBytes);
        place += bytes.Length;
        if (header.Checksum is { } checksum && checksum != (int)Crc32.HashToUInt32(bytes))
            throw new InvalidDataException("its bytes do not match their checksum");
        return bytes;
    }

    private byte[] ReadBytes(long place, int count)
    {
        if (count < 0 || place < 0 || place + count > pagesEnd)
            throw new InvalidDataException($"a page lies outside of the file (place {place}, {(uint)count} bytes)");
        budget.Spend(count);
        var bytes = new byte[count];
        stream.Seek(place, SeekOrigin.Begin);
        stream.ReadExactly(bytes);
        return bytes;
    }
}

/// <summary>What stands before each page. Numbers that a kind of page does not have are 0.</summary>
internal sealed record PageHeader
{
    public required int Type { get; init; }

    public required int UncompressedBytes { get; init; }

    public required int CompressedBytes { get; init; }

    /// <summary>CRC-32 of the page's bytes as they stand in the file; null where the writer left it out.</summary>
    public required int? Checksum { get; init; }

    public required PageNumbers Numbers { get; init; }

    public int Values => Numbers.Values;

    public int Encoding => Numbers.Encoding;

    public int LevelEncoding => Numbers.LevelEncoding;

    public int DefinitionBytes => Numbers.DefinitionBytes;

    public int RepetitionBytes => Numbers.RepetitionBytes;

    public bool IsCompressed => Numbers.IsCompressed;

    /// <summary>Reads the header at the beginning of <paramref name="bytes"/>.</summary>
    /// <exception cref="InvalidDataException">It is none.</exception>
    /// <exception cref="EndOfStreamException">It does not end there.</exception>
    public static PageHeader Read(ReadOnlySpan<byte> bytes, out int length)
    {
        var thrift = new ThriftReader(bytes);
        var (page, uncompressed, compressed, numbers) = (-1, -1, -1, new PageNumbers());
        int? checksum = null;
        for (var id = 0; thrift.NextField(ref id, out var type);)
        {
            switch (id)
            {
                case 1: page = thrift.Int32(type); break;
                case 2: uncompressed = thrift.Int32(type); break;
                case 3: compressed = thrift.Int32(type); break;
                case 4: checksum = thrift.Int32(type); break;
                case 5 or 7 or 8 when type == ThriftType.Struct: numbers = PageNumbers.Read(ref thrift, id); break;
                default: thrift.Skip(type); break;
            }
        }
        length = thrift.Position;
        if (page < 0 || uncompressed < 0 || compressed < 0 || numbers.Values < 0)
            throw new InvalidDataException("a page does not begin where it should");
        return new PageHeader
        {
            Type = page,
            UncompressedBytes = uncompressed,
            CompressedBytes = compressed,
            Checksum = checksum,
            Numbers = numbers,
        };
    }
}

/// <summary>What a header says about the values of its page.</summary>
internal sealed record PageNumbers
{
    public int Values { get; private set; }

    public int Encoding { get; private set; }

    public int LevelEncoding { get; private set; }

    public int DefinitionBytes { get; private set; }

    public int RepetitionBytes { get; private set; }

    public bool IsCompressed { get; private set; } = true;

    /// <summary>Reads the structure in field 5 (data page), 7 (dictionary page) or 8 (data page of version 2).</summary>
    public static PageNumbers Read(ref ThriftReader thrift, int kind)
    {
        var numbers = new PageNumbers { Values = -1 };
        for (var id = 0; thrift.NextField(ref id, out var type);)
        {
            switch (kind, id)
            {
                case (_, 1): numbers.Values = thrift.Int32(type); break;
                case (5 or 7, 2) or (8, 4): numbers.Encoding = thrift.Int32(type); break;
                case (5, 3): numbers.LevelEncoding = thrift.Int32(type); break;
                case (8, 5): numbers.DefinitionBytes = thrift.Int32(type); break;
                case (8, 6): numbers.RepetitionBytes = thrift.Int32(type); break;
                case (8, 7): numbers.IsCompressed = ThriftReader.Truth(type); break;
                default: thrift.Skip(type); break;
            }
        }
        return numbers;
    }
}
