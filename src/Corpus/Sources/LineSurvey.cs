namespace Elastic.Corpus;

/// <summary>What the bytes of a file tell of how earlier versions read it, found while they are hashed.</summary>
internal sealed class LineSurvey
{
    private long _lineBytes;

    /// <summary>There is a line that <see cref="TextPieces"/> may have to cut.</summary>
    public bool HasLongLines { get; private set; }

    /// <summary>
    /// There may be an '&amp;' that begins none of the references that every XML reader knows: one that two blocks of bytes share
    /// counts, too.
    /// </summary>
    public bool HasOtherReferences { get; private set; }

    /// <summary>It is text in UTF-16 without a byte order mark, where it is text.</summary>
    public bool IsUnmarkedUtf16 { get; private set; }

    /// <summary>The first bytes of the file, at least those that <see cref="UnmarkedUtf16"/> looks at.</summary>
    public void Begin(ReadOnlySpan<byte> bytes) => IsUnmarkedUtf16 = UnmarkedUtf16.Of(bytes) is not null;

    public void Add(ReadOnlySpan<byte> bytes)
    {
        AddReferences(bytes);
        while (!HasLongLines)
        {
            var end = bytes.IndexOfAny((byte)'\n', (byte)'\r');
            _lineBytes += end < 0 ? bytes.Length : end;
            HasLongLines = _lineBytes >= TextPieces.Limit;
            if (end < 0)
                return;
            bytes = bytes[(end + 1)..];
            _lineBytes = 0;
        }
    }

    private void AddReferences(ReadOnlySpan<byte> bytes)
    {
        while (!HasOtherReferences && bytes.IndexOf((byte)'&') is var start and >= 0)
        {
            bytes = bytes[(start + 1)..];
            HasOtherReferences = !(bytes.StartsWith("lt;"u8) || bytes.StartsWith("gt;"u8) || bytes.StartsWith("amp;"u8)
                || bytes.StartsWith("#"u8) || bytes.StartsWith("quot;"u8) || bytes.StartsWith("apos;"u8));
        }
    }
}
