using System.Buffers.Binary;

namespace Elastic.Corpus;

/// <summary>A table of FlatBuffers, of which nothing is believed: what lies outside of the bytes is an error.</summary>
/// <param name="bytes">The whole buffer.</param>
/// <param name="at">Where the table begins.</param>
internal readonly ref struct FlatTable(ReadOnlySpan<byte> bytes, long at)
{
    private const int FirstField = 2 * sizeof(ushort);

    private readonly ReadOnlySpan<byte> _bytes = bytes;
    private readonly long _at = at;

    /// <summary>The table that a buffer holds.</summary>
    public static FlatTable Root(ReadOnlySpan<byte> bytes) =>
        new(bytes, BinaryPrimitives.ReadUInt32LittleEndian(At(bytes, 0, sizeof(uint))));

    /// <summary>A field of one byte; 0 where it is not there.</summary>
    public byte Byte(int field) => Place(field) is > 0 and var place ? At(_bytes, place, 1)[0] : (byte)0;

    /// <summary>A field of eight bytes; 0 where it is not there.</summary>
    public long Long(int field) => Place(field) is > 0 and var place
        ? BinaryPrimitives.ReadInt64LittleEndian(At(_bytes, place, sizeof(long))) : 0;

    /// <summary>A field that is a table; false where it is not there.</summary>
    public bool TryTable(int field, out FlatTable table)
    {
        var place = Place(field);
        table = place > 0 ? new FlatTable(_bytes, place + Offset(place)) : default;
        return place > 0;
    }

    /// <summary>A field that is a vector of structures of some bytes, as these bytes.</summary>
    public ReadOnlySpan<byte> Vector(int field, int size)
    {
        var place = Place(field);
        if (place == 0)
            return [];
        var start = place + Offset(place);
        return At(_bytes, start + sizeof(uint), Offset(start) * size);
    }

    private long Offset(long place) => BinaryPrimitives.ReadUInt32LittleEndian(At(_bytes, place, sizeof(uint)));

    private long Place(int field)
    {
        var fields = _at - BinaryPrimitives.ReadInt32LittleEndian(At(_bytes, _at, sizeof(int)));
        var length = BinaryPrimitives.ReadUInt16LittleEndian(At(_bytes, fields, sizeof(ushort)));
        var entry = FirstField + field * sizeof(ushort);
        var offset = entry + sizeof(ushort) > length ? 0
            : BinaryPrimitives.ReadUInt16LittleEndian(At(_bytes, fields + entry, sizeof(ushort)));
        return offset == 0 ? 0 : _at + offset;
    }

    private static ReadOnlySpan<byte> At(ReadOnlySpan<byte> bytes, long at, long length) =>
        at >= 0 && length >= 0 && at <= bytes.Length - length ? bytes.Slice((int)at, (int)length)
            : throw new InvalidDataException("an offset leads out of the message");
}
