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
    private const byte Schema = 1;

    // Behind the foot of a file: its length, and the mark again.
    private const int FootEnd = sizeof(int) + 6;

    private static ReadOnlySpan<byte> EndMark => [0xFF, 0xFF, 0xFF, 0xFF, 0, 0, 0, 0];

    /// <summary>Finds the messages of a file, or of a stream in it.</summary>
    /// <param name="from">Where the stream begins: 0, or <see cref="ArrowExtent.Rest"/> of the one before.</param>
    public static ArrowExtent Find(Stream bytes, long from = 0)
    {
        bytes.Position = from;
        var mark = new byte[FileMark];
        var isFile = from == 0
            && bytes.ReadAtLeast(mark, FileMark, throwOnEndOfStream: false) == FileMark && mark.AsSpan().StartsWith("ARROW1"u8);
        var (start, foot) = (isFile ? FileMark : from, isFile ? FootOf(bytes) : null);
        var stop = foot ?? bytes.Length;
        var (problem, isCutShort) = ("", false);
        for (var (position, number) = (start, 0); ; number++)
        {
            bytes.Position = position;
            long? length;
            try
            {
                // A foot that is wrong takes no message away.
                length = position == foot ? 0 : Next(bytes, bytes.Length);
            }
            catch (EndOfStreamException)
            {
                (length, isCutShort) = (null, true);
            }
            if (length is null)
                problem = $"message {number} is cut short or claims more than there is";
            // Where a foot is, some writers leave out the mark of the end before it (Arrow.jl).
            else if (isFile && foot is null && position == bytes.Length)
                (problem, isCutShort) = ($"the file ends behind {number} messages, without its foot", true);
            if (length is > 0)
                position += length.Value;
            else
                return new ArrowExtent(start, position, problem, isCutShort)
                {
                    Rest = length is null ? stop : BehindMarks(bytes, position, stop),
                    Stop = stop,
                    IsFile = isFile,
                };
        }
    }

    /// <summary>The stream that follows the end of another one, as <c>cat a.arrow b.arrow</c> joins them; null where none does.</summary>
    public static ArrowExtent? FindNext(Stream bytes, ArrowExtent last) =>
        last is { IsFile: false, Problem: "" } && last.Rest < last.Stop && TypeOf(bytes, last.Rest) == Schema
            ? Find(bytes, last.Rest) : null;

    /// <summary>The most rows that a batch claims, among the messages of a stream that are whole.</summary>
    public static long MostRows(Stream bytes, ArrowExtent stream)
    {
        const int headerType = 1, header = 2, rows = 0, recordBatch = 3;
        var most = 0L;
        var (position, end) = (stream.Start, stream.End);
        try
        {
            while (position < end)
            {
                bytes.Position = position;
                var message = FlatTable.Root(Metadata(bytes, end)!.Value.Bytes);
                if (message.Byte(headerType) == recordBatch && message.TryTable(header, out var batch))
                    most = Math.Max(most, batch.Long(rows));
                bytes.Position = position;
                position += Next(bytes, end)!.Value;
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
    public static bool BeginWithSchema(Stream bytes, long start) => TypeOf(bytes, start) is null or Schema;

    // What a message holds; null where there is none, or a damaged one, which the reader says.
    private static byte? TypeOf(Stream bytes, long position)
    {
        const int headerType = 1;
        bytes.Position = position;
        try
        {
            return Metadata(bytes, bytes.Length) is { Bytes.Length: > 0 } message ? FlatTable.Root(message.Bytes).Byte(headerType) : null;
        }
        catch (Exception e) when (e is InvalidDataException or EndOfStreamException)
        {
            return null;
        }
    }

    // Where the foot of a file begins, whose length and mark are at the end; null where there is none.
    private static long? FootOf(Stream bytes)
    {
        var end = new byte[FootEnd];
        if (bytes.Length < FileMark + FootEnd)
            return null;
        bytes.Position = bytes.Length - FootEnd;
        bytes.ReadExactly(end);
        var length = BinaryPrimitives.ReadInt32LittleEndian(end);
        return end.AsSpan(sizeof(int)).SequenceEqual("ARROW1"u8) && length > 0 && length <= bytes.Length - FootEnd - FileMark
            ? bytes.Length - FootEnd - length : null;
    }

    // What follows the marks that end a stream, of which some writers make several, or fill up with zeros.
    private static long BehindMarks(Stream bytes, long position, long stop)
    {
        bytes.Position = position;
        for (var block = new byte[512]; position < stop;)
        {
            var read = bytes.ReadAtLeast(block, (int)Math.Min(block.Length, stop - position), throwOnEndOfStream: false);
            var seen = block.AsSpan(0, (int)Math.Min(read, stop - position));
            var at = 0;
            for (var count = -1; count != 0 && at < seen.Length; at += count)
            {
                // Before the first version of the format the length of the next message followed at once, and may begin with a zero.
                var zeros = seen[at..].IndexOfAnyExcept((byte)0);
                count = seen[at..].StartsWith(EndMark) ? EndMark.Length : zeros < 0 ? seen.Length - at : zeros / sizeof(int) * sizeof(int);
            }
            position += at;
            // The last bytes of a block may be the beginning of a mark.
            if (at == 0)
                break;
            bytes.Position = position;
        }
        return position;
    }

    // The length of the next message with what belongs to it; 0 at the end, null where it is none. Throws where the file ends before it.
    private static long? Next(Stream bytes, long stop)
    {
        var left = stop - bytes.Position;
        if (Metadata(bytes, stop) is not { } message)
            return null;
        if (message.Bytes.Length == 0)
            return 0;
        var read = message.HeadLength + message.Bytes.Length;
        return BodyLength(message.Bytes, left - read, bytes.Length) is { } body && body >= 0 ? read + body : null;
    }

    // The next message without what belongs to it; empty at the end, null where there is none.
    private static (int HeadLength, byte[] Bytes)? Metadata(Stream bytes, long stop)
    {
        var (head, left) = (new byte[2 * sizeof(int)], stop - bytes.Position);
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

/// <summary>The messages of a stream of Arrow in the bytes of a file.</summary>
/// <param name="Start">Where the first one begins.</param>
/// <param name="End">Where the last one that is whole ends.</param>
/// <param name="Problem">Why there are no more messages; empty where they end as they should.</param>
/// <param name="IsCutShort">Whether that is because the file ends before a message does, or before its foot.</param>
internal readonly record struct ArrowExtent(long Start, long End, string Problem, bool IsCutShort)
{
    /// <summary>Where what is behind the mark of the end begins; <see cref="Stop"/> where nothing is.</summary>
    public required long Rest { get; init; }

    /// <summary>Where messages end at the latest: the foot of a file, or its end.</summary>
    public required long Stop { get; init; }

    /// <summary>Whether it is in the form of a file, with a foot.</summary>
    public bool IsFile { get; init; }
}
