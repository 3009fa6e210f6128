namespace Elastic.Corpus.Parquet;

/// <summary>
/// Turns the bytes of a page into numbers and texts, one after the other. Each yields as many values as asked for, or throws
/// <see cref="InvalidDataException"/> or <see cref="EndOfStreamException"/> at the first one that is not there.
/// </summary>
internal static class ParquetEncodings
{
    // Encoding of the format.
    private const int Plain = 0, PlainDictionary = 2, DeltaLength = 6, DeltaBytes = 7, RleDictionary = 8;

    private const int LargestBlock = 1 << 20;

    /// <summary>The texts or numbers of a data page.</summary>
    /// <param name="dictionary">The values that the page's numbers stand for; null where there was no dictionary page.</param>
    /// <param name="width">Bytes of each value; 0 for texts.</param>
    public static IEnumerable<ReadOnlyMemory<byte>> Values(
        int encoding, ReadOnlyMemory<byte> data, int count, ValueDictionary? dictionary, int width) => encoding switch
        {
            Plain => width > 0 ? PlainNumbers(data, count, width) : PlainTexts(data, count),
            PlainDictionary or RleDictionary => DictionaryValues(data, count,
                dictionary ?? throw new InvalidDataException("its values stand in a dictionary page, and there is none")),
            DeltaLength when width == 0 => DeltaLengthTexts(data, count),
            DeltaBytes when width == 0 => DeltaTexts(data, count),
            _ => throw new InvalidDataException(
                $"{(width == 0 ? "texts" : "numbers")} in encoding {encoding} are not read: write the file again with plain pages"),
        };

    /// <summary>[length][bytes]…</summary>
    public static IEnumerable<ReadOnlyMemory<byte>> PlainTexts(ReadOnlyMemory<byte> data, int count)
    {
        for (var position = 0; count > 0; count--)
        {
            var length = Varint.ReadLength(data.Span, ref position);
            yield return data.Slice(position, length);
            position += length;
        }
    }

    // Numbers of so many bytes, the lowest one first.
    private static IEnumerable<ReadOnlyMemory<byte>> PlainNumbers(ReadOnlyMemory<byte> data, int count, int width)
    {
        for (var i = 0; i < count; i++)
            yield return (long)(i + 1) * width <= data.Length ? data.Slice(i * width, width)
                : throw new EndOfStreamException("the numbers end too early");
    }

    /// <summary>
    /// Numbers of <paramref name="bits"/> bits: runs of one number, and groups of 8 numbers whose bits stand side by side.
    /// </summary>
    public static IEnumerable<uint> Numbers(ReadOnlyMemory<byte> data, int bits, int count)
    {
        if (bits > 32)
            throw new InvalidDataException($"numbers of {bits} bits are no places in a dictionary");
        for (var position = 0; count > 0;)
        {
            var header = Varint.Read(data.Span, ref position);
            var run = (long)Math.Min(int.MaxValue, header >> 1);
            if ((header & 1) == 0)
            {
                var number = Run(data.Span, bits, ref position);
                for (; run > 0 && count > 0; run--, count--)
                    yield return number;
                continue;
            }
            // The last group may be cut where its numbers are not needed.
            var groups = data[position..];
            for (var i = 0L; i < run * 8 && count > 0; i++, count--)
                yield return (uint)Bits(groups.Span, i * bits, bits);
            position = (int)Math.Min(data.Length, position + run * bits);
        }
    }

    private static uint Run(ReadOnlySpan<byte> data, int bits, ref int position)
    {
        var number = 0u;
        for (var i = 0; i < (bits + 7) / 8; i++)
            number |= position < data.Length ? (uint)data[position++] << (8 * i) : throw new EndOfStreamException("a run ends too early");
        return bits == 32 || number >> bits == 0 ? number : throw new InvalidDataException($"a run of {number} has more than {bits} bits");
    }

    // The lowest bit first.
    private static ulong Bits(ReadOnlySpan<byte> data, long first, int bits)
    {
        if (first + bits > 8L * data.Length)
            throw new EndOfStreamException("packed numbers end too early");
        var number = 0UL;
        for (var done = 0; done < bits;)
        {
            var (index, offset) = ((int)((first + done) >> 3), (int)((first + done) & 7));
            var taken = Math.Min(8 - offset, bits - done);
            number |= (ulong)((data[index] >> offset) & ((1 << taken) - 1)) << done;
            done += taken;
        }
        return number;
    }

