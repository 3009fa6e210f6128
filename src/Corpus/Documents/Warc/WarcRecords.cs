using System.Globalization;

namespace Elastic.Corpus;

/// <summary>A record of a WARC file.</summary>
/// <param name="Number">Counted from 1.</param>
/// <param name="Head">Its named fields; names without regard to case, of two of one name the first.</param>
/// <param name="Block">What it holds.</param>
internal sealed record WarcRecord(long Number, IReadOnlyDictionary<string, string> Head, byte[] Block)
{
    /// <summary>response, resource, revisit, request, warcinfo, metadata, conversion.</summary>
    public string Type => Head.GetValueOrDefault("WARC-Type", "").ToLowerInvariant();

    /// <summary>What was asked for. Some writers put it between angle brackets, as a draft of the standard had it.</summary>
    public string? Url => Head.GetValueOrDefault("WARC-Target-URI")?.Trim('<', '>');
}

/// <summary>
/// The records of a WARC file (ISO 28500:2017, section 4) one after the other. A record whose length is wrong is counted with its name, and
/// reading goes on where the next one begins.
/// </summary>
internal sealed class WarcRecords(SourceFile file, Stream stream, ReadStatistics statistics)
{
    // Each costs a look through a block: a file that is all of them is no WARC file.
    private const int MostRejected = 1000;

    /// <summary>The end of a record, and the beginning of the next one behind it.</summary>
    public static ReadOnlySpan<byte> Mark => "\r\n\r\nWARC/1."u8;

    private static ReadOnlySpan<byte> FirstLine => Mark[MarkBefore..];

    // As "WARC/1.1\r".
    private const int LongestFirstLine = 9;

    /// <summary>Bytes of <see cref="Mark"/> before the next record.</summary>
    public const int MarkBefore = 4;

    private static readonly byte[] Trailer = "\r\n\r\n"u8.ToArray();

    private readonly RecordBytes _bytes = new(stream);
    private long _number;
    private int _rejected;

    /// <summary>The next record; null at the end of the file.</summary>
    public WarcRecord? Next()
    {
        while (true)
        {
            while (_bytes.Peek(1) is [(byte)'\r' or (byte)'\n'])
                _bytes.Take(1);
            if (_bytes.Peek(1).IsEmpty)
                return null;
            _number++;
            if (ReadHead() is { } head && ReadBlock(head) is { } block)
                return new WarcRecord(_number, head, block);
            if (_rejected >= MostRejected)
            {
                Reject("", $"more than {MostRejected} records cannot be read, and the rest of the file is left out", 0);
                return null;
            }
        }
    }

    private Dictionary<string, string>? ReadHead()
    {
        if (!_bytes.Peek(5).SequenceEqual("WARC/"u8) || !_bytes.TryReadLine(ReadLimits.HeadBytes, out _))
        {
            var isCut = IsBeginningOfHead(_bytes.Peek(LongestFirstLine + 1));
            var (skipped, _) = _bytes.SkipToRecord(long.MaxValue);
            Reject("", isCut ? "the file is cut short in its first line" : "it does not begin with WARC/1.0 or WARC/1.1", skipped, isCut);
            return null;
        }
        var head = new Dictionary<string, string>(StringComparer.OrdinalIgnoreCase);
        var (left, last) = (ReadLimits.HeadBytes, "");
        while (_bytes.TryReadLine(left, out var line))
        {
            if (line.Length == 0)
                return head;
            left -= line.Length + 1;
            if (line[0] is ' ' or '\t' && last.Length > 0)
                head[last] += ' ' + line.Trim();
            else if (line.IndexOf(':', StringComparison.Ordinal) is var colon and > 0)
                head.TryAdd(last = line[..colon].Trim(), line[(colon + 1)..].Trim());
        }
        var (lost, atRecord) = _bytes.SkipToRecord(long.MaxValue);
        var isCutShort = !atRecord && lost <= left;
        Reject(NameOf(head), isCutShort ? "the file is cut short in its head"
            : $"its head does not end within {ReadLimits.HeadBytes} bytes", lost, isCutShort);
        return null;
    }

    // Whether a file that ends with these bytes ends in the first line of a record.
    private static bool IsBeginningOfHead(ReadOnlySpan<byte> rest) =>
        rest.Length <= LongestFirstLine && !rest.Contains((byte)'\n') && (FirstLine.StartsWith(rest) || rest.StartsWith(FirstLine));

    private byte[]? ReadBlock(Dictionary<string, string> head)
    {
        var name = NameOf(head);
        if (!long.TryParse(head.GetValueOrDefault("Content-Length"), NumberStyles.None, CultureInfo.InvariantCulture, out var length))
        {
            var (skipped, _) = _bytes.SkipToRecord(long.MaxValue);
            Reject(name, $"its Content-Length is {OneLine(head.GetValueOrDefault("Content-Length") ?? "missing")}", skipped);
            return null;
        }
        if (length > ReadLimits.RecordBytes)
        {
            var (skipped, atRecord) = _bytes.SkipToRecord(length);
            Reject(name, atRecord && skipped < length ? $"its Content-Length of {length} is wrong: another record begins before"
                : $"it has {length} bytes, and at most {ReadLimits.RecordBytes} are read", skipped, !atRecord && skipped < length);
            return null;
        }
        var block = _bytes.Take((int)length);
        if (block.Length == length && (_bytes.Peek(Trailer.Length).SequenceEqual(Trailer) || _bytes.Peek(1).IsEmpty))
            return block;
        var isShort = block.Length < length;
        // Left out although its block is whole, as ever: corpora are named after what is read of their files.
        var isCutBehind = !isShort && _bytes.Peek(Trailer.Length) is var rest && Trailer.AsSpan().StartsWith(rest);
        _bytes.Return(block);
        var (lost, isAtNext) = _bytes.SkipToRecord(long.MaxValue);
        Reject(name, isCutBehind ? "the file is cut short in the end of the record"
            : isShort ? $"its Content-Length of {length} is wrong, or the file is cut short: there are {block.Length} bytes"
            : $"its Content-Length of {length} is wrong: the record does not end there", lost, isCutBehind || (isShort && !isAtNext));
        return null;
    }

    // Of a record that goes on where the file ends nobody knows what follows it. Of one that cannot be unpacked that is said already.
    private void Reject(string name, string why, long bytes, bool isCutShort = false)
    {
        _rejected++;
        statistics.CountRest(file, _number, $"the record{(name.Length == 0 ? "" : $" of {name}")} is left out: {why}",
            isCutShort && !PackedFile.IsDamaged(stream) ? null : bytes);
    }

    private static string NameOf(Dictionary<string, string> head) =>
        OneLine(head.GetValueOrDefault("WARC-Target-URI") ?? head.GetValueOrDefault("WARC-Record-ID") ?? "");

    private static string OneLine(string text) => Foundation.OneLine.Of(text, 200);
}
