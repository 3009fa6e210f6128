namespace Elastic.Corpus;

/// <summary>A record that could not be read and was skipped.</summary>
/// <param name="Line">Counted from 1; 0 where the format has no lines.</param>
public sealed record MalformedRecord(string File, long Line, string Reason);

/// <summary>What reading has found so far. Written by the one reader; others look when it is done.</summary>
public sealed class ReadStatistics
{
    /// <summary>Malformed records that are kept with place and reason; the rest is only counted.</summary>
    public const int MalformedKept = 100;

    private readonly SortedDictionary<string, (long Documents, long Bytes)> _sources = new(StringComparer.Ordinal);
    private readonly List<MalformedRecord> _malformed = [];

    /// <summary>Documents read.</summary>
    public long Documents { get; private set; }

    /// <summary>UTF-8 bytes of their text.</summary>
    public long Bytes { get; private set; }

    /// <summary>Byte sequences that were not UTF-8 and became U+FFFD.</summary>
    public long InvalidUtf8Sequences { get; private set; }

    /// <summary>Records that could not be read and were skipped.</summary>
    public long MalformedRecords { get; private set; }

    /// <summary>Documents without any text, skipped.</summary>
    public long EmptyDocuments { get; private set; }

    /// <summary>The first <see cref="MalformedKept"/> malformed records.</summary>
    public IReadOnlyList<MalformedRecord> Malformed => _malformed;

    /// <summary>Documents and bytes by source.</summary>
    public IReadOnlyDictionary<string, (long Documents, long Bytes)> Sources => _sources;

    internal void Count(Document document)
    {
        var bytes = System.Text.Encoding.UTF8.GetByteCount(document.Text);
        var (documents, sum) = _sources.GetValueOrDefault(document.Source);
        _sources[document.Source] = (documents + 1, sum + bytes);
        Documents++;
        Bytes += bytes;
    }

    internal void CountEmpty() => EmptyDocuments++;

    internal void CountInvalidUtf8() => InvalidUtf8Sequences++;

    internal void CountMalformed(string file, long line, string reason)
    {
        MalformedRecords++;
        if (_malformed.Count < MalformedKept)
            _malformed.Add(new MalformedRecord(file, line, reason));
    }
}
