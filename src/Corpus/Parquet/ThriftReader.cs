using System.Buffers.Binary;
using System.Text;

namespace Elastic.Corpus.Parquet;

/// <summary>The types of Thrift's compact protocol.</summary>
internal enum ThriftType
{
    Stop = 0,
    True = 1,
    False = 2,
    Byte = 3,
    Int16 = 4,
    Int32 = 5,
    Int64 = 6,
    Double = 7,
    Binary = 8,
    List = 9,
    Set = 10,
    Map = 11,
    Struct = 12,
    Uuid = 13,
}

/// <summary>
/// Reads Thrift's compact protocol, in which Parquet writes its metadata. Every call either moves forward or throws, no call allocates more
/// than the bytes that are there, and structures nest to a limit: damaged bytes end in an exception, never in a loop.
/// </summary>
/// <remarks>
/// <see cref="EndOfStreamException"/>: the bytes end too early. <see cref="InvalidDataException"/>: they mean nothing.
/// </remarks>
internal ref struct ThriftReader(ReadOnlySpan<byte> bytes)
{
    // Parquet's own metadata nests six deep.
    private const int DeepestStructure = 32;

    private readonly ReadOnlySpan<byte> _bytes = bytes;
    private int _depth;

    /// <summary>Bytes read so far.</summary>
    public int Position { get; private set; }

    /// <summary>The next field of a structure; false at its end.</summary>
    /// <param name="id">The number of the field before, 0 before the first one.</param>
    public bool NextField(ref int id, out ThriftType type)
    {
        var header = Byte();
        type = (ThriftType)(header & 15);
        if (type == ThriftType.Stop)
            return false;
        id = header >> 4 == 0 ? (int)SignedNumber() : id + (header >> 4);
        return true;
    }

    /// <summary>A truth value of a field, which the field's type says.</summary>
    public static bool Truth(ThriftType type) => type switch
    {
        ThriftType.True => true,
        ThriftType.False => false,
        _ => throw new InvalidDataException($"a truth value is expected, not {type}"),
    };

    /// <summary>A whole number of 32 bits.</summary>
    public int Int32(ThriftType type)
    {
        var number = Int64(type);
        return number is >= int.MinValue and <= int.MaxValue ? (int)number : throw new InvalidDataException($"{number} has too many bits");
    }

    /// <summary>A whole number of any length.</summary>
    public long Int64(ThriftType type) => type is ThriftType.Int16 or ThriftType.Int32 or ThriftType.Int64
        ? SignedNumber()
        : throw new InvalidDataException($"a whole number is expected, not {type}");

    /// <summary>A text.</summary>
    public string Text(ThriftType type) => type == ThriftType.Binary
        ? Encoding.UTF8.GetString(Take(Length()))
        : throw new InvalidDataException($"a text is expected, not {type}");

    /// <summary>The number of elements of a list, whose elements follow. Each of them takes at least a byte.</summary>
    public int List(ThriftType type, out ThriftType elements)
    {
        if (type is not (ThriftType.List or ThriftType.Set))
            throw new InvalidDataException($"a list is expected, not {type}");
        var header = Byte();
        elements = (ThriftType)(header & 15);
        var count = header >> 4 == 15 ? Length() : header >> 4;
        return count <= _bytes.Length - Position ? count : throw new EndOfStreamException($"a list of {count} elements does not end");
    }

    /// <summary>Passes over a value.</summary>
    public void Skip(ThriftType type)
    {
        if (++_depth > DeepestStructure)
            throw new InvalidDataException($"the metadata nests more than {DeepestStructure} deep");
        switch (type)
        {
            case ThriftType.True or ThriftType.False:
                break;
            case ThriftType.Byte:
                Take(1);
                break;
            case ThriftType.Int16 or ThriftType.Int32 or ThriftType.Int64:
                SignedNumber();
                break;
            case ThriftType.Double:
                Take(sizeof(double));
                break;
            case ThriftType.Uuid:
                Take(16);
                break;
            case ThriftType.Binary:
                Take(Length());
                break;
            case ThriftType.List or ThriftType.Set:
                for (var left = List(type, out var elements); left > 0; left--)
                    SkipElement(elements);
                break;
            case ThriftType.Map:
                SkipMap();
                break;
            case ThriftType.Struct:
                for (var id = 0; NextField(ref id, out var field);)
                    Skip(field);
                break;
            default:
                throw new InvalidDataException($"there is no type {(int)type}");
        }
        _depth--;
    }

    private void SkipMap()
    {
        var count = Length();
        if (count == 0)
            return;
        var types = Byte();
        for (; count > 0; count--)
        {
            SkipElement((ThriftType)(types >> 4));
            SkipElement((ThriftType)(types & 15));
        }
    }

    // A truth value takes a byte as an element, and none as a field.
    private void SkipElement(ThriftType type) => Skip(type is ThriftType.True or ThriftType.False ? ThriftType.Byte : type);

    private int Length() =>
        Number() is var number and <= int.MaxValue ? (int)number : throw new InvalidDataException("a length has too many bits");

    private long SignedNumber()
    {
        var number = Number();
        return (long)(number >> 1) ^ -(long)(number & 1);
    }

    private ulong Number()
    {
        var position = Position;
        var number = Varint.Read(_bytes, ref position);
        Position = position;
        return number;
    }

    private byte Byte() => Take(1)[0];

    private ReadOnlySpan<byte> Take(int count)
    {
        if (count > _bytes.Length - Position)
            throw new EndOfStreamException("the metadata ends too early");
        var taken = _bytes.Slice(Position, count);
        Position += count;
        return taken;
    }
}

/// <summary>Numbers of 7 bits a byte, the lowest ones first.</summary>
internal static class Varint
{
    /// <summary>The number at <paramref name="position"/>, which moves behind it.</summary>
    public static ulong Read(ReadOnlySpan<byte> bytes, ref int position)
    {
        var number = 0UL;
        for (var shift = 0; shift < 70; shift += 7)
        {
            if (position >= bytes.Length)
                throw new EndOfStreamException("a number does not end");
            var next = bytes[position++];
            number |= (ulong)(next & 127) << shift;
            if (next < 128)
                return number;
        }
        throw new InvalidDataException("a number has more than 64 bits");
    }

    /// <summary>A signed one, whose lowest bit is its sign.</summary>
    public static long ReadSigned(ReadOnlySpan<byte> bytes, ref int position)
    {
        var number = Read(bytes, ref position);
        return (long)(number >> 1) ^ -(long)(number & 1);
    }

    /// <summary>A length of four bytes, the lowest one first.</summary>
    public static int ReadLength(ReadOnlySpan<byte> bytes, ref int position)
    {
        if (bytes.Length - position < sizeof(int))
            throw new EndOfStreamException("a length does not end");
        var length = BinaryPrimitives.ReadInt32LittleEndian(bytes[position..]);
        position += sizeof(int);
        return length >= 0 && length <= bytes.Length - position
            ? length
            : throw new InvalidDataException($"a length of {(uint)length} bytes is more than there is");
    }
}