    private static IEnumerable<ReadOnlyMemory<byte>> DictionaryValues(
        ReadOnlyMemory<byte> data, int count, ValueDictionary dictionary)
    {
        if (count == 0)
            yield break;
        if (data.IsEmpty)
            throw new EndOfStreamException("the places in the dictionary are missing");
        foreach (var place in Numbers(data[1..], data.Span[0], count))
            yield return place < dictionary.Count
                ? dictionary[(int)place]
                : throw new InvalidDataException($"place {place} of a dictionary of {dictionary.Count} values does not exist");
    }

    private static IEnumerable<ReadOnlyMemory<byte>> DeltaLengthTexts(ReadOnlyMemory<byte> data, int count)
    {
        var position = 0;
        foreach (var length in DeltaNumbers(data.Span, count, ref position))
        {
            if (length > data.Length - position)
                throw new EndOfStreamException("the texts end too early");
            yield return data.Slice(position, length);
            position += length;
        }
    }

    // Each text begins with so many bytes of the one before.
    private static IEnumerable<ReadOnlyMemory<byte>> DeltaTexts(ReadOnlyMemory<byte> data, int count)
    {
        var position = 0;
        var (shared, i) = (DeltaNumbers(data.Span, count, ref position), 0);
        ReadOnlyMemory<byte> before = default;
        foreach (var rest in DeltaLengthTexts(data[position..], count))
        {
            var kept = shared[i++];
            if (kept > before.Length)
                throw new InvalidDataException($"a text begins with {kept} bytes of one that has {before.Length}");
            var text = new byte[kept + rest.Length];
            before[..kept].CopyTo(text);
            rest.CopyTo(text.AsMemory(kept));
            yield return before = text;
        }
    }

    // DELTA_BINARY_PACKED, of numbers that are lengths.
    private static int[] DeltaNumbers(ReadOnlySpan<byte> data, int count, ref int position)
    {
        var block = Varint.Read(data, ref position);
        var parts = Varint.Read(data, ref position);
        var total = Varint.Read(data, ref position);
        var number = Varint.ReadSigned(data, ref position);
        if (block is 0 or > LargestBlock || parts is 0 or > LargestBlock || block % parts != 0 || block / parts % 8 != 0)
            throw new InvalidDataException($"blocks of {block} numbers in {parts} parts are not possible");
        if (total != (ulong)count)
            throw new InvalidDataException($"{total} lengths are given for {count} texts");
        var (numbers, done, perPart) = (new int[count], 0, (int)(block / parts));
        while (done < count)
        {
            if (done == 0)
                numbers[done++] = Checked(number);
            if (done == count)
                break;
            var least = Varint.ReadSigned(data, ref position);
            if (data.Length - position < (int)parts)
                throw new EndOfStreamException("a block of lengths ends too early");
            var widths = data.Slice(position, (int)parts);
            position += (int)parts;
            for (var part = 0; part < widths.Length && done < count; part++)
            {
                var width = widths[part];
                if (width > 64)
                    throw new InvalidDataException($"numbers of {width} bits are no lengths");
                var packed = data[position..];
                for (var i = 0; i < perPart && done < count; i++)
                    numbers[done++] = Checked(number = unchecked(number + least + (long)Bits(packed, (long)i * width, width)));
                position = (int)Math.Min(data.Length, position + (long)perPart / 8 * width);
            }
        }
        return numbers;
    }

    private static int Checked(long length) =>
        length is >= 0 and <= int.MaxValue ? (int)length : throw new InvalidDataException($"a length of {length} is not possible");
}

/// <summary>The texts or numbers of a dictionary page, which its data pages name by their places.</summary>
internal sealed class ValueDictionary
{
    private readonly ReadOnlyMemory<byte> _page;
    private readonly int _width;
    // None of numbers.
    private readonly int[] _starts = [];

    /// <param name="page">[length][bytes]…, or numbers side by side.</param>
    /// <param name="count">How many values the page has.</param>
    /// <param name="width">Bytes of each value; 0 for texts.</param>
    public ValueDictionary(ReadOnlyMemory<byte> page, int count, int width)
    {
        if (count > page.Length / Math.Max(sizeof(int), width))
            throw new InvalidDataException(
                $"a dictionary page of {page.Length} bytes has no {count} {(width == 0 ? "texts" : "numbers")}");
        (_page, _width, Count) = (page, width, count);
        if (width > 0)
            return;
        _starts = new int[count];
        for (int i = 0, position = 0; i < count; i++)
        {
            _starts[i] = position;
            var length = Varint.ReadLength(page.Span, ref position);
            position += length;
        }
    }

    public int Count { get; }

    public ReadOnlyMemory<byte> this[int place]
    {
        get
        {
            if (_width > 0)
                return _page.Slice(place * _width, _width);
            var position = _starts[place];
            var length = Varint.ReadLength(_page.Span, ref position);
            return _page.Slice(position, length);
        }
    }
}
