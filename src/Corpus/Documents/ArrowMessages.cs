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
    /// <param name="isCutShort">Whether that is because the file ends before a message does, or before its foot.</param>
    public static (long Start, long End) Find(Stream bytes, out string problem, out bool isCutShort)
    {
        (problem, isCutShort) = ("", false);
        var mark = new byte[FileMark];
        var isFile = bytes.ReadAtLeast(mark, FileMark, throwOnEndOfStream: false) == FileMark && mark.AsSpan().StartsWith("ARROW1"u8);
        var (start, number) = (isFile ? FileMark : 0L, 0);
        for (var position = start; ; number++)
        {
            bytes.Position = position;
            long? length;
            try
            {
                length = Next(bytes);
            }
            catch (EndOfStreamException)
            {
                (length, isCutShort) = (null, true);
            }
            if (length is null)
                problem = $"message {number} is cut short or claims more than there is";
            else if (isFile && position == bytes.Length)
                (problem, isCutShort) = ($"the file ends behind {number} messages, without its foot", true);
            if (length is null or 0)
                return (start, position);
            position += length.Value;
        }
    }

    /// <summary>The most rows that a batch claims, among the messages that are whole.</summary>
    public static long MostRows(Stream bytes)
    {
        const int headerType = 1, header = 2, rows = 0, recordBatch = 3;
        var most = 0L;
        var (position, end) = Find(bytes, out _, out _);
        try
        {
            while (position < end)
            {
                bytes.Position = position;
                var message = FlatTable.Root(Metadata(bytes)!.Value.Bytes);
                if (message.Byte(headerType) == recordBatch && message.TryTable(header, out var batch))
                    most = Math.Max(most, batch.Long(rows));
                bytes.Position = position;
                position += Next(bytes)!.Value;
            }
        }
        catch (InvalidDataException)
        {
            // Damaged, which the reader says.
        }
        return most;
    }

    /// <summary>Whether the first message, if there is one, describes the columns.</summary>
    /// <param name="start">Where it begins.</param>
    public static bool BeginWithSchema(Stream bytes, long start)
    {
        const int headerType = 1, schema = 1;
        bytes.Position = start;
        try
        {
            return Metadata(bytes) is not { } first || first.Bytes.Length == 0 || FlatTable.Root(first.Bytes).Byte(headerType) == schema;
        }
        catch (Exception e) when (e is InvalidDataException or EndOfStreamException)
        {
            return true;        // damaged, which the reader says
        }
    }

    // The length of the next message with what belongs to it; 0 at the end, null where it is none. Throws where the file ends before it.
    private static long? Next(Stream bytes)
    {
        var left = bytes.Length - bytes.Position;
        if (Metadata(bytes) is not { } message)
            return null;
        if (message.Bytes.Length == 0)
            return 0;
        var read = message.HeadLength + message.Bytes.Length;
        return BodyLength(message.Bytes, left - read, bytes.Length) is { } body && body >= 0 ? read + body : null;
    }

    // The next message without what belongs to it; empty at the end, null where there is none.
    private static (int HeadLength, byte[] Bytes)? Metadata(Stream bytes)
    {
        var (head, left) = (new byte[2 * sizeof(int)], bytes.Length - bytes.Position);
        if (left == 0)
            return (0, []);
        if (left < sizeof(int))
            throw new EndOfStreamException();
        var read = bytes.ReadAtLeast(head, (int)Math.Min(left, head.Length), throwOnEndOfStream: false);
        var length = BinaryPrimitives.ReadInt32LittleEndian(head);
        var headLength = sizeof(int);
        if (length == Continuation)
        {
            if (read < head.Length)
                throw new EndOfStreamException();
            (length, headLength) = (BinaryPrimitives.ReadInt32LittleEndian(head.AsSpan(sizeof(int))), head.Length);
        }
        if (length == 0)
            return (headLength, []);
        if (length is < 0 or > MostMetadata)
            return null;
        if (length > left - headLength)
            throw new EndOfStreamException();
        bytes.Position -= read - headLength;
        var metadata = new byte[length];
        bytes.ReadExactly(metadata);
        return (headLength, metadata);
    }

    // The length of the body that a message claims; null where the message is damaged, or claims columns of more rows than the file has
    // bytes: the library makes room for them before it looks at the bytes. Throws where it claims more than is left of the file.
    private static long? BodyLength(ReadOnlySpan<byte> metadata, long left, long fileLength)
    {
        // Tables of the format: Message (version, header type, header, body length), RecordBatch (length, nodes),
        // DictionaryBatch (id, data), and the structure FieldNode (length, nulls).
        const int headerType = 1, header = 2, bodyLength = 3, nodes = 1, data = 1, dictionaryBatch = 2, recordBatch = 3;
        try
        {
            var message = FlatTable.Root(metadata);
            var (type, length) = (message.Byte(headerType), message.Long(bodyLength));
            // Before the rows: of a file that is cut short they may be more than its bytes.
            if (length > left)
                throw new EndOfStreamException();
            if (message.TryTable(header, out var batch)
                && (type == recordBatch || (type == dictionaryBatch && batch.TryTable(data, out batch))))
                for (var rest = batch.Vector(nodes, 2 * sizeof(long)); !rest.IsEmpty; rest = rest[(2 * sizeof(long))..])
                    if (BinaryPrimitives.ReadInt64LittleEndian(rest) is var rows && (rows < 0 || rows > fileLength))
                        return null;
            return length;
        }
        catch (InvalidDataException)
        {
            return null;
        }
    }
}
