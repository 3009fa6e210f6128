namespace Elastic.Corpus;

/// <summary>A record that could not be read and was skipped.</summary>
/// <param name="File">Its name inside the source, the same on every machine.</param>
/// <param name="Line">Counted from 1; 0 where the format has no lines.</param>
public sealed record MalformedRecord(string File, long Line, string Reason)
{
    /// <summary>The file of a corpus folder that lists them.</summary>
    public const string FileName = "malformed.txt";

    /// <summary>The file of a corpus folder that lists the files with bytes that were replaced by U+FFFD.</summary>
    public const string RepairedFileName = "repaired.txt";

    /// <summary>How many records this one reason stands for.</summary>
    public long Records { get; init; } = 1;

    /// <summary>One line: "file:line reason".</summary>
    public override string ToString() => $"{File}{(Line > 0 ? $":{Line}" : "")} {Reason.ReplaceLineEndings(" ")}";
}

/// <summary>What reading has found so far. The one reader writes it; others read it after the end.</summary>
public sealed class ReadStatistics
{
    /// <summary>Malformed records that are kept with place and reason; the rest is only counted.</summary>
    public const int MalformedKept = 100;

    // Of the reasons, in a message of one line.
    private const int ReasonsShown = 3;

    private readonly List<MalformedRecord> _malformed = [];
    private readonly SortedDictionary<string, long> _repaired = new(StringComparer.Ordinal);
    private readonly List<MalformedRecord> _unread = [];
    private readonly List<MalformedRecord> _notRead = [];
    private long _listed;

    /// <summary>Documents read.</summary>
    public long Documents { get; private set; }

    /// <summary>UTF-8 bytes of their text.</summary>
    public long Bytes { get; private set; }

    /// <summary>Byte sequences that were not UTF-8 and became U+FFFD.</summary>
    public long InvalidUtf8Sequences { get; private set; }

    /// <summary>Records that could not be read and were skipped.</summary>
    public long MalformedRecords { get; private set; }

    /// <summary>
    /// Bytes of the records and of the rests of files that could not be read, as far as that is known: of a broken compressed file, those
    /// that are left of it.
    /// </summary>
    public long LostBytes { get; private set; }

    /// <summary>The share of the text that could not be read, 0 to 1.</summary>
    public double LostShare => LostBytes == 0 ? 0 : (double)LostBytes / (LostBytes + Bytes);

    /// <summary>
    /// What holds no text for a corpus and was left out on purpose: pictures in an archive, a page that was stored before, a blocked URL.
    /// </summary>
    public long UnreadRecords { get; private set; }

    /// <summary>How many of <see cref="UnreadRecords"/> are named alone, because their text is read in another place.</summary>
    internal long NamedRecords { get; private set; }

    /// <summary>The first <see cref="MalformedKept"/> of them.</summary>
    public IReadOnlyList<MalformedRecord> Unread => _unread;

    /// <summary>Documents without any text, skipped.</summary>
    public long EmptyDocuments { get; private set; }

    /// <summary>The first <see cref="MalformedKept"/> malformed records.</summary>
    public IReadOnlyList<MalformedRecord> Malformed => _malformed;

    /// <summary>Documents without a URL, which no block list and no take-down by URL can reach.</summary>
    public long WithoutUrl { get; private set; }

    internal void Count(Document document)
    {
        Documents++;
        if (document.Url is null)
            WithoutUrl++;
        Bytes += System.Text.Encoding.UTF8.GetByteCount(document.Text);
    }

    internal void CountEmpty() => EmptyDocuments++;

    internal void CountInvalidUtf8(SourceFile file, int sequences = 1)
    {
        if (sequences == 0)
            return;
        InvalidUtf8Sequences += sequences;
        _repaired[file.OuterName] = _repaired.GetValueOrDefault(file.OuterName) + sequences;
    }

    /// <param name="bytes">How many bytes of text are lost with it.</param>
    /// <param name="records">How many records are lost for this one reason; their number is all that is kept of the rest.</param>
    internal void CountMalformed(SourceFile file, long line, string reason, long bytes = 0, long records = 1)
    {
        MalformedRecords += records;
        LostBytes += bytes;
        if (_malformed.Count == MalformedKept)
            return;
        _malformed.Add(new MalformedRecord(file.Name, line, reason) { Records = records });
        _listed += records;
    }

    /// <summary>Counts the rest of a file, which is lost.</summary>
    /// <param name="bytes">How many bytes of it there are; null where nobody knows, because the file is cut short.</param>
    /// <exception cref="RejectedFileException">
    /// Nobody knows it, so that it may be most of the text, and the source does not say to go on.
    /// </exception>
    internal void CountRest(SourceFile file, long line, string reason, long? bytes)
    {
        if (bytes is null && !file.Reading.PassesOverRejects)
            throw new RejectedFileException(
                $"{file.Shown} is cut short or damaged, and how much of it is lost is not known ({reason}): get the file again, or leave "
                + $"it out ({file.LeftOutBy})");
        CountMalformed(file, line, reason, bytes ?? 0);
    }

    internal void CountUnread(SourceFile file, string reason)
    {
        Name(file, reason);
        if (_notRead.Count < ReasonsShown)
            _notRead.Add(new MalformedRecord(file.Name, 0, reason));
    }

    /// <summary>Counts what is named with the unread and of which all is read: two members of one name, a link to a member.</summary>
    internal void CountNamed(SourceFile file, string reason)
    {
        NamedRecords++;
        Name(file, reason);
    }

    private void Name(SourceFile file, string reason)
    {
        UnreadRecords++;
        if (_unread.Count < MalformedKept)
            _unread.Add(new MalformedRecord(file.Name, 0, reason));
    }

    /// <summary>The first reasons for which text is not read, for a message; empty where there is none.</summary>
    internal string UnreadReasons() => string.Join("; ", _notRead);

    /// <summary>The first reasons for which records were skipped, for a message; empty where there is none.</summary>
    internal string Reasons() => string.Join("; ", _malformed.Take(ReasonsShown));

    /// <summary>The files with sequences that were not UTF-8, one per line, those with the most first.</summary>
    internal string RepairedText() => string.Concat(
        _repaired.OrderByDescending(f => f.Value).Take(MalformedKept)
            .Select(f => $"{f.Key}: {f.Value} {(f.Value == 1 ? "sequence" : "sequences")} not in the encoding that it was read in\n"));

    /// <summary>The malformed records as text, one per line; the last line says how many more there are.</summary>
    internal string MalformedText()
    {
        IEnumerable<string> more = MalformedRecords > _listed ? [$"and {MalformedRecords - _listed} more"] : [];
        return string.Concat(_malformed.Select(m => m.ToString()).Concat(more).Select(line => line + "\n"));
    }
}
