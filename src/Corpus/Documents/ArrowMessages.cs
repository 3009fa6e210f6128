using System.Buffers.Binary;

namespace Elastic.Corpus;

/// <summary>
/// Walks over the messages of an Arrow stream (Arrow columnar format 1.5, "Encapsulated message format") without reading what they hold:
/// the library believes the lengths that they claim. A file of Arrow is such a stream, too, behind its mark.
/// </summary>
internal static class ArrowMessages
{
    // A description of the columns, never their values.
    private const int MostMetadata = 16 << 20;
    private const int Continuation = -1;
    private const int FileMark = 8;

    /// <summary>Where the messages begin, and where the last one that is whole ends.</summary>
    /// <param name="problem">Why there are no more behind it; empty where they end as they should.</param>
    public static (long Start, long End) Find(Stream bytes, out string problem)
    {
        var mark = new byte[FileMark];
        var isFile = bytes.ReadAtLeast(mark, FileMark, throwOnEndOfStream: false) == FileMark && mark.AsSpan().StartsWith("ARROW1"u8);
        var (start, number) = (isFile ? FileMark : 0L, 0);
        for (var position = start; ; number++)
        {
            bytes.Position = position;
            if (Next(bytes) is not { } length)
            {
                problem = $"message {number} is cut short or claims more than there is";
                return (start, position);
            }
            if (length == 0)
            {
                problem = "";
                return (start, position);
            }
            position += length;
        }
    }

    // The length of the next message with what belongs to it; 0 at the end, null where it is none.
    private static long? Next(Stream bytes)
    {
        var (head, left) = (new byte[2 * sizeof(int)], bytes.Length - bytes.Position);
        if (left == 0)
            return 0;
        if (left < sizeof(int))
            return null;
        var read = bytes.ReadAtLeast(head, (int)Math.Min(left, head.Length), throwOnEndOfStream: false);
        var length = BinaryPrimitives.ReadInt32LittleEndian(head);
        var headLength = sizeof(int);
        if (length == Continuation)
        {
            if (read < head.Length)
                return null;
            (length, headLength) = (BinaryPrimitives.ReadInt32LittleEndian(head.AsSpan(sizeof(int))), head.Length);
        }
        if (length == 0)
            return 0;
        if (length < 0 || length > Math.Min(MostMetadata, left - headLength))
            return null;
        bytes.Position -= read - headLength;
        var metadata = new byte[length];
        bytes.ReadExactly(metadata);
        return BodyLength(metadata) is { } body && body >= 0 && body <= left - headLength - length ? headLength + length + body : null;
    }

    // Field 3 of the table "Message" of FlatBuffers; null where the table is damaged.
    private static long? BodyLength(ReadOnlySpan<byte> metadata)
    {
        const int bodyLength = 3;
        if (metadata.Length < sizeof(uint))
            return null;
        var table = (long)BinaryPrimitives.ReadUInt32LittleEndian(metadata);
        if (table > metadata.Length - sizeof(int))
            return null;
        var fields = table - BinaryPrimitives.ReadInt32LittleEndian(metadata[(int)table..]);
        if (fields < 0 || fields > metadata.Length - sizeof(ushort))
            return null;
        var entry = fields + 2 * sizeof(ushort) + bodyLength * sizeof(ushort);
        if (entry + sizeof(ushort) > fields + BinaryPrimitives.ReadUInt16LittleEndian(metadata[(int)fields..]))
            return 0;
        if (entry > metadata.Length - sizeof(ushort))
            return null;
        var at = BinaryPrimitives.ReadUInt16LittleEndian(metadata[(int)entry..]);
        return at == 0 ? 0 : table + at > metadata.Length - sizeof(long) ? null
            : BinaryPrimitives.ReadInt64LittleEndian(metadata[(int)(table + at)..]);
    }
}
