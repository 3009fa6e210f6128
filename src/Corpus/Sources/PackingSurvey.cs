namespace Elastic.Corpus;

/// <summary>
/// What the bytes of a packed file tell of how earlier versions read it, found while they are hashed. What a program packs in one go is
/// read as it always was.
/// </summary>
internal sealed class PackingSurvey(SourceFile file)
{
    // Of bzip2: a mark with what begins a block or ends a stream, which is 48 bits of pi or of its root; and an end, with its checksum and
    // at most seven bits of nothing.
    private const int EndLength = 11, ChecksumBits = 32;
    private const ulong EndOfStream = 0x177245385090, Bits48 = (1UL << 48) - 1;

    // These have another id than with the versions that read such files otherwise, however they are packed.
    private readonly bool _isOtherAnyway =
        file.Format is DocumentFormat.Tar or DocumentFormat.Zip or DocumentFormat.Warc or DocumentFormat.Arrow;

    // The last bytes, which the next ones may go on with.
    private byte[] _last = [];
    private long _length;
    private bool _isJoined, _isAtEndOfXz;

    /// <param name="bytes">The next ones of a file of xz or bzip2, of which all but the last are a multiple of four.</param>
    public void Add(ReadOnlySpan<byte> bytes)
    {
        if (file.Packing == Packing.Xz)
            AddXz(bytes);
        else if (file.Packing == Packing.Bzip2)
            AddBzip2(bytes);
        _length += bytes.Length;
    }

    /// <summary>What is special in how the file is read; nothing of most.</summary>
    public IEnumerable<string> Lines()
    {
        // Whether it is damaged nobody sees without unpacking it, which takes ten times as long as hashing it, at each start of a run.
        if (file.Packing == Packing.Gzip && !_isOtherAnyway)
            yield return "gzip 2: members behind zeros are read, and of a damaged one what could be unpacked";
        if (file.Packing == Packing.Xz && _isJoined)
            yield return "xz 2: all streams of a file are read";
        if (_length == 0 || _isOtherAnyway)
            yield break;
        if (file.Packing == Packing.Xz && (!_isAtEndOfXz || _length % sizeof(int) != 0))
            yield return "xz 3: what follows the last stream is damage";
        if (file.Packing == Packing.Bzip2 && (_isJoined || !IsAtEndOfBzip2()))
            yield return "bzip2 2: each stream is read to its end, whatever follows it";
    }

    private void AddXz(ReadOnlySpan<byte> bytes)
    {
        // Streams and what lies between them are multiples of four: one ends with "YZ", or with zeros behind it, where the next one begins.
        for (var at = 0; at + 4 <= bytes.Length && !_isJoined; at += 4)
            _isJoined = bytes[at] == 0xFD && bytes[(at + 1)..].StartsWith("7zX"u8)
                && (at > 0 ? bytes[(at - 2)..at] : _last) is [(byte)'Y', (byte)'Z'] or [0, 0];
        _last = bytes.Length < 2 ? [] : [.. bytes[^2..]];
        if (bytes.LastIndexOfAnyExcept((byte)0) is var end and >= 0)
            _isAtEndOfXz = bytes[(end & ~3)..] is [_, _, (byte)'Y', (byte)'Z', ..];
    }

    private void AddBzip2(ReadOnlySpan<byte> bytes)
    {
        byte[] seen = [.. _last, .. bytes];
        // The file's own mark is no other one; of one in two blocks of bytes the first ten are seen together.
        for (var at = _length == 0 ? 1 : 0; !_isJoined && seen.AsSpan(at).IndexOf("BZh"u8) is var next and >= 0; at++)
        {
            at += next;
            _isJoined = seen.AsSpan(at) is [_, _, _, >= (byte)'1' and <= (byte)'9', 0x31, 0x41, 0x59, 0x26, 0x53, 0x59, ..]
                or [_, _, _, >= (byte)'1' and <= (byte)'9', 0x17, 0x72, 0x45, 0x38, 0x50, 0x90, ..];
        }
        _last = seen[^Math.Min(seen.Length, EndLength)..];
    }

    // A stream ends at any bit.
    private bool IsAtEndOfBzip2()
    {
        var last = _last.Aggregate(UInt128.Zero, (number, next) => number << 8 | next);
        return Enumerable.Range(ChecksumBits, 8).Any(bit => ((ulong)(last >> bit) & Bits48) == EndOfStream);
    }
}
