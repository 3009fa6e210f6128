namespace Elastic.Corpus;

/// <summary>A part of a file that is read by itself: lines of text, or row groups of Parquet.</summary>
/// <param name="Number">From 0.</param>
/// <param name="Skip">What comes before it: bytes, unpacked, or row groups.</param>
/// <param name="Length">Its own bytes, unpacked, or row groups; <see cref="ToEnd"/> for all that is left.</param>
/// <param name="LinesBefore">Lines before it.</param>
public sealed record FilePart(int Number, long Skip, long Length, long LinesBefore)
{
    /// <summary>In place of a length: to the end of the file.</summary>
    public const long ToEnd = long.MaxValue;
}

/// <summary>How large the parts of files are.</summary>
/// <param name="Bytes">Bytes of a part of lines of jsonl or of row groups: their documents are the same whatever this is.</param>
/// <param name="TextBytes">Bytes of a part of plain text, where a part also ends a document: a constant, except in tests.</param>
public readonly record struct PartSize(long Bytes, long TextBytes)
{
    /// <summary>A minute or so of reading through many stages, so that an interruption costs no more than that.</summary>
    public static PartSize Default { get; } = new(256L << 20, 256L << 20);

    /// <summary>Files are read whole.</summary>
    public static PartSize Whole { get; } = new(long.MaxValue, Default.TextBytes);
}

/// <summary>
/// Finds the parts of a file. They are cut by bytes alone, at the first beginning of a line behind each multiple of a size.
/// </summary>
internal static class FileParts
{
    // Each part of a compressed file unpacks what comes before it once more.
    private const int MostPacked = 16;

    // Text shrinks to a fifth, so that a smaller file is no part's worth.
    private const int UsualPacking = 8;

    /// <summary>The parts of a file; one that is read whole has none.</summary>
    public static IReadOnlyList<FilePart> Of(SourceFile file, PartSize size)
    {
        try
        {
            return Find(file, file.Format == DocumentFormat.Text ? size.TextBytes : size.Bytes);
        }
        catch (RejectedFileException)
        {
            // Whoever reads it says so.
            return [];
        }
    }

    private static IReadOnlyList<FilePart> Find(SourceFile file, long bytes)
    {
        var parts = file.Format switch
        {
            DocumentFormat.Parquet when file.Packing == Packing.None && file.Length > bytes => ParquetFiles.Parts(file, bytes),
            DocumentFormat.Text or DocumentFormat.JsonLines when IsInSingleBytes(file)
                && file.Length > (file.Packing == Packing.None ? bytes : bytes / UsualPacking) => LinesOf(file, bytes),
            _ => [],
        };
        return parts.Count > 1 ? parts : [];
    }

    // Where a byte '\n' is the end of a line, and nothing else.
    private static bool IsInSingleBytes(SourceFile file)
    {
        if (file.Reading.TextEncoding is { IsSingleByte: false })
            return false;
        using var bytes = RejoinedStream.Peek(PackedFile.OpenToDamage(file, new ReadStatistics()), UnmarkedUtf16.Looked);
        return bytes.Start.Length >= 2 && bytes.Start is not ([0xFF, 0xFE, ..] or [0xFE, 0xFF, ..] or [_, 0, ..] or [0, _, ..])
            && UnmarkedUtf16.Of(bytes.Start) is null;
    }

    private static List<FilePart> LinesOf(SourceFile file, long bytes)
    {
        var starts = new List<(long Skip, long Lines)> { (0, 0) };
        using (var stream = PackedFile.OpenToDamage(file, new ReadStatistics()))
        {
            var buffer = new byte[1 << 16];
            var (position, lines, next) = (0L, 0L, bytes);
            while (stream.Read(buffer) is var count and > 0)
            {
                for (var at = 0; at < count;)
                {
                    // No line is looked at before the next part may begin; they are only counted.
                    var far = at + (int)Math.Clamp(next - 1 - position - at, 0, count - at);
                    lines += buffer.AsSpan(at, far - at).Count((byte)'\n');
                    var end = buffer.AsSpan(far, count - far).IndexOf((byte)'\n');
                    at = end < 0 ? count : far + end + 1;
                    if (end < 0)
                        continue;
                    starts.Add((position + at, ++lines));
                    next = ((position + at) / bytes + 1) * bytes;
                }
                position += count;
            }
            // A part of nothing.
            if (starts[^1].Skip == position)
                starts.RemoveAt(starts.Count - 1);
        }
        var every = file.Packing == Packing.None ? 1 : (starts.Count + MostPacked - 1) / MostPacked;
        var kept = starts.Where((_, i) => i % Math.Max(1, every) == 0).ToList();
        return
        [
            .. kept.Select((start, i) => new FilePart(
                i, start.Skip, i + 1 < kept.Count ? kept[i + 1].Skip - start.Skip : FilePart.ToEnd, start.Lines)),
        ];
    }
}
