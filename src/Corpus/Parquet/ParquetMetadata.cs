using System.Buffers.Binary;

namespace Elastic.Corpus.Parquet;

/// <summary>A column of the table; the columns inside of nested ones are only counted.</summary>
/// <param name="Index">Its place among the columns of a row group.</param>
/// <param name="IsText">
/// It holds a text in each row, or none: bytes that are marked as UTF-8, as JSON or as names of an enumeration, or not marked at all, as
/// older writers leave them.
/// </param>
/// <param name="IsOptional">Rows may have no value.</param>
internal sealed record ParquetField(string Name, int Index, bool IsText, bool IsOptional)
{
    /// <summary>The physical type of its values.</summary>
    public int Type { get; init; }

    /// <summary>It holds a signed number of 4 or 8 bytes in each row, or none; dates and decimals are no such numbers.</summary>
    public bool IsNumber { get; init; }

    /// <summary>Bytes of each of its values; 0 where each says its own length.</summary>
    public int Width => !IsNumber ? 0 : Type is ParquetMetadata.Int32 or ParquetMetadata.Float ? sizeof(int) : sizeof(long);
}

/// <summary>Where a column's values of one row group are.</summary>
/// <param name="Codec">Number of the compression; see <see cref="ParquetCompression"/>.</param>
/// <param name="Start">Place of the first page in the file.</param>
/// <param name="OtherFile">The name of the file that holds the values, where it is not this one.</param>
internal sealed record ColumnChunk(int Type, int Codec, long Values, long Start, string? OtherFile);

/// <summary>Some rows, stored column by column.</summary>
internal sealed record RowGroup(long Rows, IReadOnlyList<ColumnChunk?> Columns);

/// <summary>What stands at the end of a Parquet file.</summary>
/// <param name="PagesEnd">Where the pages end in the file.</param>
internal sealed record ParquetMetadata(IReadOnlyList<ParquetField> Fields, IReadOnlyList<RowGroup> Groups, long PagesEnd)
{
    /// <summary>The physical type of texts: BYTE_ARRAY.</summary>
    public const int ByteArray = 6;

    /// <summary>The physical types of numbers.</summary>
    public const int Int32 = 1, Int64 = 2, Float = 4, Double = 5;

    private const int Magic = 0x31524150, EncryptedMagic = 0x45524150;          // "PAR1", "PARE"
    private const int FirstPage = 4;
    private const int Optional = 1, Repeated = 2;
    private const int Utf8 = 0, Enumeration = 4, Json = 19;                     // ConvertedType
    private const int Int8 = 15, Int64Kind = 18;                                // the same: signed integers, from 8 to 64 bits
    private const int IntegerKind = 10;                                         // LogicalType
    private const int NoKind = -1, OtherKind = 0;                               // not marked, and marked as nothing that is known
    private const int DeepestSchema = 100;

    /// <summary>Reads the end of the file.</summary>
    /// <exception cref="InvalidDataException">It is not that of a Parquet file.</exception>
    public static ParquetMetadata Read(Stream stream)
    {
        if (stream.Length < FirstPage + sizeof(int) + sizeof(int))
            throw new InvalidDataException("it is too short");
        Span<byte> tail = stackalloc byte[2 * sizeof(int)];
        stream.Seek(-tail.Length, SeekOrigin.End);
        stream.ReadExactly(tail);
        var magic = BinaryPrimitives.ReadInt32LittleEndian(tail[sizeof(int)..]);
        if (magic != Magic)
            throw new InvalidDataException(magic == EncryptedMagic ? "it is encrypted" : "it does not end with PAR1");
        var length = BinaryPrimitives.ReadInt32LittleEndian(tail);
        var start = stream.Length - tail.Length - length;
        if (length < 0 || start < FirstPage)
            throw new InvalidDataException($"its metadata of {(uint)length} bytes is longer than the file");
        var bytes = new byte[length];
        stream.Seek(start, SeekOrigin.Begin);
        stream.ReadExactly(bytes);
        return Read(bytes, start);
    }

    private static ParquetMetadata Read(ReadOnlySpan<byte> bytes, long pagesEnd)
    {
        var thrift = new ThriftReader(bytes);
        IReadOnlyList<ParquetField>? fields = null;
        var groups = new List<RowGroup>();
        for (var id = 0; thrift.NextField(ref id, out var type);)
        {
            if (id == 2)
                fields = ReadSchema(ref thrift, type);
            else if (id == 4)
                for (var left = thrift.List(type, out _); left > 0; left--)
                    groups.Add(ReadGroup(ref thrift));
            else if (id == 8)
                throw new InvalidDataException("it is encrypted");
            else
                thrift.Skip(type);
        }
        return new ParquetMetadata(fields ?? throw new InvalidDataException("it has no schema"), groups, pagesEnd);
    }

