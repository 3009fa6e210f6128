using System.Buffers.Binary;
using System.Runtime.InteropServices;
using Elastic.Foundation;
using Elastic.Model.Training;
using Elastic.Model.Vectors;

namespace Elastic.Model.Splits;

/// <summary>Rows of an embedding as they go to its owner: offset, columns and count, the tokens, the rows; little-endian.</summary>
internal static unsafe class StageRows
{
    /// <summary>Bytes of no rows.</summary>
    public const int Least = 16;

    /// <summary>Bytes of a row for each token.</summary>
    public static int Most(Segment table) =>
        (int)Math.Min(Array.MaxLength, Least + (long)sizeof(int) * table.Shape[0] * (1 + table.Shape[1]));

    public static byte[] Pack(ScatteredRows rows)
    {
        var (tokens, floats) = (rows.Count * sizeof(int), checked(rows.Count * rows.Columns));
        var bytes = new byte[Least + tokens + floats * sizeof(float)];
        BinaryPrimitives.WriteInt64LittleEndian(bytes, rows.Offset);
        BinaryPrimitives.WriteInt32LittleEndian(bytes.AsSpan(8), rows.Columns);
        BinaryPrimitives.WriteInt32LittleEndian(bytes.AsSpan(12), rows.Count);
        MemoryMarshal.AsBytes(rows.Tokens).CopyTo(bytes.AsSpan(Least));
        new ReadOnlySpan<byte>(rows.Rows, floats * sizeof(float)).CopyTo(bytes.AsSpan(Least + tokens));
        GC.KeepAlive(rows);
        return bytes;
    }

    /// <exception cref="ElasticException">They are no rows of a table of this network.</exception>
    public static void Unpack(ReadOnlySpan<byte> bytes, ScatteredRows into, Segment table)
    {
        var (offset, C, count) = (
            BinaryPrimitives.ReadInt64LittleEndian(bytes), BinaryPrimitives.ReadInt32LittleEndian(bytes[8..]),
            BinaryPrimitives.ReadInt32LittleEndian(bytes[12..]));
        if (count == 0)
            return;
        if (offset != table.Offset || C != table.Shape[1] || count < 0 || count > table.Shape[0]
            || bytes.Length != Least + (long)count * sizeof(int) * (1 + C))
            throw new ElasticException($"{count} rows of {C} for element {offset} are no rows of {table.Name}");
        var tokens = MemoryMarshal.Cast<byte, int>(bytes.Slice(Least, count * sizeof(int)));
        for (var i = 0; i < count; i++)
        {
            if (tokens[i] <= (i == 0 ? -1 : tokens[i - 1]) || tokens[i] >= table.Shape[0])
                throw new ElasticException(
                    $"rows of the embedding came with token {tokens[i]} in place {i}: they ascend, below {table.Shape[0]}");
        }
        tokens.CopyTo(into.Prepare(offset, C, count));
        bytes[(Least + count * sizeof(int))..].CopyTo(new Span<byte>(into.Rows, count * C * sizeof(float)));
        into.Keep(count);
    }
}