    // The tree of columns, written parents first, below a root whose name says nothing.
    private static List<ParquetField> ReadSchema(ref ThriftReader thrift, ThriftType listType)
    {
        var (fields, columns) = (new List<ParquetField>(), 0);
        var missing = new Stack<int>();                                         // children that are to come, of each parent
        for (var left = thrift.List(listType, out _); left > 0; left--)
        {
            var element = ReadElement(ref thrift);
            if (missing.Count > 0)
                missing.Push(missing.Pop() - 1);
            if (missing.Count == 1)
                fields.Add(new ParquetField(element.Name, columns,
                    element is { IsText: true, Children: 0, Repetition: not Repeated }, element.Repetition == Optional)
                {
                    Type = element.Physical,
                    IsNumber = element is { IsNumber: true, Children: 0, Repetition: not Repeated },
                });
            if (element.Children > 0)
                missing.Push(element.Children);
            else
                columns++;
            while (missing.TryPeek(out var more) && more <= 0 && left > 1)
                missing.Pop();
            if (missing.Count is 0 or > DeepestSchema)
                throw new InvalidDataException(missing.Count == 0
                    ? "its schema has more columns than it says" : $"its schema nests more than {DeepestSchema} deep");
        }
        return fields;
    }

    private static (string Name, int Repetition, int Children, int Physical, bool IsText, bool IsNumber) ReadElement(
        ref ThriftReader thrift)
    {
        var (name, physical, repetition, children, converted, logical) = ("", -1, 0, 0, -1, NoKind);
        for (var id = 0; thrift.NextField(ref id, out var type);)
        {
            switch (id)
            {
                case 1: physical = thrift.Int32(type); break;
                case 3: repetition = thrift.Int32(type); break;
                case 4: name = thrift.Text(type); break;
                case 5: children = thrift.Int32(type); break;
                case 6: converted = thrift.Int32(type); break;
                case 10: logical = ReadKind(ref thrift, type); break;
                default: thrift.Skip(type); break;
            }
        }
        // LogicalType, of which 1 is a string, 4 an enumeration and 12 JSON.
        var isText = physical == ByteArray && converted is -1 or Utf8 or Enumeration or Json && logical is NoKind or 1 or 4 or 12;
        var isNumber = physical is Int32 or Int64 or Float or Double
            && converted is -1 or (>= Int8 and <= Int64Kind) && logical is NoKind or IntegerKind;
        return (name, repetition, children, physical, isText, isNumber);
    }

    private static int ReadKind(ref ThriftReader thrift, ThriftType listType)
    {
        if (listType != ThriftType.Struct)
            throw new InvalidDataException($"a logical type is expected, not {listType}");
        var kind = OtherKind;
        for (var id = 0; thrift.NextField(ref id, out var type);)
        {
            kind = id;
            thrift.Skip(type);
        }
        return kind;
    }

    private static RowGroup ReadGroup(ref ThriftReader thrift)
    {
        var (rows, columns) = (-1L, new List<ColumnChunk?>());
        for (var id = 0; thrift.NextField(ref id, out var type);)
        {
            if (id == 1)
                for (var left = thrift.List(type, out _); left > 0; left--)
                    columns.Add(ReadChunk(ref thrift));
            else if (id == 3)
                rows = thrift.Int64(type);
            else
                thrift.Skip(type);
        }
        return rows >= 0 ? new RowGroup(rows, columns) : throw new InvalidDataException("a row group does not say how many rows it has");
    }

    private static ColumnChunk? ReadChunk(ref ThriftReader thrift)
    {
        string? otherFile = null;
        ColumnChunk? chunk = null;
        for (var id = 0; thrift.NextField(ref id, out var type);)
        {
            if (id == 1)
                otherFile = thrift.Text(type);
            else if (id == 3 && type == ThriftType.Struct)
                chunk = ReadColumn(ref thrift);
            else
                thrift.Skip(type);
        }
        return chunk is null ? null : chunk with { OtherFile = otherFile };
    }

    private static ColumnChunk ReadColumn(ref ThriftReader thrift)
    {
        var (physical, codec, values, data, dictionary) = (-1, 0, -1L, -1L, -1L);
        for (var id = 0; thrift.NextField(ref id, out var type);)
        {
            switch (id)
            {
                case 1: physical = thrift.Int32(type); break;
                case 4: codec = thrift.Int32(type); break;
                case 5: values = thrift.Int64(type); break;
                case 9: data = thrift.Int64(type); break;
                case 11: dictionary = thrift.Int64(type); break;
                default: thrift.Skip(type); break;
            }
        }
        // Some writers write 0 where there is no dictionary, and some let the first data page's place be the dictionary's.
        var start = dictionary >= FirstPage && dictionary < data ? dictionary : data;
        return new ColumnChunk(physical, codec, values, start, null);
    }
}
